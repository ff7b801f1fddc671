//! What is whose: a task belongs to the key that made it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use hookme_shared::job::{JobId, State};
use hookme_shared::queue::{LOOKS_MAX, Settlement, Work};
use hookme_tests::by_hand::{self, OWNER, REPOSITORY};
use hookme_tests::site::Answer;
use reqwest::Method;
use serde_json::json;

use super::{DESK, Door, OPS, SHOP, ask, assert_problem};

/// What can be done about a task.
fn deeds(id: JobId) -> [(Method, String); 3] {
    [
        (Method::GET, format!("/tasks/{id}")),
        (Method::DELETE, format!("/tasks/{id}")),
        (Method::POST, format!("/tasks/{id}/retry")),
    ]
}

async fn state(door: &Door, id: JobId) -> State {
    door.queue.explain(id).await.unwrap().unwrap().job.state
}

/// The ids on a page, and the path of the next.
fn page(answer: &Answer) -> (Vec<String>, Option<String>) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let tasks = answer.body["tasks"].as_array().unwrap();
    let ids = tasks
        .iter()
        .map(|task| task["id"].as_str().unwrap().to_owned());
    (
        ids.collect(),
        answer.body["next"].as_str().map(str::to_owned),
    )
}

/// All tasks that a key is shown from that path on, with how many pages they took.
async fn all(door: &Door, key: &str, path: &str) -> (BTreeSet<String>, usize) {
    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let (ids, following) = page(&door.get(key, &path).await);
        seen.extend(ids);
        (next, pages) = (following, pages + 1);
    }
    (seen, pages)
}

