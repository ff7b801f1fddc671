//! The API's contract, over HTTP and with a real Redis behind it.
//!
//! Jobs are moved through the queue by hand where a test needs one in a certain
//! state: what workers do is tested elsewhere.

#![cfg(test)]

mod describing;
mod ending;
mod feedback;
mod health;
mod keys;
mod looking;
mod redis_away;
mod taking;

use std::time::Duration;

use hookme_shared::job::{Fence, JobId};
use hookme_shared::queue::{Queue, Settlement};
use hookme_tests::by_hand;
use hookme_tests::site::{Answer, ApiClient};
use reqwest::Method;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const PROBLEM_JSON: &str = "application/problem+json";

fn task(repository: &str) -> Value {
    json!({"username": "octocat", "repository": repository})
}

async fn get(api: &ApiClient, path: &str) -> Answer {
    api.send(api.request(Method::GET, path)).await.unwrap()
}

/// The answer as it is, for what is no JSON.
async fn text(api: &ApiClient, path: &str) -> (u16, String) {
    let response = api.request(Method::GET, path).send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// A refusal carries its status three times, its reason twice, and the way to
/// its description.
fn assert_problem(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(
        header(answer, "content-type"),
        Some(PROBLEM_JSON),
        "{answer:?}"
    );
    let body = &answer.body;
    assert_eq!(
        (&body["code"], &body["status"]),
        (&json!(status), &json!(status))
    );
    assert_eq!(body["error"], error, "{answer:?}");
    assert!(
        body["type"].as_str().unwrap().starts_with("/problems/"),
        "{answer:?}"
    );
    let told = [&body["title"], &body["detail"]];
    assert!(
        told.iter().all(|words| !words.as_str().unwrap().is_empty()),
        "{answer:?}"
    );
}

async fn submit(queue: &Queue, repository: &str) -> JobId {
    by_hand::submit(queue, repository, Duration::ZERO)
        .await
        .unwrap()
}

async fn claim(queue: &Queue, wanted: usize) -> Vec<(JobId, Fence)> {
    let claimed = by_hand::claim(queue, wanted, 0)
        .await
        .unwrap()
        .jobs
        .into_iter();
    claimed.map(|one| (one.job.id, one.fence)).collect()
}

async fn claim_one(queue: &Queue) -> (JobId, Fence) {
    claim(queue, 1).await.pop().unwrap()
}

/// A job that ended dead, for this reason.
async fn bury(queue: &Queue, repository: &str, reason: &str) -> JobId {
    let submitted = submit(queue, repository).await;
    let (id, fence) = claim_one(queue).await;
    assert_eq!(id, submitted);
    let reason = reason.to_owned();
    queue
        .settle(id, &fence, &Settlement::Bury { reason })
        .await
        .unwrap();
    id
}
