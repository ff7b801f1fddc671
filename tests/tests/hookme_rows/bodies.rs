//! What the webhook gets: the same bytes as ever, and more headers.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;

use super::{PATIENCE, QUICK, delivered, house, submit};

/// What GitHub sends, with fields that nobody asked for.
const ISSUES: &str = r#"[
    {"id": 1, "title": "Bug \"q\" é 😀 </script>", "user": {"login": "octo", "id": 7}, "body": "b",
     "labels": [{"id": 9, "name": "bug", "color": "f00", "default": true, "description": null}]},
    {"id": 2, "title": null, "user": null, "labels": null}
]"#;
const CONTRIBUTORS: &str = r#"[
    {"id": 7, "login": "octo", "contributions": 32}, {"id": 8, "login": "ann", "contributions": 2}
]"#;

/// A label stands as GitHub sent it, to the byte.
const BODY: &str = concat!(
    r#"{"contributors":[{"name":"Name octo","qtd_commits":32,"user":"octo"},{"name":"ann","qtd_commits":2,"user":"ann"}],"#,
    r#""issues":[{"author":"octo","labels":[{"id": 9, "name": "bug", "color": "f00", "default": true, "description": null}],"title":"Bug \"q\" é 😀 </script>"},"#,
    r#"{"author":null,"labels":null,"title":null}],"repository":"R.x","user":"Rich"}"#,
);

#[tokio::test]
async fn the_body_is_what_it_always_was() {
    let (house, api) = house(&QUICK).await;
    let list = |body: &str| vec![Fault::Status(200, Vec::new(), body.to_owned())];
    house.github.script("/repos/rich/r.x/issues", list(ISSUES));
    house
        .github
        .script("/repos/rich/r.x/contributors", list(CONTRIBUTORS));
    let account = |name: &str| list(&format!(r#"{{"id": 7, "login": "octo", "name": {name}}}"#));
    house.github.script("/user/7", account(r#""Name octo""#));
    house.github.script(
        "/user/8",
        list(r#"{"id": 8, "login": "ann", "name": null}"#),
    );
    let id = api.submit("Rich", "R.x", None).await.unwrap();
    let (_, delivery) = delivered(&house, id).await;
    assert_eq!(String::from_utf8_lossy(&delivery.body), BODY);
}

#[tokio::test]
async fn a_repository_with_nothing_in_it_is_the_shortest_body() {
    let (house, api) = house(&QUICK).await;
    for list in ["issues", "contributors"] {
        let nothing = Fault::Status(200, Vec::new(), "[]".to_owned());
        house
            .github
            .script(&format!("/repos/octocat/empty/{list}"), vec![nothing]);
    }
    let (_, delivery) = delivered(&house, submit(&api, "empty").await).await;
    let body = r#"{"contributors":[],"issues":[],"repository":"empty","user":"octocat"}"#;
    assert_eq!(String::from_utf8_lossy(&delivery.body), body);
}

#[tokio::test]
async fn a_delivery_names_the_task_the_time_and_its_sender() {
    let (house, api) = house(&QUICK).await;
    let id = submit(&api, "hello").await;
    let (ended, delivery) = delivered(&house, id).await;
    assert_eq!(delivery.id(), Some(&*id.to_string()));
    assert_eq!(delivery.header("content-type"), Some("application/json"));
    assert!(
        delivery
            .header("user-agent")
            .unwrap()
            .starts_with("hookme/"),
        "{delivery:?}"
    );
    assert_eq!(
        delivery.header("content-length"),
        Some(&*delivery.body.len().to_string())
    );
    let at_s: u64 = delivery
        .header("webhook-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    let (started_ms, ended_ms) = (ended.job.started_ms.unwrap(), ended.job.ended_ms.unwrap());
    assert!(
        (started_ms / 1_000..=ended_ms / 1_000).contains(&at_s),
        "{at_s} {ended:?}"
    );
    assert_eq!(delivery.target, "/webhook");
}

#[tokio::test]
async fn a_webhook_that_fails_twice_gets_the_same_bytes_thrice_and_github_is_asked_once() {
    let (house, api) = house(&QUICK).await;
    house
        .receiver
        .answer(vec![Answer::status(500), Answer::status(500)]);
    let id = submit(&api, "hello").await;
    let deliveries = house.receiver.wait_for(3, PATIENCE).await.unwrap();
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!(
        (ended.job.state, ended.job.failures, ended.job.bodies),
        (State::Succeeded, 2, 1)
    );
    for delivery in &deliveries {
        assert_eq!(delivery.id(), Some(&*id.to_string()));
        assert_eq!(delivery.body, deliveries[0].body);
    }
    assert_eq!(house.github.requests().len(), 4);
    assert_eq!(house.receiver.count(), 3);
}

#[tokio::test]
async fn a_report_that_got_too_old_is_fetched_again_and_has_an_id_of_its_own() {
    let flags = ["--reschedule-interval=200", "--report-max-age=50"];
    let (house, api) = house(&flags).await;
    house.receiver.answer(vec![Answer::status(500)]);
    let id = submit(&api, "hello").await;
    house.receiver.wait_for(2, PATIENCE).await.unwrap();
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!((ended.job.state, ended.job.bodies), (State::Succeeded, 2));
    assert_eq!(house.receiver.ids(), [id.to_string(), format!("{id}-2")]);
    assert_eq!(house.github.count("/repos"), 4);
    house.receiver.one_body_per_id().unwrap();
    assert_eq!(house.queue.counts().await.unwrap().report_bytes, 0);
}

#[tokio::test]
async fn a_report_that_there_is_no_room_for_is_delivered_all_the_same() {
    let flags = [QUICK[0], "--reports-max-bytes=0"];
    let (house, api) = house(&flags).await;
    house.receiver.answer(vec![Answer::status(500)]);
    let id = submit(&api, "hello").await;
    house.receiver.wait_for(2, PATIENCE).await.unwrap();
    assert_eq!(
        house.ended(id, PATIENCE).await.unwrap().job.state,
        State::Succeeded
    );
    assert_eq!(house.receiver.ids(), [id.to_string(), format!("{id}-2")]);
    assert_eq!(house.github.count("/repos"), 4);
}

#[tokio::test]
async fn a_report_larger_than_may_be_sent_ends_the_task_and_says_so() {
    let (house, api) = house(&["--report-max-bytes=100"]).await;
    let ended = super::dead(&house, submit(&api, "hello").await).await;
    let words = super::last_words(&ended);
    assert!(
        words.ends_with(" bytes, more than REPORT_MAX_BYTES (100) allows"),
        "{words}"
    );
}

#[tokio::test]
async fn a_kept_report_is_gone_when_its_task_has_ended() {
    let (house, api) = house(&["--reschedule-interval=100000"]).await;
    house.receiver.answer_always(Answer::status(500));
    let id = submit(&api, "hello").await;
    let waits = house
        .job_when(id, PATIENCE, |seen| seen.job.failures == 1)
        .await
        .unwrap();
    assert!(waits.job.has_report);
    assert!(house.queue.counts().await.unwrap().report_bytes > 0);
    assert_eq!(api.cancel(id).await.unwrap().status, 200);
    assert_eq!(house.queue.counts().await.unwrap().report_bytes, 0);
    let wait = Duration::from_millis(waits.job.due_ms - waits.history[0].at_ms);
    assert!((100.0..=125.0).contains(&wait.as_secs_f64()), "{wait:?}");
}