#[tokio::test]
async fn another_s_task_is_as_unknown_as_one_that_never_was() {
    let door = Door::with_keys(&[]).await;
    let (waiting, dead) = (
        door.submit(SHOP, "waiting").await,
        door.submit(SHOP, "dead").await,
    );
    let claimed = by_hand::claim(&door.queue, 2, 0).await.unwrap().jobs;
    for one in &claimed {
        let (reason, delay) = ("gone".to_owned(), std::time::Duration::ZERO);
        let ending = if one.job.id == dead {
            Settlement::Bury { reason }
        } else {
            Settlement::Defer { delay, reason }
        };
        door.queue
            .settle(one.job.id, &one.fence, &ending)
            .await
            .unwrap();
    }
    let nobody_s = door.enqueue(None, "nobody-s", Work::Report).await;
    let never = JobId::random();
    for id in [waiting, dead, nobody_s] {
        for ((method, path), (_, unknown)) in deeds(id).into_iter().zip(deeds(never)) {
            let foreign = ask(&door.clients, method.clone(), &path, Some(DESK), None).await;
            let unknown = ask(&door.clients, method.clone(), &unknown, Some(DESK), None).await;
            assert_problem(&foreign, 404, "unknown-task");
            assert_eq!(foreign.body, unknown.body, "{method} {path}");
            let names = |answer: &Answer| {
                answer
                    .headers
                    .keys()
                    .map(ToString::to_string)
                    .collect::<BTreeSet<_>>()
            };
            assert_eq!(names(&foreign), names(&unknown), "{method} {path}");
        }
    }
    assert_eq!(state(&door, waiting).await, State::Scheduled);
    assert_eq!(state(&door, nobody_s).await, State::Scheduled);
    assert_eq!(state(&door, dead).await, State::Dead);

    for (key, id) in [(SHOP, waiting), (OPS, nobody_s)] {
        let [show, cancel, _] = deeds(id);
        assert_eq!(
            ask(&door.clients, show.0, &show.1, Some(key), None)
                .await
                .status,
            200
        );
        assert_eq!(
            ask(&door.clients, cancel.0, &cancel.1, Some(key), None)
                .await
                .status,
            200
        );
    }
    let [show, _, retry] = deeds(dead);
    let shown = ask(&door.clients, show.0, &show.1, Some(OPS), None).await;
    assert_eq!(shown.body["owner"], "shop");
    assert_eq!(
        ask(&door.clients, retry.0, &retry.1, Some(SHOP), None)
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn a_list_shows_one_s_own_tasks_however_many_of_others_are_before_them() {
    let door = Door::with_keys(&[]).await;
    let others = 2 * LOOKS_MAX + 1;
    for first in (0..others).step_by(100) {
        let batch = first..others.min(first + 100);
        let door = &door;
        join_all(batch.map(async |n| {
            let repository = format!("r{n}");
            door.enqueue(Some("shop"), &repository, Work::Report).await
        }))
        .await;
    }
    let mut own = BTreeSet::new();
    for repository in ["a", "b", "c"] {
        own.insert(door.submit(DESK, repository).await.to_string());
    }
    let first = page(&door.get(DESK, "/tasks?limit=2").await);
    assert_eq!(first.0, Vec::<String>::new());
    assert!(
        first.1.is_some(),
        "a page that was not looked at to its end has a next"
    );
    let (seen, pages) = all(&door, DESK, "/tasks?limit=2").await;
    assert_eq!((seen, pages), (own, 4));

    let (seen, _) = all(&door, OPS, "/tasks?limit=100").await;
    assert_eq!(seen.len(), others + 3);
}

#[tokio::test]
async fn each_state_s_list_is_one_s_own() {
    let door = Door::with_keys(&[]).await;
    let mut made = Vec::new();
    for state in ["succeeded", "dead", "cancelled", "running", "scheduled"] {
        for (key, id) in [(SHOP, "shop"), (DESK, "desk")] {
            made.push((
                state,
                key,
                door.enqueue(Some(id), state, Work::Report).await,
            ));
        }
        let claimed = by_hand::claim(&door.queue, 2, 0).await.unwrap().jobs;
        let ids: Vec<_> = claimed
            .iter()
            .map(|one| (one.job.id, one.fence.clone()))
            .collect();
        match state {
            "succeeded" => drop(door.queue.finish(&ids, &[]).await.unwrap()),
            "running" => {}
            _ => {
                for (id, fence) in ids {
                    let reason = "x".to_owned();
                    let settlement = if state == "dead" {
                        Settlement::Bury { reason }
                    } else {
                        Settlement::Release { reason }
                    };
                    door.queue.settle(id, &fence, &settlement).await.unwrap();
                    if state == "cancelled" {
                        door.queue.cancel(id).await.unwrap();
                    }
                }
            }
        }
    }
    for (state, key, id) in made {
        let (ids, _) = page(&door.get(key, &format!("/tasks?state={state}")).await);
        assert_eq!(ids, [id.to_string()], "{state}");
    }
}

#[tokio::test]
async fn the_feedback_on_a_pull_request_is_its_owner_s_and_the_operator_s_to_see() {
    let door = Door::with_keys(&[]).await;
    let path = format!("/tasks?username={OWNER}&repository={REPOSITORY}&pull_request=4");
    let mut made = Vec::new();
    for owner in [Some("shop"), Some("desk"), None] {
        let work = by_hand::feedback(4, 1).unwrap();
        made.push(door.enqueue(owner, REPOSITORY, work).await.to_string());
    }
    assert_eq!(page(&door.get(SHOP, &path).await).0, made[..1]);
    assert_eq!(page(&door.get(DESK, &path).await).0, made[1..2]);
    let seen: BTreeSet<_> = page(&door.get(OPS, &path).await).0.into_iter().collect();
    assert_eq!(seen, made.into_iter().collect());
}

#[tokio::test]
async fn two_keys_may_ask_for_one_repository_with_one_idempotency_key() {
    let door = Door::with_keys(&[]).await;
    let body = json!({"username": OWNER, "repository": "hello"});
    let mut ids = BTreeSet::new();
    for key in [SHOP, DESK, OPS] {
        for _ in 0..2 {
            let request = door.clients.request(Method::POST, "/tasks");
            let request = request.header("authorization", format!("Bearer {key}"));
            let request = request
                .header("idempotency-key", "one")
                .header("content-type", "application/json");
            let answer = door
                .clients
                .send(request.body(body.to_string()))
                .await
                .unwrap();
            assert_eq!(answer.status, 202, "{answer:?}");
            ids.insert(answer.id().unwrap());
        }
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn where_the_keys_were_taken_away_everybody_sees_and_may_do_everything() {
    let door = Door::with_keys(&[]).await;
    let id = door.submit(SHOP, "hello").await;
    let open = Door::start(&door.namespace, &[]).await;
    let listed = ask(&open.clients, Method::GET, "/tasks", None, None).await;
    assert_eq!(page(&listed).0, [id.to_string()]);
    let [show, cancel, _] = deeds(id);
    assert_eq!(
        ask(&open.clients, show.0, &show.1, None, None).await.status,
        200
    );
    // A key that is not asked for does no harm.
    assert_eq!(open.get(SHOP, &format!("/tasks/{id}")).await.status, 200);
    assert_eq!(
        ask(&open.clients, cancel.0, &cancel.1, None, None)
            .await
            .status,
        200
    );

    // What is made without a key is no client's, once there are keys again.
    let nobody_s = ask(
        &open.clients,
        Method::POST,
        "/tasks",
        None,
        Some(&json!({"username": OWNER, "repository": "hello"})),
    )
    .await;
    let path = format!("/tasks/{}", nobody_s.id().unwrap());
    assert_eq!(door.get(SHOP, &path).await.status, 404);
    assert_eq!(door.get(OPS, &path).await.status, 200);
}
