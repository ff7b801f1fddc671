//! `POST /tasks/retry`: many dead tasks at once.

use std::collections::BTreeSet;

use hookme_shared::job::{JobId, State};
use hookme_shared::queue::{Settlement, Work};
use hookme_tests::by_hand;
use hookme_tests::site::Answer;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Door, OPS, ask, assert_problem};

/// Dead tasks of these owners for these repositories, for this reason.
async fn bury(door: &Door, tasks: &[(Option<&str>, String)], reason: &str) -> Vec<JobId> {
    let mut ids = Vec::new();
    for (owner, repository) in tasks {
        ids.push(door.enqueue(*owner, repository, Work::Report).await);
    }
    let claimed = by_hand::claim(&door.queue, tasks.len(), 0)
        .await
        .unwrap()
        .jobs;
    assert_eq!(claimed.len(), tasks.len());
    for one in claimed {
        let reason = reason.to_owned();
        let bury = Settlement::Bury { reason };
        door.queue
            .settle(one.job.id, &one.fence, &bury)
            .await
            .unwrap();
    }
    ids
}

fn numbered(count: usize) -> Vec<(Option<&'static str>, String)> {
    (0..count)
        .map(|n| (Some("shop"), format!("r{n}")))
        .collect()
}

async fn retry(door: &Door, body: &Value) -> Answer {
    ask(
        &door.clients,
        Method::POST,
        "/tasks/retry",
        Some(OPS),
        Some(body),
    )
    .await
}

fn ids(answer: &Answer) -> BTreeSet<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let retried = answer.body["retried"].as_array().unwrap();
    retried
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect()
}

fn texts(ids: &[JobId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

async fn dead(door: &Door) -> u64 {
    door.queue.counts().await.unwrap().dead
}

#[tokio::test]
async fn only_dead_tasks_that_fit_are_retried_whoever_s_they_are() {
    let door = Door::with_keys(&[]).await;
    let tasks = [
        (Some("shop"), "one".to_owned()),
        (Some("desk"), "two".to_owned()),
        (None, "three".to_owned()),
    ];
    let down = bury(&door, &tasks, "the webhook answered 503").await;
    let gone = bury(&door, &numbered(2), "the webhook answered 410").await;

    let nothing = retry(
        &door,
        &json!({"reason": "answered 503", "username": "somebody-else"}),
    )
    .await;
    assert_eq!(
        nothing.body,
        json!({"retried": [], "left": [], "next": null})
    );
    let answer = retry(&door, &json!({"reason": "answered 503"})).await;
    assert_eq!(ids(&answer), texts(&down));
    for id in down {
        assert_eq!(
            door.queue.explain(id).await.unwrap().unwrap().job.state,
            State::Scheduled
        );
    }
    assert_eq!(dead(&door).await, 2);
    let answer = retry(&door, &json!({"repository": "R1", "kind": "report"})).await;
    assert_eq!(ids(&answer), texts(&gone[1..]));
}

#[tokio::test]
async fn batches_go_on_where_the_last_one_ended_until_every_dead_task_was_looked_at() {
    let door = Door::with_keys(&[]).await;
    let all = bury(&door, &numbered(120), "x").await;
    let even: BTreeSet<_> = all.iter().step_by(2).map(ToString::to_string).collect();
    for (n, id) in all.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        assert!(door.queue.revive(*id).await.is_ok(), "{n}");
    }
    let claimed = by_hand::claim(&door.queue, 60, 0).await.unwrap().jobs;
    for one in claimed {
        let bury = Settlement::Bury {
            reason: "even".to_owned(),
        };
        door.queue
            .settle(one.job.id, &one.fence, &bury)
            .await
            .unwrap();
    }

    let (mut seen, mut calls, mut cursor) = (BTreeSet::new(), 0, Value::Null);
    loop {
        let answer = retry(
            &door,
            &json!({"reason": "even", "limit": 7, "cursor": cursor}),
        )
        .await;
        let retried = ids(&answer);
        assert!(retried.len() <= 7, "{answer:?}");
        assert!(retried.is_disjoint(&seen), "{answer:?}");
        seen.extend(retried);
        (cursor, calls) = (answer.body["next"].clone(), calls + 1);
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, even);
    assert!(calls >= 9, "{calls}");
    assert_eq!(dead(&door).await, 60);
}

#[tokio::test]
async fn one_call_looks_at_a_hundred_dead_tasks_and_no_more() {
    let door = Door::with_keys(&[]).await;
    let old = bury(&door, &[(None, "old".to_owned())], "old").await;
    bury(&door, &numbered(100), "new").await;
    let first = retry(&door, &json!({"reason": "old"})).await;
    assert!(ids(&first).is_empty());
    let cursor = &first.body["next"];
    assert!(cursor.is_string(), "{first:?}");
    let second = retry(&door, &json!({"reason": "old", "cursor": cursor})).await;
    assert_eq!(ids(&second), texts(&old));
}

#[tokio::test]
async fn what_cannot_be_retried_is_left_with_the_reason_and_the_rest_is_retried() {
    let door = Door::with_keys(&[("RATE_LIMIT_MAX_SIMULTANEOUS_JOBS", "2")]).await;
    let tasks = [
        (None, "held".to_owned()),
        (None, "free".to_owned()),
        (None, "crowd".to_owned()),
    ];
    let buried = bury(&door, &tasks, "x").await;
    let holder = door.enqueue(None, "held", Work::Report).await;
    let answer = retry(&door, &json!({})).await;
    let why: Vec<_> = answer.body["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| {
            (
                left["id"].as_str().unwrap().to_owned(),
                left["why"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let held = (
        buried[0].to_string(),
        format!("task {holder} does the same"),
    );
    assert!(why.contains(&held), "{why:?}");
    // There was room for one of the two others.
    assert_eq!((ids(&answer).len(), why.len()), (1, 2), "{answer:?}");
    assert!(
        why.iter().any(|(_, why)| why == "max simultaneous jobs"),
        "{why:?}"
    );
    assert_eq!(answer.body["next"], Value::Null);
    assert_eq!(dead(&door).await, 2);
}

#[tokio::test]
async fn a_filter_that_is_misspelt_retries_nothing() {
    let door = Door::with_keys(&[]).await;
    bury(&door, &numbered(1), "x").await;
    for body in [
        json!({"resaon": "y"}),
        json!([]),
        json!({"limit": 0}),
        json!({"cursor": "x"}),
        json!({"ended_after": "now"}),
    ] {
        assert_problem(&retry(&door, &body).await, 400, "invalid-request");
    }
    let untyped = door.clients.request(Method::POST, "/tasks/retry");
    let untyped = untyped.header("authorization", format!("Bearer {OPS}"));
    let untyped = untyped.header("content-type", "text/plain").body("{}");
    assert_problem(
        &door.clients.send(untyped).await.unwrap(),
        415,
        "content-type",
    );
    assert_eq!(dead(&door).await, 1);
}
