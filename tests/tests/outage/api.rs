//! What clients are told while Redis is away.

use std::time::{Duration, Instant};

use hookme_tests::Site;
use hookme_tests::site::{Answer, SiteOptions, total};
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Outage, PATIENCE};

const CLIENTS: usize = 20;
/// The API promises 300 ms. A busy machine gets ten times that.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// Posts one task for each client, all at once; returns the answers and how long
/// the slowest took.
async fn post_all(site: &Site, prefix: &str) -> (Vec<Answer>, Duration) {
    let (started, mut clients) = (Instant::now(), JoinSet::new());
    for number in 0..CLIENTS {
        let (client, name) = (site.client.clone(), format!("{prefix}-{number}"));
        clients.spawn(async move {
            let body = json!({"username": "octocat", "repository": name});
            client.post_task(&body, Some(&name)).await.unwrap()
        });
    }
    let answers = clients.join_all().await;
    (answers, started.elapsed())
}

#[tokio::test]
async fn clients_get_503_soon_while_redis_is_away_and_their_repetitions_make_one_task_each() {
    let options = SiteOptions {
        workers: 0,
        ..SiteOptions::default()
    };
    let site = Site::start(options).await.unwrap();
    for (round, outage) in [Outage::Paused, Outage::Killed].into_iter().enumerate() {
        outage.begin(&site);
        // The first finds an open connection, the second knows already.
        for _ in 0..2 {
            let (answers, took) = post_all(&site, &format!("{outage:?}")).await;
            for answer in answers {
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            }
            assert!(took < ANSWERED_WITHIN, "{outage:?}: {took:?}");
        }
        outage.end(&site).await;

        hookme_tests::eventually(PATIENCE, "a 202 for everybody", async || {
            let (answers, _) = post_all(&site, &format!("{outage:?}")).await;
            let taken = |answer: &Answer| answer.status == StatusCode::ACCEPTED;
            if answers.iter().all(taken) {
                Ok(())
            } else {
                Err(format!("{answers:?}"))
            }
        })
        .await
        .unwrap();
        let counts = site.queue().await.unwrap().counts().await.unwrap();
        let tasks = CLIENTS * (round + 1);
        assert_eq!(
            total(&counts, "accepted"),
            tasks as u64,
            "{outage:?}: {counts:?}"
        );
    }
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}
