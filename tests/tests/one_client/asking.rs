//! How workers ask one another, through Redis, before they ask GitHub.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use hookme_shared::job::State;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::supervisor::Supervisor;
use hookme_tests::fault_proxy::Mode;
use hookme_tests::github::{Fault, Limits, RepositorySpec};
use hookme_tests::process::free_port;
use hookme_tests::site::{ApiClient, SiteOptions, total};
use hookme_tests::{House, Site, eventually};
use hookme_worker::fetch::{Checkpoint, Fetcher};
use hookme_worker::github::{Failure, Github};
use hookme_worker::settings::Arguments;
use reqwest::Method;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, limited};

fn before_a_proxy() -> SiteOptions {
    SiteOptions {
        proxy: true,
        github: limited(Limits::unlimited()),
        ..SiteOptions::default()
    }
    .with("GITHUB_IN_FLIGHT", "1")
    .with("GITHUB_TIMEOUT", "20000")
    .with("WORKER_CONCURRENCY", "16")
}

async fn post(site: &Site, tasks: usize) {
    for number in 0..tasks {
        let name = format!("repository-{number}");
        site.submit("octocat", &name).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_costs_at_most_two_calls_to_redis_however_many_jobs_wait() {
    let options = before_a_proxy().with("GITHUB_READ_GAP", "5");
    let site = Site::start(options).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // It loses nothing: it only looks.
    site.proxy
        .as_ref()
        .unwrap()
        .drop_reply(usize::MAX, move |words| {
            let function = words.get(1).map(Vec::as_slice).unwrap_or_default();
            let is_one = |name: &str| function.ends_with(name.as_bytes());
            if is_one("_github_acquire") || is_one("_github_release") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            false
        });
    post(&site, 60).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    let (calls, requests) = (calls.load(Ordering::SeqCst), site.github.requests().len());
    assert!(requests >= 120, "{requests}");
    // On a machine that is too busy a job gives up, or is stopped, with up to four
    // requests waiting, which may be granted all the same.
    let given_up = ["deferred", "released", "crashed"].map(|end| total(&counts, end));
    let vain = 4 * usize::try_from(given_up.iter().sum::<u64>()).unwrap();
    assert!(
        calls <= 2 * (requests + vain),
        "{calls} calls for {requests} requests, {vain} in vain"
    );
}

#[tokio::test]
async fn a_call_that_is_lost_holds_nobody_back_for_good() {
    for function in ["_github_acquire", "_github_release"] {
        let site = Site::start(before_a_proxy()).await.unwrap();
        let proxy = site.proxy.as_ref().unwrap();
        let is_meant = move |words: &[Vec<u8>]| {
            words
                .get(1)
                .is_some_and(|word| word.ends_with(function.as_bytes()))
        };
        proxy.drop_reply(1, is_meant);
        proxy.drop_request(1, is_meant);
        post(&site, 20).await;
        let counts = site.all_ended(PATIENCE).await.unwrap();
        assert_eq!((counts.succeeded, proxy.dropped()), (20, 2), "{function}");
        assert_eq!(
            total(&counts, "retried"),
            0,
            "{function}: a job failed by it"
        );
        assert_eq!(site.github.max_in_flight(), 1, "{function}");
    }
}

#[tokio::test]
async fn nothing_is_sent_to_github_while_redis_is_away() {
    let operator = format!("127.0.0.1:{}", free_port().unwrap());
    let options = SiteOptions {
        workers: 0,
        ..before_a_proxy()
    };
    let mut site = Site::start(options).await.unwrap();
    // The API would listen there too.
    let variables = [
        ("RUST_LOG", "info,hookme_worker=debug"),
        ("OPERATOR_LISTEN", &operator),
    ];
    let worker = site.start_worker(&variables).unwrap();
    worker.wait_for_log("taking jobs", PATIENCE).await.unwrap();
    site.workers.push(worker);
    let long = RepositorySpec {
        issues: 3_000,
        ..RepositorySpec::default()
    };
    site.github.add_repository("octocat", "repository-0", &long);
    post(&site, 1).await;
    site.github.wait_for("/", 5, PATIENCE).await.unwrap();
    let proxy = site.proxy.as_ref().unwrap();
    proxy.set_mode(Mode::Blackhole);
    site.workers[0]
        .wait_for_log("nothing is sent", PATIENCE)
        .await
        .unwrap();
    let sent = site.github.requests().len();
    // The job is stopped, long after the next page would have been asked for.
    let operator = ApiClient::new(&operator).unwrap();
    eventually(PATIENCE, "the end of the attempt", async || {
        let answer = operator.request(Method::GET, "/metrics").send().await;
        let text = answer.map_err(|error| error.to_string())?.text().await;
        let text = text.map_err(|error| error.to_string())?;
        let is_over = text.contains(r#"hookme_attempts_total{end="release"} 1"#);
        is_over.then_some(()).ok_or(text)
    })
    .await
    .unwrap();
    assert_eq!(site.github.requests().len(), sent);
    proxy.set_mode(Mode::Pass);
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!((counts.succeeded, total(&counts, "retried")), (1, 0));
}

#[tokio::test]
async fn what_redis_refuses_the_governor_for_good_stops_requests_and_is_said_aloud() {
    let options = SiteOptions {
        workers: 1,
        github: limited(Limits::default()),
        ..SiteOptions::default()
    }
    .with("GITHUB_IN_FLIGHT", "1");
    let site = Site::start(options).await.unwrap();
    post(&site, 1).await;
    site.all_ended(PATIENCE).await.unwrap();
    let sent = site.github.requests().len();
    let mut redis = site.connection().await.unwrap();
    // Of all that happens to this job, only a turn at GitHub needs this command.
    let mut right = async |right: &str| {
        let mut change = redis::cmd("ACL");
        change.arg("SETUSER").arg("default").arg(right);
        change.exec_async(&mut redis).await.unwrap();
    };
    right("-zscore").await;
    let id = site.submit("octocat", "another").await.unwrap();
    let words = "GitHub is asked nothing until somebody mends this";
    site.workers[0].wait_for_log(words, PATIENCE).await.unwrap();
    let put_back = eventually(PATIENCE, "a job that waits", async || {
        let seen = site.job(id).await.map_err(|error| error.to_string())?;
        let waits = seen.job.state == State::Scheduled && seen.job.reason.is_some();
        waits
            .then_some(seen.job.failures)
            .ok_or(format!("{seen:?}"))
    });
    assert_eq!(put_back.await.unwrap(), 0);
    assert_eq!(site.github.requests().len(), sent);
    right("+zscore").await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(counts.succeeded, 2);
}

/// A fetcher as a worker has one.
async fn fetcher(house: &House, worker: &str, supervisor: &Supervisor) -> Fetcher {
    let flags = [
        "worker".to_owned(),
        format!("--api-url={}", house.github.url()),
        "--webhook-url=http://127.0.0.1:9".to_owned(),
        "--github-read-gap=0".to_owned(),
    ];
    let settings = Arguments::try_parse_from(flags).unwrap().check().unwrap();
    let door = Github::shared(
        &settings.github,
        house.queue.clone(),
        worker.to_owned(),
        Arc::default(),
        supervisor.clone(),
    );
    Fetcher::new(Arc::new(door.await.unwrap()), false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_reports_of_one_repository_at_once_are_one_walk() {
    let house = House::with_github(limited(Limits::unlimited()))
        .await
        .unwrap();
    let spec = RepositorySpec {
        issues: 250,
        pull_requests: 0,
        contributors: 0,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    // Long enough that all fifty have come before the first answer.
    house.github.script(
        "/repos/octocat/hello/issues",
        vec![Fault::Delay(std::time::Duration::from_millis(300))],
    );
    let supervisor = Supervisor::new(CancellationToken::new());
    let doors = [
        Arc::new(fetcher(&house, "one", &supervisor).await),
        Arc::new(fetcher(&house, "other", &supervisor).await),
    ];
    let mut fetches = JoinSet::new();
    for number in 0..50 {
        let door = Arc::clone(&doors[number % 2]);
        fetches.spawn(async move {
            let owner = Username::parse("octocat").unwrap();
            let name = RepositoryName::parse("hello").unwrap();
            let mut checkpoint = Checkpoint::default();
            loop {
                match door.fetch(&owner, &name, &mut checkpoint).await {
                    // A job would be put back, and come again.
                    Err(Failure::Wait { .. }) => {}
                    ended => return ended.unwrap(),
                }
            }
        });
    }
    while let Some(report) = fetches.join_next().await {
        assert_eq!(report.unwrap().issues.len(), 250);
    }
    assert_eq!(house.github.count("/repos/octocat/hello/issues"), 3);
    assert_eq!(house.github.count("/repos/octocat/hello/contributors"), 1);
}

#[tokio::test]
async fn who_asks_and_is_stopped_lets_another_ask() {
    let house = House::with_github(limited(Limits::unlimited()))
        .await
        .unwrap();
    house
        .github
        .script("/repos/octocat/hello/issues", vec![Fault::Hang]);
    let supervisor = Supervisor::new(CancellationToken::new());
    let door = Arc::new(fetcher(&house, "one", &supervisor).await);
    let owner = Username::parse("octocat").unwrap();
    let name = RepositoryName::parse("hello").unwrap();
    let mut fetches = JoinSet::new();
    let (stopped, owner_of, name_of) = (Arc::clone(&door), owner.clone(), name.clone());
    fetches.spawn(async move {
        let mut checkpoint = Checkpoint::default();
        stopped.fetch(&owner_of, &name_of, &mut checkpoint).await
    });
    house.github.wait_for("/repos", 1, PATIENCE).await.unwrap();
    fetches.shutdown().await;
    let report = eventually(PATIENCE, "a report by another", async || {
        let answer = door.fetch(&owner, &name, &mut Checkpoint::default()).await;
        answer.map_err(|failure| failure.to_string())
    });
    assert_eq!(report.await.unwrap().issues.len(), 3);
}
