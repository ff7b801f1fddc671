//! The whole system works with users that may do little.

use std::collections::BTreeMap;

use hookme_tests::by_hand::{OWNER, REPOSITORY, sha};
use hookme_tests::receiver::Answer;
use hookme_tests::site::SiteOptions;
use hookme_tests::{Site, eventually};
use redis::Value as Reply;
use reqwest::Method;
use serde_json::{Value, json};

use super::PATIENCE;
use super::users::{Guarded, queue, send};

/// A site whose programs have users of their own; GitHub is paced and answers are kept.
async fn guarded_site() -> Site {
    let guarded = Guarded::start().await;
    let deploy = queue(guarded.url_of("hookme_deploy"));
    deploy.load_functions().await.unwrap();
    deploy.load_functions_for_people().await.unwrap();
    let users = ["hookme_api", "hookme_worker"].map(|user| guarded.url_of(user));
    let options = SiteOptions {
        workers: 2,
        redis_urls: Some(users),
        ..SiteOptions::default()
    };
    let options = options
        .with("API_TOKEN", "token")
        .with("GITHUB_READ_GAP", "5")
        .with("GITHUB_WRITE_GAP", "5")
        .with("GITHUB_IN_FLIGHT", "1")
        .with("GITHUB_CACHE_MAX_BYTES", "1000000")
        .with("JOBS_PER_INTERVAL", "1000");
    Site::start_on(guarded.redis, options).await.unwrap()
}

fn feedback(commit: &str) -> Value {
    let requirement = json!({"description": "The page has a title", "grade": 3});
    json!({
        "kind": "feedback", "username": OWNER, "repository": REPOSITORY, "pull_request": 4,
        "commit": commit,
        "evaluation": {"github_username": "student", "evaluations": [requirement]},
    })
}

/// Asks for what is not a task, and returns what is answered.
async fn ask(site: &Site, method: Method, path: &str) -> String {
    let request = site.client.request(method, path);
    let answer = site.client.send(request).await.unwrap();
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer.body.to_string()
}

#[tokio::test]
async fn reports_and_feedback_go_end_to_end_and_redis_denies_only_a_look_at_its_configuration() {
    let site = guarded_site().await;
    site.receiver.answer_always(Answer::status(500));
    for repository in ["one", "two", REPOSITORY] {
        site.submit(OWNER, repository).await.unwrap();
    }
    // A failed delivery, a kept report, a worker that dies, and one that takes over.
    eventually(PATIENCE, "a delivery that fails", async || {
        match site.receiver.deliveries().len() {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    site.workers[0].kill().unwrap();
    site.receiver.answer_always(Answer::status(200));
    for number in 1..=2 {
        let answer = site.client.post_task(&feedback(&sha(number)), None).await;
        assert_eq!(answer.unwrap().status.as_u16(), 202);
    }
    // A client that looks, cancels and asks again.
    let late = json!({"username": OWNER, "repository": "late", "delay_ms": 3_600_000});
    let late = site.client.post_task(&late, Some("a-key")).await.unwrap();
    let path = format!("/tasks/{}", late.id().unwrap());
    for (method, path) in [
        (Method::GET, &*path),
        (Method::DELETE, &*path),
        (Method::GET, "/tasks?state=cancelled"),
        (
            Method::GET,
            "/tasks?username=octocat&repository=hello-world&pull_request=4",
        ),
        (Method::GET, "/readyz"),
        (Method::GET, "/metrics"),
    ] {
        ask(&site, method, path).await;
    }
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert!(counts.running == 0, "{counts:?}");
    assert!(!site.github.comments(OWNER, REPOSITORY, 4).is_empty());
    site.workers[1].terminate().unwrap();
    site.workers[1].wait(PATIENCE).await.unwrap();
    // Redis writes down whatever it denies.
    let mut admin = site.connection().await.unwrap();
    let denied = send(&mut admin, "ACL LOG").await.unwrap();
    let denied: Vec<BTreeMap<String, Reply>> = redis::from_redis_value(denied).unwrap();
    let config = Reply::BulkString(b"config|get".to_vec());
    let others: Vec<_> = denied
        .iter()
        .filter(|denial| denial["object"] != config)
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let left = site.left_over_keys().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}
