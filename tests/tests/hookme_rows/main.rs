//! What made the program before this one lose a task or send it twice ends well
//! here: each case of its observed behaviour, from the request to the webhook.

#![cfg(test)]

mod bodies;
mod clients;
mod github;
mod memory;
mod restarts;
mod slow;
mod tries;
mod wakeups;
mod webhook;

use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::queue::Explanation;
use hookme_tests::receiver::Delivery;
use hookme_tests::site::ApiClient;
use hookme_tests::{House, eventually};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);
const OWNER: &str = "octocat";
/// Retries that a test can wait for.
const QUICK: [&str; 2] = ["--reschedule-interval=20", "--retry-max-attempts=3"];

/// A house with an API that schedules at once, and one worker.
async fn house(flags: &[&str]) -> (House, ApiClient) {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    house.worker(flags).await.unwrap();
    (house, api)
}

async fn submit(api: &ApiClient, repository: &str) -> JobId {
    submit_later(api, repository, 0).await
}

/// Submits a task, again if a machine that is too busy makes the API say 503: with
/// the same key that is the same task.
async fn submit_later(api: &ApiClient, repository: &str, delay_ms: u64) -> JobId {
    let body = json!({"username": OWNER, "repository": repository, "delay_ms": delay_ms});
    let key = JobId::random().to_string();
    let taken = eventually(PATIENCE, "a task that is taken", async || {
        let answer = api.post_task(&body, Some(&key)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            202 => Ok(answer.id().unwrap()),
            503 => Err(format!("{answer:?}")),
            _ => panic!("{answer:?}"),
        }
    });
    taken.await.unwrap()
}

/// The job's end, which must be its success, and the only delivery so far.
async fn delivered(house: &House, id: JobId) -> (Explanation, Delivery) {
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Succeeded, "{ended:?}");
    let mut deliveries = house.receiver.deliveries();
    assert_eq!(deliveries.len(), 1, "{:?}", house.receiver.ids());
    (ended, deliveries.pop().unwrap())
}

/// The job's end, which must be death without a word to the webhook.
async fn dead(house: &House, id: JobId) -> Explanation {
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Dead, "{ended:?}");
    assert_eq!(house.receiver.count(), 0);
    ended
}

/// Why the last attempt ended as it did, in full.
fn last_words(seen: &Explanation) -> &str {
    &seen.history.last().unwrap().text
}
