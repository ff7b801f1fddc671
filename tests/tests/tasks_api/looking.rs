//! `GET /tasks` and `GET /tasks/{id}`: where a task is and why.

use std::collections::BTreeSet;
use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::queue::{Clock, Queue, Settlement, Terms};
use hookme_tests::House;
use hookme_tests::site::ApiClient;
use redis::AsyncCommands;
use serde_json::{Value, json};

use super::{assert_problem, bury, claim, claim_one, get, submit, task};

#[tokio::test]
async fn a_scheduled_task_says_until_when_it_waits() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=60000"]).await.unwrap();
    let answer = api.post_task(&task("Hello"), None).await.unwrap();
    let shown = api.show(answer.id().unwrap()).await.unwrap();
    assert_eq!(shown.status, 200, "{shown:?}");
    let body = &shown.body;
    assert_eq!(body["id"], answer.body["id"]);
    assert_eq!(
        (&body["username"], &body["repository"]),
        (&json!("octocat"), &json!("Hello"))
    );
    assert_eq!(
        (&body["kind"], &body["state"], &body["stage"]),
        (&json!("report"), &json!("scheduled"), &json!("fetch"))
    );
    assert!(
        body["why"].as_str().unwrap().starts_with("waits until "),
        "{body}"
    );
    assert_eq!(body["until"], answer.body["due_at"]);
    assert_eq!(
        (&body["attempts"], &body["ahead"], &body["history"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert!(
        body["created_at"].as_str().unwrap() <= body["as_of"].as_str().unwrap(),
        "{body}"
    );
    assert!(
        body["as_of"].as_str().unwrap() < body["until"].as_str().unwrap(),
        "{body}"
    );
}

#[tokio::test]
async fn a_due_task_says_whether_anybody_can_take_it_and_how_many_are_before_it() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let first = api.submit("octocat", "first", None).await.unwrap();
    let why = async |id| api.show(id).await.unwrap().body["why"].clone();
    assert_eq!(why(first).await, "is due, but no worker is running");

    // A claim says that a worker exists; a renewal, that it lives.
    house
        .queue
        .renew("by-hand", &[("max_running_jobs", "1".to_owned())], &[])
        .await
        .unwrap();
    assert_eq!(
        why(first).await,
        "is due; a worker with a free permit takes it at once"
    );
    assert_eq!(claim_one(&house.queue).await.0, first);
    let second = api.submit("octocat", "second", None).await.unwrap();
    assert_eq!(
        why(second).await,
        "is due, and waits for a running job to end: as many as max_running_jobs allows (1) are running"
    );
    let mut redis = house.redis().await.unwrap();
    let () = redis
        .hset(house.key("settings"), "paused", "fetch")
        .await
        .unwrap();
    assert_eq!(
        why(second).await,
        "waits because the lane fetch is paused in the settings"
    );
}

#[tokio::test]
async fn a_running_task_says_who_holds_it_and_until_when() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = submit(&house.queue, "hello").await;
    claim_one(&house.queue).await;
    let body = api.show(id).await.unwrap().body;
    assert_eq!(
        (&body["state"], &body["worker"], &body["attempts"]),
        (&json!("running"), &json!("by-hand"), &json!(1))
    );
    assert!(
        body["why"]
            .as_str()
            .unwrap()
            .starts_with("runs on worker by-hand, whose lease ends "),
        "{body}"
    );
    assert!(
        body["started_at"].as_str().unwrap() < body["until"].as_str().unwrap(),
        "{body}"
    );
    assert_eq!(body["ended_at"], Value::Null);
}

