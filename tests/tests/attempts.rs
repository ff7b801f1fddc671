//! What is recorded of every attempt: when, by whom, in which step, how long it took,
//! and what GitHub or the receiver said.

#![cfg(test)]

use std::time::Duration;

use hookme_shared::job::JobId;
use hookme_shared::queue::HISTORY_MAX;
use hookme_tests::House;
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const ISSUES: &str = "/repos/octocat/hello/issues";

async fn house(flags: &[&str]) -> (House, ApiClient) {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let usual = ["--reschedule-interval=1", "--retry-max-attempts=1000"];
    house.worker(&[&usual[..], flags].concat()).await.unwrap();
    (house, api)
}

/// The history of a report about octocat/hello, once it has ended.
async fn history(house: &House, api: &ApiClient) -> (JobId, Vec<Value>) {
    let id = api.submit("octocat", "hello", None).await.unwrap();
    house.ended(id, PATIENCE).await.unwrap();
    let shown = api.show(id).await.unwrap();
    (id, shown.body["history"].as_array().unwrap().clone())
}

#[tokio::test]
async fn every_attempt_says_who_made_it_how_long_it_took_and_what_it_was_told() {
    let (house, api) = house(&[]).await;
    let words = format!(r#"{{"message": "\u001b[2J no {}"}}"#, "x".repeat(5_000));
    let broken = Fault::Status(500, vec![], words);
    house
        .github
        .script(ISSUES, vec![Fault::Html502, broken, Fault::DropConnection]);
    let slow = Answer::Slow(Duration::from_millis(120), 503);
    house
        .receiver
        .answer(vec![slow, Answer::CloseAfterReading, Answer::status(204)]);
    let (id, history) = history(&house, &api).await;

    let of = |member: &str| -> Vec<Value> {
        history.iter().map(|entry| entry[member].clone()).collect()
    };
    let retries = ["retry"; 5].into_iter().chain(["finish"]);
    assert_eq!(of("event"), retries.collect::<Vec<_>>(), "{history:?}");
    assert_eq!(of("attempt"), [1, 2, 3, 4, 5, 6]);
    let stages = ["fetch", "fetch", "fetch", "deliver", "deliver", "deliver"];
    assert_eq!(of("stage"), stages);
    let (some, none) = (Value::from, Value::Null);
    let statuses = [
        some(502),
        some(500),
        none.clone(),
        some(503),
        none,
        some(204),
    ];
    assert_eq!(of("status"), statuses, "{history:?}");

    let worker = house.job(id).await.unwrap().job.worker.unwrap();
    for entry in &history {
        assert_eq!(entry["worker"], Value::from(&*worker));
        assert!(
            entry["duration_ms"].is_u64() && entry["at"].is_string(),
            "{entry}"
        );
    }
    assert!(
        history[3]["duration_ms"].as_u64().unwrap() >= 120,
        "{history:?}"
    );
    let told = history[1]["text"].as_str().unwrap();
    assert!(told.len() < 400 && told.contains("no xxx"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told:?}");
}

#[tokio::test]
async fn only_the_newest_attempts_are_kept() {
    let (house, api) = house(&[]).await;
    let failures = HISTORY_MAX + 6;
    house.github.script(
        ISSUES,
        vec![Fault::Status(500, vec![], String::new()); failures],
    );
    // The base of the backoff is a millisecond, which doubles: so many take minutes.
    let id = api.submit("octocat", "hello", None).await.unwrap();
    let mut redis = house.redis().await.unwrap();
    let ended = hookme_tests::eventually(PATIENCE, "the end", async || {
        let job = house.job(id).await.map_err(|error| error.to_string())?;
        let lane = house.key("scheduled:fetch");
        let _moved: u64 = redis::cmd("ZADD")
            .arg(lane)
            .arg("XX")
            .arg(1)
            .arg(id.to_string())
            .query_async(&mut redis)
            .await
            .map_err(|error| error.to_string())?;
        let _woken: u64 = redis::cmd("LPUSH")
            .arg(house.key("wake"))
            .arg("due")
            .query_async(&mut redis)
            .await
            .map_err(|error| error.to_string())?;
        if job.job.state.is_live() {
            Err(format!("{} attempts", job.job.attempt))
        } else {
            Ok(job)
        }
    });
    let ended = ended.await.unwrap();
    // The one that succeeded stands beside them.
    assert_eq!(ended.history.len(), HISTORY_MAX + 1);
    let first = ended.history[0].attempt as usize;
    assert_eq!(first, failures + 1 - HISTORY_MAX);
}
