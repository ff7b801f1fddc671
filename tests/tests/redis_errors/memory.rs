//! Memory that is full from before the first claim: what is in Redis drains.

use hookme_shared::job::{JobId, State};
use hookme_tests::by_hand::{self, sha};
use hookme_tests::eventually;
use hookme_tests::site::{Site, SiteOptions};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use super::{PATIENCE, look};

const REPORTS: usize = 20;
const COMMENTS: u32 = 3;
/// Warnings of a worker while memory is full: one for each help, and that it does not sign.
const TOLD_MAX: usize = 6;

/// Sets the memory that Redis may use, in bytes; 0 is all.
async fn limit_memory(redis: &mut MultiplexedConnection, bytes: u64) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory").arg(bytes);
    set.exec_async(redis).await.unwrap();
}

async fn feedback(site: &Site, repository: &str, commit: u32) -> JobId {
    let task = json!({
        "kind": "feedback",
        "username": by_hand::OWNER,
        "repository": repository,
        "pull_request": 4,
        "commit": sha(commit),
        "evaluation": {
            "github_username": "student",
            "evaluations": [{"description": "It builds", "grade": 3}],
        },
    });
    let answer = site
        .client
        .post_task(&task, Some(repository))
        .await
        .unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.id().unwrap()
}

#[tokio::test]
async fn a_backlog_drains_with_memory_full_from_the_first_claim_on() {
    let options = SiteOptions {
        workers: 0,
        ..SiteOptions::default()
    };
    // All that a worker does for others: the cache, the names, the identity of a token.
    let options = options
        .with("API_TOKEN", "token-of-a-user")
        .with("RETRY_MAX_ATTEMPTS", "3")
        .with("GITHUB_CACHE_MAX_BYTES", "1000000");
    let site = Site::start(options).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..REPORTS {
        let repository = format!("r{number}");
        ids.push(site.submit(by_hand::OWNER, &repository).await.unwrap());
    }
    for number in 0..COMMENTS {
        ids.push(feedback(&site, &format!("c{number}"), number + 1).await);
    }
    let mut redis = site.connection().await.unwrap();
    limit_memory(&mut redis, 1).await;

    let operator = format!("127.0.0.1:{}", hookme_tests::process::free_port().unwrap());
    let environment = [("OPERATOR_LISTEN", &*operator), ("GITHUB_WRITE_GAP", "0")];
    let worker = site.start_worker(&environment).unwrap();
    Site::ready(&worker).await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    // Each help that is refused is told once, not for each job.
    let log = worker.log();
    let told = log.lines().filter(|line| line.contains("WARN")).count();
    assert!(told <= TOLD_MAX, "{told} lines: {log}");
    for id in ids {
        let told = site.job(id).await.unwrap();
        assert_eq!(told.job.state, State::Succeeded, "{told:?}");
        assert_eq!(told.job.failures, 0, "{told:?}");
    }

    let new = json!({"username": "octocat", "repository": "new"});
    let refused = site.client.post_task(&new, None).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    let ready = reqwest::get(format!("http://{operator}/readyz"))
        .await
        .unwrap();
    assert_eq!(ready.status(), 200);
    assert!(ready.text().await.unwrap().contains("memory is full"));
    // It tries a write at most once a second.
    let told = eventually(PATIENCE, "a complaint", async || {
        let unready = look(&site).await;
        let complaint = unready.body["complaints"][0]["text"].as_str();
        let is_told = complaint.is_some_and(|text| text.contains("memory is full"));
        (unready.status == 503 && is_told)
            .then_some(())
            .ok_or(format!("{unready:?}"))
    });
    told.await.unwrap();

    limit_memory(&mut redis, 0).await;
    let taken = eventually(PATIENCE, "readiness", async || {
        let ready = look(&site).await;
        (ready.status == 200)
            .then_some(())
            .ok_or(format!("{ready:?}"))
    });
    taken.await.unwrap();
    site.submit("octocat", "new").await.unwrap();
}
