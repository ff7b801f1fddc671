//! No private address is reached through what a client names, whatever its spelling.
//!
//! That a name which turns out to be private is not connected to is also tested with
//! answers of a name service, beside the code that looks names up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookme_shared::destination::Destination;
use hookme_shared::job::{JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Submission, Work};
use hookme_tests::receiver::Answer;
use hookme_tests::site::SiteOptions;
use hookme_tests::{House, Receiver, Site};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use super::{PATIENCE, house, report, submit};

const VECTORS: &str = include_str!("private_urls.txt");

/// Listens on every address of this machine, and counts who comes.
struct Trap {
    port: u16,
    caught: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Trap {
    async fn set() -> Self {
        // On Linux this takes connections by IPv4 too.
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        let port = listener.local_addr().unwrap().port();
        let caught = Arc::<AtomicUsize>::default();
        let (count, mut task) = (Arc::clone(&caught), JoinSet::new());
        task.spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            port,
            caught,
            _task: task,
        }
    }

    /// The URLs of the list, and whether there is something wrong with their text.
    fn urls(&self) -> Vec<(String, bool)> {
        let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let named = line.strip_prefix("name ");
                let url = named
                    .unwrap_or(line)
                    .replace("{port}", &self.port.to_string());
                (url, named.is_none())
            })
            .collect()
    }

    fn caught(&self) -> usize {
        self.caught.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn no_task_is_taken_whose_url_leads_inside() {
    let mut house = House::start().await.unwrap();
    // The kinder setting: it leaves the refusal to the address.
    let api = house.api(&["--webhook-allow-http=true"]).await.unwrap();
    let trap = Trap::set().await;
    let urls = trap.urls();
    assert!(urls.len() >= 80, "{}", urls.len());
    for (url, is_wrong) in urls {
        let mut task = report("inside");
        task["webhook_url"] = json!(url);
        let answer = api.post_task(&task, None).await.unwrap();
        let status = answer.status.as_u16();
        assert_eq!(
            status,
            if is_wrong { 400 } else { 202 },
            "{url}: {answer:?}"
        );
        if is_wrong {
            let told = answer.body["error"].as_str().unwrap();
            assert!(
                told.starts_with("field webhook_url cannot be used: "),
                "{told}"
            );
        }
    }
    assert_eq!(trap.caught(), 0);
}

/// What passed the door all the same, as if an older setting or another program had let
/// it in, is not sent to.
#[tokio::test]
async fn no_worker_connects_to_a_url_that_leads_inside() {
    let (house, _api) = house(&[
        "--webhook-allow-http=true",
        "--retry-max-attempts=0",
        "--worker-concurrency=64",
    ])
    .await;
    let trap = Trap::set().await;
    let mut ids = Vec::new();
    for (number, (url, _)) in trap.urls().into_iter().enumerate() {
        let Ok(parsed) = url.parse::<Url>() else {
            continue;
        };
        let task = Submission {
            id: JobId::random(),
            username: Username::parse("octocat").unwrap(),
            repository: RepositoryName::parse(&format!("r{number}")).unwrap(),
            work: Work::Report,
            delay: Duration::ZERO,
            owner: None,
            destination: Some(Destination::new(parsed)),
            idempotency: None,
        };
        house.queue.submit(&task).await.unwrap();
        ids.push((task.id, url));
    }
    assert!(ids.len() >= 80, "{}", ids.len());
    for (id, url) in ids {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Dead, "{url}: {ended:?}");
    }
    assert_eq!((trap.caught(), house.receiver.count()), (0, 0));
}

#[tokio::test]
async fn no_redirect_of_a_receiver_is_followed_inside() {
    let flags = [
        "--webhook-allow-http=true",
        "--webhook-allowed-cidrs=127.0.0.0/8",
        "--retry-max-attempts=0",
    ];
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&[flags[0], flags[1], "--schedule-interval=0"])
        .await
        .unwrap();
    house.worker(&flags).await.unwrap();
    let (own, trap) = (Receiver::start().await.unwrap(), Trap::set().await);
    let inside = format!("http://127.0.0.1:{}/", trap.port);
    for (number, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        own.answer(vec![Answer::Status(
            status,
            vec![("location".to_owned(), inside.clone())],
        )]);
        let mut task = report(&format!("moved-{number}"));
        task["webhook_url"] = json!(own.url());
        let ended = house
            .ended(submit(&api, task).await, PATIENCE)
            .await
            .unwrap();
        assert_eq!(ended.job.state, State::Dead, "{status}: {ended:?}");
    }
    assert_eq!((own.count(), trap.caught()), (5, 0));
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_asked_for_nothing() {
    let trap = Trap::set().await;
    let proxy = format!("http://127.0.0.1:{}", trap.port);
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let options = names.iter().fold(SiteOptions::default(), |options, name| {
        options.with(name, &proxy)
    });
    let site = Site::start(options).await.unwrap();
    let id = site.submit("octocat", "hello").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(site.job(id).await.unwrap().job.state, State::Succeeded);
    assert_eq!((site.receiver.count(), trap.caught()), (1, 0));
}

#[tokio::test]
async fn what_the_operator_allows_is_reached_and_the_default_is_left_alone() {
    let flags = [
        "--webhook-allow-http=true",
        "--webhook-allowed-cidrs=127.0.0.0/8",
    ];
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&[&flags[..], &["--schedule-interval=0"]].concat())
        .await
        .unwrap();
    house.worker(&flags).await.unwrap();
    let own = Receiver::start().await.unwrap();
    let mut task = report("allowed");
    task["webhook_url"] = json!(format!("{}?key=1", own.url()));
    let (to_own, to_default) = (
        submit(&api, task).await,
        submit(&api, report("allowed")).await,
    );
    for id in [to_own, to_default] {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Succeeded, "{ended:?}");
    }
    assert_eq!(own.ids(), [to_own.to_string()]);
    assert_eq!(own.deliveries()[0].target, "/webhook?key=1");
    assert_eq!(house.receiver.ids(), [to_default.to_string()]);
    // The query may be a secret.
    let shown = api.show(to_own).await.unwrap();
    assert_eq!(shown.body["webhook_url"], json!(own.url()));
}
