//! The GitHub of our own when it is written to: comments, and what can go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookme_tests::GithubStandIn;
use hookme_tests::github::{Broken, Clock, Fault, GithubOptions, Limits, RepositorySpec};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{client, json};

const COMMENTS: &str = "/repos/octo/cat/issues/3/comments";

async fn github(limits: Option<Limits>) -> (GithubStandIn, Arc<AtomicU64>) {
    let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
    let clock = Clock::Virtual(Arc::clone(&now_ms));
    let options = GithubOptions {
        limits,
        clock,
        ..GithubOptions::default()
    };
    let github = GithubStandIn::start(options).await.unwrap();
    github.add_repository("octo", "cat", &RepositorySpec::default());
    (github, now_ms)
}

async fn post(github: &GithubStandIn, path: &str, text: &str) -> Response {
    let request = client()
        .post(format!("{}{path}", github.url()))
        .bearer_auth("t");
    let body = json!({ "body": text }).to_string();
    request.body(body).send().await.unwrap()
}

async fn list(github: &GithubStandIn, query: &str) -> Vec<String> {
    let url = format!("{}{COMMENTS}?{query}", github.url());
    let items: Vec<Value> = json(client().get(url).send().await.unwrap()).await;
    items
        .iter()
        .map(|item| item["body"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_comment_that_was_posted_can_be_listed() {
    let (github, now_ms) = github(None).await;
    github.add_token("t", 7);
    let created = post(&github, COMMENTS, "one").await;
    assert_eq!(created.status(), 201);
    assert!(created.headers().contains_key("location"));
    let created: Value = json(created).await;
    assert_eq!(
        (&created["body"], &created["user"]["id"]),
        (&json!("one"), &json!(7))
    );
    assert_eq!(created["created_at"], "2027-01-15T08:00:00Z");
    now_ms.fetch_add(1_000, Ordering::SeqCst);
    let id = json::<Value>(post(&github, COMMENTS, "two").await).await["id"].clone();
    assert_ne!(id, created["id"]);
    assert_eq!(list(&github, "").await, ["one", "two"]);
    assert_eq!(
        list(&github, "since=2027-01-15T08%3A00%3A01Z").await,
        ["two"]
    );
    assert_eq!(list(&github, "per_page=1&page=2").await, ["two"]);
    assert_eq!(github.comments("octo", "cat", 3), ["one", "two"]);
}

#[tokio::test]
async fn a_comment_needs_a_token_a_text_and_an_issue() {
    let (github, _) = github(None).await;
    let url = format!("{}{COMMENTS}", github.url());
    let nobody = client()
        .post(url)
        .body(r#"{"body":"a"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(post(&github, COMMENTS, " ").await.status(), 422);
    assert_eq!(
        post(&github, COMMENTS, &"é".repeat(65_537)).await.status(),
        422
    );
    assert_eq!(
        post(&github, COMMENTS, &"é".repeat(65_536)).await.status(),
        201
    );
    let absent = "/repos/octo/cat/issues/99/comments";
    assert_eq!(post(&github, absent, "a").await.status(), 404);
    assert_eq!(github.comments("octo", "cat", 3).len(), 1);
}

#[tokio::test]
async fn a_5xx_may_hide_that_the_comment_exists() {
    let (github, _) = github(None).await;
    let faults = vec![
        Fault::CreatedThen(502),
        Fault::Html502,
        Fault::DropConnection,
    ];
    github.script(COMMENTS, faults);
    assert_eq!(post(&github, COMMENTS, "hidden").await.status(), 502);
    assert_eq!(github.comments("octo", "cat", 3), ["hidden"]);
    assert_eq!(post(&github, COMMENTS, "lost").await.status(), 502);
    let request = client()
        .post(format!("{}{COMMENTS}", github.url()))
        .bearer_auth("t");
    assert!(request.body(r#"{"body":"cut"}"#).send().await.is_err());
    assert_eq!(list(&github, "").await, ["hidden"]);
}

#[tokio::test]
async fn too_much_content_is_refused_and_reading_goes_on() {
    let limits = Limits {
        content_per_minute: 1,
        ..Limits::default()
    };
    let (github, now_ms) = github(Some(limits)).await;
    assert_eq!(post(&github, COMMENTS, "one").await.status(), 201);
    let refused = post(&github, COMMENTS, "two").await;
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.status(), 403);
    let message = json::<Value>(refused).await["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .contains("blocked from content creation")
    );
    assert_eq!(list(&github, "").await, ["one"]);
    now_ms.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(post(&github, COMMENTS, "two").await.status(), 201);
    let expected = Broken {
        content_per_minute: 1,
        writes_too_close: 1,
        ..Broken::default()
    };
    assert_eq!(github.broken(), expected);
}
