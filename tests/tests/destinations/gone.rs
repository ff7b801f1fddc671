//! A receiver that wants no more: 410 Gone.

use std::time::Duration;

use hookme_shared::job::{JobId, Stage, State};
use hookme_shared::queue::{Revived, Settlement};
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;
use hookme_tests::{House, Receiver, by_hand, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATIENCE, house, report, submit};

const FLAGS: [&str; 2] = [
    "--webhook-allow-http=true",
    "--webhook-allowed-cidrs=127.0.0.0/8",
];

/// A house whose clients may name places on this machine, without a worker.
async fn open_house() -> (House, ApiClient) {
    let mut house = House::start().await.unwrap();
    let flags = [&FLAGS[..], &["--schedule-interval=0"]].concat();
    let api = house.api(&flags).await.unwrap();
    (house, api)
}

fn report_to(receiver: &Receiver, repository: &str, delay_ms: u64) -> Value {
    let mut task = report(repository);
    task["webhook_url"] = json!(format!("{}?key=1", receiver.url()));
    task["delay_ms"] = json!(delay_ms);
    task
}

async fn destinations(api: &ApiClient) -> Vec<Value> {
    let answer = api
        .send(api.request(Method::GET, "/destinations"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["destinations"].as_array().unwrap().clone()
}

async fn enable(api: &ApiClient, id: &str) -> u16 {
    let path = format!("/destinations/{id}/enable");
    api.send(api.request(Method::POST, &path))
        .await
        .unwrap()
        .status
        .as_u16()
}

#[tokio::test]
async fn what_waits_for_a_place_that_wants_no_more_is_dead_and_new_tasks_are_refused() {
    let (mut house, api) = open_house().await;
    let (gone, other) = (
        Receiver::start().await.unwrap(),
        Receiver::start().await.unwrap(),
    );
    gone.answer_always(Answer::status(410));
    let mut waiting = Vec::new();
    for number in 0..300 {
        let task = report_to(&gone, &format!("later-{number}"), 3_600_000);
        waiting.push(submit(&api, task).await);
    }
    let elsewhere = submit(&api, report_to(&other, "later", 3_600_000)).await;
    let by_default = submit(
        &api,
        json!({"username": "octocat", "repository": "later", "delay_ms": 3_600_000}),
    )
    .await;
    let first = submit(&api, report_to(&gone, "first", 0)).await;
    house.worker(&FLAGS).await.unwrap();

    let ended = house.ended(first, PATIENCE).await.unwrap();
    let reason = "the webhook answered 410 (gone: it wants no more deliveries)";
    assert_eq!(ended.job.state, State::Dead);
    assert_eq!(ended.history.last().unwrap().text, reason);
    for id in waiting {
        let seen = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!((seen.job.state, seen.job.failures), (State::Dead, 0));
        assert_eq!(seen.history.last().unwrap().text, reason);
    }
    for id in [elsewhere, by_default] {
        assert_eq!(house.job(id).await.unwrap().job.state, State::Scheduled);
    }
    assert_eq!(gone.count(), 1);

    let refused = api
        .post_task(&report_to(&gone, "new", 0), None)
        .await
        .unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.body["type"], "/problems/destination-disabled");
    assert!(matches!(
        house.queue.revive(first).await.unwrap(),
        Revived::Disabled { .. }
    ));
    assert_eq!(api.revive(first).await.unwrap().status, 409);
    submit(&api, report_to(&other, "new", 0)).await;

    let known = destinations(&api).await;
    let one = known
        .iter()
        .find(|one| one["url"] == json!(gone.url()))
        .unwrap();
    assert!(one["disabled_at"].is_string(), "{one}");
    assert_eq!(one["reason"], json!(reason));
    assert_eq!(one["origin"]["state"], "closed");

    gone.answer_always(Answer::status(200));
    let id = one["id"].as_str().unwrap();
    assert_eq!(enable(&api, id).await, 200);
    assert_eq!(enable(&api, id).await, 200);
    for unknown in [
        "0123456789abcdef0123456789abcdef",
        "default2",
        "a%3Ab",
        &"a".repeat(33),
    ] {
        assert_eq!(enable(&api, unknown).await, 404, "{unknown}");
    }
    assert_eq!(api.revive(first).await.unwrap().status, 202);
    let ended = house.ended(first, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Succeeded);
}

#[tokio::test]
async fn the_operators_webhook_is_disabled_too_and_its_new_url_is_another_place() {
    let (mut house, api) = house(&FLAGS).await;
    house.receiver.answer_always(Answer::status(410));
    let id = submit(&api, report("first")).await;
    house.ended(id, PATIENCE).await.unwrap();
    let refused = api.post_task(&report("second"), None).await.unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(destinations(&api).await[0]["id"], "default");

    // A worker that starts with the same URL, whatever its query, changes nothing.
    let same = format!("--webhook-url={}?again=1", house.receiver.url());
    house.worker(&[&same]).await.unwrap();
    assert_eq!(
        api.post_task(&report("second"), None).await.unwrap().status,
        409
    );
    let moved = Receiver::start().await.unwrap();
    let elsewhere = format!("--webhook-url={}", moved.url());
    house.worker(&[&elsewhere]).await.unwrap();
    assert_eq!(
        api.post_task(&report("second"), None).await.unwrap().status,
        202
    );
}

/// A job that no sweep saw, because it was running or its worker died, learns of it
/// before anything is sent.
#[tokio::test]
async fn a_job_that_was_running_meanwhile_is_not_sent_any_more() {
    let (mut house, api) = open_house().await;
    let gone = Receiver::start().await.unwrap();
    gone.answer(vec![Answer::status(410)]);
    let held = submit(&api, report_to(&gone, "held", 0)).await;
    let claimed = by_hand::claim(&house.queue, 1, 0)
        .await
        .unwrap()
        .jobs
        .remove(0);
    assert_eq!(claimed.job.id, held);
    let first = submit(&api, report_to(&gone, "first", 0)).await;
    house.worker(&FLAGS).await.unwrap();
    house.ended(first, PATIENCE).await.unwrap();
    let back = Settlement::Release {
        reason: "it stops".to_owned(),
    };
    house
        .queue
        .settle(held, &claimed.fence, &back)
        .await
        .unwrap();
    let ended = house.ended(held, PATIENCE).await.unwrap();
    let reason = &ended.history.last().unwrap().text;
    assert_eq!(ended.job.state, State::Dead);
    assert!(
        reason.starts_with("its destination is disabled: the webhook answered 410"),
        "{reason}"
    );
    assert_eq!(gone.count(), 1);
}

#[tokio::test]
async fn feedback_that_has_its_comment_still_to_make_is_spared() {
    let (mut house, api) = house(&["--api-token=token"]).await;
    let later = Duration::from_secs(3_600);
    let spared = by_hand::submit_feedback(&house.queue, 7, 1, later)
        .await
        .unwrap();
    let buried = by_hand::submit(&house.queue, "later", later).await.unwrap();
    house.receiver.answer_always(Answer::status(410));
    submit(&api, report("first")).await;
    house.ended(buried, PATIENCE).await.unwrap();
    let stages = eventually(PATIENCE, "the end of the sweep", async || {
        let counts = house
            .queue
            .counts()
            .await
            .map_err(|error| error.to_string())?;
        let is_done = counts.scheduled.contains(&(Stage::Fetch, 0));
        if is_done {
            Ok(counts.scheduled)
        } else {
            Err(format!("{counts:?}"))
        }
    });
    assert!(stages.await.unwrap().contains(&(Stage::Grade, 1)));
    assert_eq!(state(&mut house, spared).await, State::Scheduled);
}

async fn state(house: &mut House, id: JobId) -> State {
    house.job(id).await.unwrap().job.state
}
