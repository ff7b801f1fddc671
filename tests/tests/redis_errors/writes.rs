//! A Redis that takes no writes for a while, and one whose user lacks a right.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_tests::receiver::Answer;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::site::{Site, SiteOptions, total};
use hookme_tests::{Program, RedisServer, eventually};
use redis::aio::MultiplexedConnection;

use super::{PATIENCE, look};

/// Within this the functions are flushed once the receiver has its requests.
const SLOW: Duration = Duration::from_secs(2);

/// What `/readyz` says, with the status.
async fn readiness(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` answers with that status, and returns what it says.
pub(super) async fn ready_with(url: &str, status: u16) -> String {
    let said = eventually(PATIENCE, "another readiness", async || {
        let (now, text) = readiness(url).await;
        if now == status { Ok(text) } else { Err(text) }
    });
    said.await.unwrap()
}

#[tokio::test]
async fn a_disk_that_refuses_for_a_while_costs_no_failure_and_shows_on_readyz() {
    let operator = format!("127.0.0.1:{}", hookme_tests::process::free_port().unwrap());
    let options = SiteOptions {
        workers: 0,
        ..SiteOptions::default()
    };
    let redis = RedisServer::start(RedisOptions {
        persistence: Persistence::AofAlways,
        arguments: ["--dbfilename", "blocked.rdb"].map(str::to_owned).to_vec(),
        login: None,
    });
    let options = options.with("RETRY_MAX_ATTEMPTS", "0");
    let site = Site::start_on(redis.await.unwrap(), options).await.unwrap();
    let worker = site
        .start_worker(&[("OPERATOR_LISTEN", &*operator)])
        .unwrap();
    Site::ready(&worker).await.unwrap();
    let worker_ready = format!("http://{operator}/readyz");
    ready_with(&worker_ready, 200).await;

    // A snapshot goes where a folder stands.
    let mut redis = site.connection().await.unwrap();
    let snapshot = site.redis.dir().join("blocked.rdb");
    std::fs::create_dir(&snapshot).unwrap();
    std::fs::write(snapshot.join("full"), "").unwrap();
    let mut save = redis::cmd("CONFIG");
    save.arg("SET").arg("save").arg("3600 1");
    save.exec_async(&mut redis).await.unwrap();
    let ids = [
        site.submit("octocat", "a").await.unwrap(),
        site.submit("octocat", "b").await.unwrap(),
    ];
    redis::cmd("BGSAVE").exec_async(&mut redis).await.unwrap();
    let said = ready_with(&worker_ready, 503).await;
    assert!(said.contains("MISCONF"), "{said}");
    let unready = look(&site).await;
    assert_eq!(unready.status, 503, "{unready:?}");
    let late = serde_json::json!({"username": "octocat", "repository": "c"});
    let late = site.client.post_task(&late, None).await.unwrap();
    assert_eq!(late.status, 503, "{late:?}");

    std::fs::remove_dir_all(&snapshot).unwrap();
    redis::cmd("BGSAVE").exec_async(&mut redis).await.unwrap();
    ready_with(&worker_ready, 200).await;
    let last = site.submit("octocat", "c").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    for id in ids.into_iter().chain([last]) {
        let told = site.job(id).await.unwrap();
        assert_eq!(
            (told.job.state, told.job.failures),
            (State::Succeeded, 0),
            "{told:?}"
        );
    }
}

/// A site whose worker has a Redis user of its own, `w`.
struct Guarded {
    site: Site,
    worker: Program,
    /// Its `/readyz`.
    ready: String,
    /// For an administrator.
    redis: MultiplexedConnection,
}

/// Starts it with these rights for the worker. No job is tried twice.
async fn guarded(options: SiteOptions, rights: &str) -> Guarded {
    let options = SiteOptions {
        workers: 0,
        ..options
    };
    let site = Site::start(options.with("RETRY_MAX_ATTEMPTS", "0"));
    let site = site.await.unwrap();
    let mut redis = site.connection().await.unwrap();
    set_rights(&mut redis, &format!("on >secret ~* &* {rights}")).await;
    let url = site.redis.url_of("w:secret");
    let operator = format!("127.0.0.1:{}", hookme_tests::process::free_port().unwrap());
    let worker = site
        .start_worker(&[("REDIS_URL", &url), ("OPERATOR_LISTEN", &operator)])
        .unwrap();
    Site::ready(&worker).await.unwrap();
    let ready = format!("http://{operator}/readyz");
    Guarded {
        site,
        worker,
        ready,
        redis,
    }
}

pub(super) async fn set_rights(redis: &mut MultiplexedConnection, rules: &str) {
    let mut set = redis::cmd("ACL");
    set.arg("SETUSER").arg("w");
    rules.split(' ').for_each(|word| _ = set.arg(word));
    set.exec_async(redis).await.unwrap();
}

/// Rights that a worker needs to claim, to go on, and to end a job.
const RIGHTS: [&str; 9] = [
    "zadd", "hset", "zrem", "hincrby", "hdel", "del", "mget", "rpush", "pexpire",
];

/// What is taken away, by which rule, and which one gives it back: each right, the right to
/// call, the keys, and the login.
fn ways() -> Vec<(&'static str, String, String)> {
    let of_commands = RIGHTS.map(|right| (right, format!("-{right}"), format!("+{right}")));
    let of_all = [
        ("fcall", "-fcall", "+fcall"),
        ("keys", "resetkeys", "~{hookme} ~{hookme}:*"),
        ("login", "off", "on"),
    ];
    let of_all = of_all.map(|(what, taken, given)| (what, taken.to_owned(), given.to_owned()));
    of_commands.into_iter().chain(of_all).collect()
}

#[tokio::test]
async fn a_right_that_is_taken_away_under_load_costs_no_job_and_shows_on_readyz() {
    let options = SiteOptions::default().with("LEASE", "1000");
    let Guarded {
        site,
        worker,
        ready,
        mut redis,
    } = guarded(options, "+@all").await;
    let mut ids = Vec::new();
    for (right, taken, given) in ways() {
        set_rights(&mut redis, &taken).await;
        if right == "login" {
            let mut kill = redis::cmd("CLIENT");
            kill.arg("KILL").arg("USER").arg("w");
            kill.exec_async(&mut redis).await.unwrap();
        }
        for number in 0..30 {
            let id = site.submit("octocat", &format!("{right}-{number}")).await;
            ids.push(id.unwrap());
        }
        let told = eventually(PATIENCE, right, async || {
            let said = ready_with(&ready, 503).await;
            let words = if right == "login" {
                "is refused"
            } else {
                &given
            };
            said.contains(words).then_some(()).ok_or(said)
        });
        told.await.unwrap();
        if right == "hincrby" {
            // A claim that is repeated gives jobs, which miss it when they keep their reports.
            let told = worker.wait_for_log("attempts cannot go on", PATIENCE);
            told.await.unwrap();
        }
        set_rights(&mut redis, &given).await;
        ready_with(&ready, 200).await;
    }
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(total(&counts, "crashed"), 0, "{counts:?}");
    for id in &ids {
        let told = site.job(*id).await.unwrap();
        assert_eq!(
            (told.job.state, told.job.failures),
            (State::Succeeded, 0),
            "{told:?}"
        );
    }
    assert_eq!(site.receiver.deliveries().len(), ids.len());
    let log = worker.log();
    assert!(log.contains("ACL SETUSER w +zadd"), "{log}");
    assert_eq!(site.left_over_keys().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_end_that_waits_for_a_right_leaves_no_trace_of_its_tries() {
    // With one answer the job succeeds, with the other it is put back.
    for code in [200, 500] {
        let options = SiteOptions::default().with("LEASE", "1000");
        let Guarded {
            site,
            worker,
            mut redis,
            ..
        } = guarded(options.with("RESCHEDULE_INTERVAL", "100"), "+@all").await;
        site.receiver
            .answer(vec![Answer::Slow(Duration::from_millis(300), code)]);
        let id = site.submit("octocat", "hello").await.unwrap();
        site.receiver.wait_for(1, PATIENCE).await.unwrap();
        set_rights(&mut redis, "-zadd").await;
        let waits = worker.wait_for_log("jobs are not settled until", PATIENCE);
        waits.await.unwrap();
        // The lease cannot be renewed, and nobody may take the job back.
        let over = eventually(PATIENCE, "the end of the lease", async || {
            let told = site.job(id).await.map_err(|error| error.to_string())?;
            let is_over = told.why.contains("lease") && told.why.contains("no worker is heard of");
            is_over.then_some(()).ok_or(told.why)
        });
        over.await.unwrap();
        assert!(!worker.log().contains("jobs are settled again"));
        set_rights(&mut redis, "+zadd").await;
        let log = worker.wait_for_log("jobs are settled again", PATIENCE);
        log.await.unwrap();
        let told = site.job(id).await.unwrap();
        let events: Vec<_> = told.history.iter().map(|entry| &*entry.event).collect();
        let expected = if code == 200 { "finish" } else { "bury" };
        assert_eq!(events, [expected], "{told:?}");
        assert!(!worker.log().contains("another claim holds the job"));
    }
}

#[tokio::test]
async fn functions_that_are_gone_where_the_worker_may_not_load_them_cost_no_second_delivery() {
    const JOBS: usize = 8;
    let options = SiteOptions::default()
        .with("LEASE", "15000")
        .with("WORKER_CONCURRENCY", &JOBS.to_string());
    let Guarded {
        site,
        worker,
        ready,
        mut redis,
    } = guarded(options, "+@all -function").await;
    site.receiver.answer(vec![Answer::Slow(SLOW, 200); JOBS]);
    for number in 0..JOBS {
        let name = format!("hello-{number}");
        site.submit("octocat", &name).await.unwrap();
    }
    site.receiver.wait_for(JOBS, PATIENCE).await.unwrap();

    let mut flush = redis::cmd("FUNCTION");
    flush.arg("FLUSH").exec_async(&mut redis).await.unwrap();
    let waits = worker.wait_for_log("jobs are not settled until", PATIENCE);
    waits.await.unwrap();
    let said = ready_with(&ready, 503).await;
    assert!(said.contains("--load-functions"), "{said}");
    // Every job has ended by now as far as its worker knows. The API loads the functions.
    let settled = worker.wait_for_log("jobs are settled again", PATIENCE);
    site.submit("octocat", "another").await.unwrap();
    settled.await.unwrap();
    ready_with(&ready, 200).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(total(&counts, "succeeded"), JOBS as u64 + 1, "{counts:?}");
    assert_eq!(total(&counts, "crashed"), 0, "{counts:?}");
    assert_eq!(site.receiver.deliveries().len(), JOBS + 1);
    let told = worker.log().matches("jobs are not settled until").count();
    assert_eq!(told, 1, "{}", worker.log());
}