#[tokio::test]
async fn a_task_tells_what_happened_to_it_in_each_attempt_and_why_it_died() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = submit(&house.queue, "hello").await;
    let (_, fence) = claim_one(&house.queue).await;
    let long = format!("the webhook answered 503: {}", "so sorry ".repeat(30));
    let retry = Settlement::Retry {
        delay: Duration::ZERO,
        reason: long.clone(),
    };
    house.queue.settle(id, &fence, &retry).await.unwrap();
    let (_, fence) = claim_one(&house.queue).await;
    let bury = Settlement::Bury {
        reason: "the webhook answered 410".to_owned(),
    };
    house.queue.settle(id, &fence, &bury).await.unwrap();

    let body = api.show(id).await.unwrap().body;
    assert_eq!(
        (&body["state"], &body["failures"], &body["attempts"]),
        (&json!("dead"), &json!(2), &json!(2))
    );
    assert_eq!(body["reason"], "the webhook answered 410");
    assert_eq!(body["why"], "ended as dead: the webhook answered 410");
    assert_eq!(body["until"], Value::Null);
    assert!(body["ended_at"].is_string(), "{body}");
    let told: Vec<_> = body["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            [
                &entry["attempt"],
                &entry["event"],
                &entry["worker"],
                &entry["text"],
            ]
            .map(Value::clone)
        })
        .collect();
    assert_eq!(
        told,
        [
            [json!(1), json!("retry"), json!("by-hand"), json!(long)],
            [
                json!(2),
                json!("bury"),
                json!("by-hand"),
                json!("the webhook answered 410")
            ],
        ]
    );
}

#[tokio::test]
async fn a_word_that_is_no_id_and_an_id_of_nobody_are_404() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let nobody = JobId::random().to_string();
    for id in ["1", "nonsense", "..%2f..", "%00", &nobody] {
        assert_problem(
            &get(&api, &format!("/tasks/{id}")).await,
            404,
            "no such task",
        );
    }
}

/// Jobs in every state whose scores are all the same, so that only their ids
/// tell them apart: the clock stands still.
async fn many_in_every_state(house: &House) -> [(State, BTreeSet<String>); 5] {
    house.set_clock(1_000_000).await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Virtual)
        .await
        .unwrap();
    let text = |ids: &[(JobId, _)]| {
        ids.iter()
            .map(|(id, _)| id.to_string())
            .collect::<BTreeSet<_>>()
    };
    let running = taken(&queue, "running", 120).await;
    let succeeded = taken(&queue, "succeeded", 120).await;
    queue.finish(&succeeded, &[]).await.unwrap();
    let dead = taken(&queue, "dead", 120).await;
    for (id, fence) in &dead {
        let reason = "why".to_owned();
        queue
            .settle(*id, fence, &Settlement::Bury { reason })
            .await
            .unwrap();
    }
    let mut cancelled = BTreeSet::new();
    for index in 0..120 {
        let id = submit(&queue, &format!("cancelled-{index}")).await;
        queue.cancel(id).await.unwrap();
        cancelled.insert(id.to_string());
    }
    // Half of those that wait stand in the second lane.
    let delivering = taken(&queue, "delivering", 60).await;
    let mut scheduled = text(&delivering);
    for (id, fence) in &delivering {
        queue.keep_report(*id, fence, b"bytes").await.unwrap();
        let reason = "why".to_owned();
        let retry = Settlement::Retry {
            delay: Duration::ZERO,
            reason,
        };
        queue.settle(*id, fence, &retry).await.unwrap();
    }
    for index in 0..60 {
        scheduled.insert(
            submit(&queue, &format!("fetching-{index}"))
                .await
                .to_string(),
        );
    }
    [
        (State::Scheduled, scheduled),
        (State::Running, text(&running)),
        (State::Succeeded, text(&succeeded)),
        (State::Dead, text(&dead)),
        (State::Cancelled, cancelled),
    ]
}

async fn taken(queue: &Queue, name: &str, jobs: usize) -> Vec<(JobId, hookme_shared::job::Fence)> {
    for index in 0..jobs {
        submit(queue, &format!("{name}-{index}")).await;
    }
    let claims = claim(queue, jobs).await;
    assert_eq!(claims.len(), jobs);
    claims
}

