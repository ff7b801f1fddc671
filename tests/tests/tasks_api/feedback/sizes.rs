//! How large feedback may be, and how much of it may come at once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_tests::House;
use reqwest::Method;
use serde_json::json;

use super::super::assert_problem;
use super::{count_live, evaluation, feedback, kept_evaluation, post, taken};

#[tokio::test]
async fn an_evaluation_of_a_hundred_thousand_letters_fits_also_in_base64() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let mut long = evaluation();
    long["evaluations"][0]["description"] = json!("👋".repeat(100_000));
    let packed = STANDARD.encode(long.to_string());
    for (commit, evaluation) in [('a', long), ('b', json!(packed))] {
        let mut body = feedback(commit);
        body["evaluation"] = evaluation;
        let id = taken(&api, &body).await;
        let kept = kept_evaluation(&house, id).await.unwrap();
        assert_eq!(kept.requirements[0].description.chars().count(), 100_000);
    }
}

#[tokio::test]
async fn feedback_of_a_mebibyte_is_taken_and_of_a_byte_more_is_not() {
    const MEBIBYTE: usize = 1_024 * 1_024;
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let mut body = feedback('a');
    body["evaluation"]["evaluations"][0]["description"] = json!("");
    let padding = MEBIBYTE - body.to_string().len();
    for (more, status) in [(1, 413), (0, 202)] {
        let text = "x".repeat(padding + more);
        body["evaluation"]["evaluations"][0]["description"] = json!(text);
        assert_eq!(body.to_string().len(), MEBIBYTE + more);
        let answer = post(&api, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 413 {
            assert_problem(&answer, 413, "the body is longer than 1048576 bytes");
            assert_eq!(count_live(&house).await, 0);
        }
    }
}

#[tokio::test]
async fn large_bodies_are_all_taken_however_many_come_at_once() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let tasks = (1..=100).map(|pull_request| {
        let mut body = feedback('a');
        body["pull_request"] = json!(pull_request);
        body["evaluation"]["evaluations"][0]["description"] = json!("x".repeat(20_000));
        let request = api.request(Method::POST, "/tasks").body(body.to_string());
        api.send(request.header("content-type", "application/json"))
    });
    let answers = futures_util::future::join_all(tasks).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    assert_eq!(count_live(&house).await, 100);
}
