//! `DELETE /tasks/{id}` and `POST /tasks/{id}/retry`.

use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::queue::{Clock, QueueError, Settlement, Terms};
use hookme_tests::House;
use hookme_worker::handle::{Attempt, Handle};
use reqwest::Method;
use serde_json::json;

use super::{PATIENCE, assert_problem, bury, claim_one, header, submit, task};

/// Never gets done by itself.
struct Endless;

impl Handle for Endless {
    async fn handle(&self, _: Attempt) -> Result<Option<Settlement>, QueueError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn cancelling_a_scheduled_task_ends_it_at_once_and_only_once() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = api.submit("octocat", "hello", None).await.unwrap();
    let answer = api.cancel(id).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body,
        json!({"ok": "task cancelled", "id": id.to_string(), "state": "cancelled"})
    );
    assert_eq!(house.job(id).await.unwrap().job.state, State::Cancelled);
    assert_problem(
        &api.cancel(id).await.unwrap(),
        409,
        "the task is cancelled already",
    );
    // The repository is free again.
    assert_ne!(api.submit("octocat", "hello", None).await.unwrap(), id);
}

#[tokio::test]
async fn cancelling_a_running_task_asks_its_worker_which_then_lets_go() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let lease = Duration::from_millis(1_500);
    let launch = house
        .launch_of(
            "endless",
            Terms {
                lease,
                ..Terms::default()
            },
            Clock::Redis,
        )
        .unwrap();
    house.launch(launch, Endless).await.unwrap();
    let id = api.submit("octocat", "hello", None).await.unwrap();
    house
        .job_when(id, PATIENCE, |seen| seen.job.state == State::Running)
        .await
        .unwrap();

    let answer = api.cancel(id).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.body["state"], "running");
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!((ended.job.state, ended.job.failures), (State::Cancelled, 0));
    assert_eq!(ended.job.reason.as_deref(), Some("cancelled by request"));
}

#[tokio::test]
async fn a_running_task_that_is_asked_to_stop_says_so() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = submit(&house.queue, "hello").await;
    claim_one(&house.queue).await;
    for _ in 0..2 {
        assert_eq!(api.cancel(id).await.unwrap().status, 202);
    }
    let body = api.show(id).await.unwrap().body;
    assert_eq!(body["cancel_requested"], true);
    assert!(
        body["why"]
            .as_str()
            .unwrap()
            .ends_with("; its worker is asked to cancel it"),
        "{body}"
    );
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let dead = bury(&house.queue, "dead", "why").await;
    let succeeded = submit(&house.queue, "succeeded").await;
    house
        .queue
        .finish(&[claim_one(&house.queue).await], &[])
        .await
        .unwrap();
    assert_problem(
        &api.cancel(dead).await.unwrap(),
        409,
        "the task is dead already",
    );
    assert_problem(
        &api.cancel(succeeded).await.unwrap(),
        409,
        "the task is succeeded already",
    );
    assert_eq!(house.job(dead).await.unwrap().job.state, State::Dead);
}

#[tokio::test]
async fn what_is_not_there_can_be_neither_cancelled_nor_retried() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let nobody = JobId::random();
    assert_problem(&api.cancel(nobody).await.unwrap(), 404, "no such task");
    assert_problem(&api.revive(nobody).await.unwrap(), 404, "no such task");
    for (method, path) in [
        (Method::DELETE, "/tasks/x"),
        (Method::POST, "/tasks/x/retry"),
    ] {
        let answer = api.send(api.request(method, path)).await.unwrap();
        assert_problem(&answer, 404, "no such task");
    }
}

#[tokio::test]
async fn a_dead_task_is_retried_at_once_with_its_failures_forgotten() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let id = bury(&house.queue, "hello", "why").await;
    let answer = api.revive(id).await.unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(header(&answer, "location"), Some(&*format!("/tasks/{id}")));
    assert_eq!(
        (answer.id().unwrap(), &answer.body["state"]),
        (id, &json!("scheduled"))
    );
    let seen = house.job(id).await.unwrap();
    assert_eq!((seen.job.failures, seen.job.reason), (0, None));
    assert!(seen.job.due_ms <= seen.now_ms);
    let events: Vec<_> = seen.history.iter().map(|entry| &*entry.event).collect();
    assert_eq!(events, ["bury", "revive"]);
    // It has its repository again, and is claimed like any other.
    assert_eq!(
        api.post_task(&task("hello"), None)
            .await
            .unwrap()
            .id()
            .unwrap(),
        id
    );
    assert_eq!(claim_one(&house.queue).await.0, id);
}

#[tokio::test]
async fn only_a_dead_task_can_be_retried() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let id = api.submit("octocat", "hello", None).await.unwrap();
    assert_problem(
        &api.revive(id).await.unwrap(),
        409,
        "the task is scheduled, not dead",
    );
    let claim = claim_one(&house.queue).await;
    assert_problem(
        &api.revive(id).await.unwrap(),
        409,
        "the task is running, not dead",
    );
    house.queue.finish(&[claim], &[]).await.unwrap();
    assert_problem(
        &api.revive(id).await.unwrap(),
        409,
        "the task is succeeded, not dead",
    );
    let other = api.submit("octocat", "other", None).await.unwrap();
    api.cancel(other).await.unwrap();
    assert_problem(
        &api.revive(other).await.unwrap(),
        409,
        "the task is cancelled, not dead",
    );
}

#[tokio::test]
async fn a_dead_task_whose_repository_is_taken_is_told_by_whom() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let dead = bury(&house.queue, "hello", "why").await;
    let holder = api.submit("OctoCat", "Hello", None).await.unwrap();
    let refused = api.revive(dead).await.unwrap();
    assert_problem(&refused, 409, &format!("task {holder} does the same"));
    assert_eq!(refused.body["holder"], holder.to_string());
    assert_eq!(house.job(dead).await.unwrap().job.state, State::Dead);
    api.cancel(holder).await.unwrap();
    assert_eq!(api.revive(dead).await.unwrap().status, 202);
}

#[tokio::test]
async fn a_retry_does_not_get_past_the_limit_of_live_tasks() {
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&["--rate-limit-max-simultaneous-jobs=1"])
        .await
        .unwrap();
    let dead = bury(&house.queue, "hello", "why").await;
    let live = api.submit("octocat", "other", None).await.unwrap();
    let refused = api.revive(dead).await.unwrap();
    assert_problem(&refused, 429, "max simultaneous jobs");
    assert!(
        header(&refused, "retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    api.cancel(live).await.unwrap();
    assert_eq!(api.revive(dead).await.unwrap().status, 202);
}
