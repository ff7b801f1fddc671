//! A password that Redis takes no more while the programs run.

use hookme_shared::job::State;
use hookme_tests::eventually;
use hookme_tests::redis_server::{RedisOptions, RedisServer};
use hookme_tests::site::{Site, SiteOptions};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use super::{PATIENCE, look};
use crate::writes::{ready_with, set_rights};

/// So many connections are tried in vain before the logs are looked at.
const TRIES: u64 = 60;
/// Lines about it in one program's log: a part that meets it says so once.
const TOLD_MAX: usize = 8;

/// Connections that were ever made.
async fn connections(redis: &mut MultiplexedConnection) -> u64 {
    let stats: redis::InfoDict = redis::cmd("INFO")
        .arg("stats")
        .query_async(redis)
        .await
        .unwrap();
    stats.get("total_connections_received").unwrap()
}

#[tokio::test]
async fn a_password_that_is_changed_is_told_once_and_waited_for() {
    let redis = RedisServer::start(RedisOptions::default()).await.unwrap();
    let mut admin = redis.connection().await.unwrap();
    set_rights(&mut admin, "on >first ~* &* +@all").await;
    let url = redis.url_of("w:first");
    let operator = format!("127.0.0.1:{}", hookme_tests::process::free_port().unwrap());
    let options = SiteOptions {
        workers: 0,
        redis_urls: Some([url.clone(), url]),
        ..SiteOptions::default()
    };
    let options = options
        .with("ALLOW_UNSAFE_REDIS", "true")
        .with("RETRY_MAX_ATTEMPTS", "0");
    let site = Site::start_on(redis, options).await.unwrap();
    let worker = site
        .start_worker(&[("OPERATOR_LISTEN", &*operator)])
        .unwrap();
    Site::ready(&worker).await.unwrap();
    let first = site.submit("octocat", "first").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();

    set_rights(&mut admin, "<first >second").await;
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("USER").arg("w");
    kill.exec_async(&mut admin).await.unwrap();
    let refused = "the user or the password of REDIS_URL is refused";
    let ready = format!("http://{operator}/readyz");
    // At first only the connection is gone.
    let told = eventually(PATIENCE, refused, async || {
        let (said, unready) = (ready_with(&ready, 503).await, look(&site).await);
        let is_told = said.contains(refused) && unready.body.to_string().contains(refused);
        is_told.then_some(()).ok_or(said)
    });
    told.await.unwrap();
    let late = json!({"username": "octocat", "repository": "late"});
    let late = site.client.post_task(&late, None).await.unwrap();
    assert_eq!(late.status, 503, "{late:?}");
    assert_eq!(late.body["type"], "/problems/queue-refuses", "{late:?}");
    let before = connections(&mut admin).await;
    let tried = eventually(PATIENCE, "more tries", async || {
        let tries = connections(&mut admin).await - before;
        (tries >= TRIES).then_some(()).ok_or(tries.to_string())
    });
    tried.await.unwrap();
    let log = worker.log();
    let told = log.lines().filter(|line| line.contains(refused)).count();
    assert!(told <= TOLD_MAX, "{told} lines: {log}");

    set_rights(&mut admin, ">first").await;
    ready_with(&ready, 200).await;
    let second = site.submit("octocat", "second").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    for id in [first, second] {
        let told = site.job(id).await.unwrap();
        assert_eq!(
            (told.job.state, told.job.failures),
            (State::Succeeded, 0),
            "{told:?}"
        );
    }
}
