//! Where results go: how receivers know them, places that clients name, and what
//! becomes of those that refuse.

#![cfg(test)]

mod gate;
mod gone;
mod origins;
mod permits;
mod private;
mod scopes;
mod signatures;
mod trouble;

use std::time::Duration;

use hookme_shared::job::JobId;
use hookme_tests::House;
use hookme_tests::site::ApiClient;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A house with an API that schedules at once, and one worker with these flags.
async fn house(flags: &[&str]) -> (House, ApiClient) {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    house.worker(flags).await.unwrap();
    (house, api)
}

/// Submits the task of a report, which is taken.
async fn submit(api: &ApiClient, task: Value) -> JobId {
    let answer = api.post_task(&task, None).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.id().unwrap()
}

/// The task of a report about this repository.
fn report(repository: &str) -> Value {
    json!({"username": "octocat", "repository": repository})
}