/// Every page from the first to the last, by the links that they carry.
async fn walk(api: &ApiClient, first: &str, limit: usize) -> Vec<Value> {
    let (mut next, mut tasks) = (Some(first.to_owned()), Vec::new());
    while let Some(path) = next {
        let page = get(api, &path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let shown = page.body["tasks"].as_array().unwrap();
        assert!(shown.len() <= limit, "{path}");
        assert!(
            page.body["next"].is_null() || shown.len() == limit,
            "{path}"
        );
        tasks.extend(shown.iter().cloned());
        next = page.body["next"].as_str().map(str::to_owned);
        assert!(tasks.len() < 1_000, "it never ends: {next:?}");
    }
    tasks
}

#[tokio::test]
async fn a_listing_shows_each_task_of_a_state_once_also_where_all_scores_are_equal() {
    let mut house = House::start().await.unwrap();
    let states = many_in_every_state(&house).await;
    let api = house.api(&[]).await.unwrap();
    for (state, expected) in &states {
        for limit in [100, 60, 7] {
            let tasks = walk(&api, &format!("/tasks?state={state}&limit={limit}"), limit).await;
            let ids: Vec<_> = tasks
                .iter()
                .map(|task| task["id"].as_str().unwrap().to_owned())
                .collect();
            assert!(
                tasks.iter().all(|task| task["state"] == state.as_str()),
                "{state}"
            );
            let mut ordered: Vec<_> = expected.iter().cloned().collect();
            if !state.is_live() {
                ordered.reverse();
            }
            assert_eq!(ids, ordered, "{state}, {limit} a page");
        }
    }
}

#[tokio::test]
async fn a_listing_has_the_soonest_first_and_the_newest_end_first() {
    let mut house = House::start().await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Virtual)
        .await
        .unwrap();
    let mut dead = Vec::new();
    for at_ms in [3_000_u64, 1_000, 2_000] {
        house.set_clock(at_ms).await.unwrap();
        let id = bury(&queue, &format!("r{at_ms}"), "why").await;
        dead.push((at_ms, id.to_string()));
    }
    dead.sort_unstable();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let ids = |tasks: Vec<Value>| {
        tasks
            .iter()
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let newest_first: Vec<_> = dead.into_iter().rev().map(|(_, id)| id).collect();
    assert_eq!(
        ids(walk(&api, "/tasks?state=dead&limit=2", 2).await),
        newest_first
    );

    let mut waiting = Vec::new();
    for delay_ms in [90_000, 10_000, 50_000] {
        let body =
            json!({"username": "o", "repository": format!("d{delay_ms}"), "delay_ms": delay_ms});
        waiting.push((
            delay_ms,
            api.post_task(&body, None)
                .await
                .unwrap()
                .id()
                .unwrap()
                .to_string(),
        ));
    }
    waiting.sort_unstable();
    let soonest_first: Vec<_> = waiting.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids(walk(&api, "/tasks?limit=2", 2).await), soonest_first);
}

#[tokio::test]
async fn an_empty_listing_is_a_page_without_a_next_one() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    for state in State::ALL {
        let page = get(&api, &format!("/tasks?state={state}")).await;
        assert_eq!(
            (page.status.as_u16(), page.body),
            (200, json!({"tasks": [], "next": null}))
        );
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_meant_is_400() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let limit = "parameter limit must be a whole number from 1 to 100";
    let state = "parameter state must be one of scheduled, running, succeeded, dead, cancelled";
    let cursor = "parameter cursor must be one that the page before gave";
    for (query, error) in [
        ("limit=0", limit),
        ("limit=101", limit),
        ("limit=many", limit),
        ("state=waiting", state),
        ("cursor=1", cursor),
        ("cursor=1-2", cursor),
        ("limit=1&limit=2", "the query cannot be read"),
    ] {
        assert_problem(&get(&api, &format!("/tasks?{query}")).await, 400, error);
    }
}
