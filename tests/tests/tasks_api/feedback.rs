//! Feedback on a commit, the second kind of task: `POST /tasks` with all that it says,
//! and what a client sees of it.

mod looking;
mod meeting;
mod sizes;
mod taking;

use hookme_shared::feedback::Evaluation;
use hookme_shared::job::JobId;
use hookme_tests::House;
use hookme_tests::site::{Answer, ApiClient, live};
use redis::AsyncCommands;
use serde_json::{Value, json};

use super::get;

fn sha(digit: char) -> String {
    digit.to_string().repeat(40)
}

fn evaluation() -> Value {
    json!({
        "github_username": "student",
        "github_repository_name": "octocat/hello",
        "evaluations": [
            {"description": "It greets", "grade": 3, "seconds": 2},
            {"description": "It says — 👋", "grade": 1},
        ],
        "took_ms": 12,
    })
}

/// Feedback on the commit that is named by a digit.
fn feedback(commit: char) -> Value {
    json!({
        "kind": "feedback",
        "username": "octocat",
        "repository": "hello",
        "pull_request": 7,
        "commit": sha(commit),
        "evaluation": evaluation(),
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut body = feedback('a');
    body[member] = value;
    body
}

async fn post(api: &ApiClient, body: &Value) -> Answer {
    api.post_task(body, None).await.unwrap()
}

async fn taken(api: &ApiClient, body: &Value) -> JobId {
    let answer = post(api, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.id().unwrap()
}

async fn listed(api: &ApiClient, query: &str) -> Vec<Value> {
    let answer = get(api, &format!("/tasks?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["next"], Value::Null);
    answer.body["tasks"].as_array().unwrap().clone()
}

async fn count_live(house: &House) -> u64 {
    live(&house.queue.counts().await.unwrap())
}

async fn kept_evaluation(house: &House, id: JobId) -> Option<Evaluation> {
    let mut redis = house.redis().await.unwrap();
    let kept: Option<String> = redis
        .get(house.key(&format!("evaluation:{id}")))
        .await
        .unwrap();
    kept.map(|kept| serde_json::from_str(&kept).unwrap())
}
