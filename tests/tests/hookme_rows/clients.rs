//! Clients that leave early, come together or mean mischief.

use std::time::Duration;

use futures_util::future::join_all;
use hookme_shared::job::State;
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::restarts::Parts;
use super::{OWNER, PATIENCE, QUICK, house, submit};

/// Posts a task over a socket of its own, and is gone as soon as it has read that
/// it was taken.
async fn post_and_leave(address: &str, repository: &str) {
    let body = json!({"username": OWNER, "repository": repository}).to_string();
    let length = body.len();
    let request = format!(
        "POST /tasks HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Closing with the rest of the answer unread resets the connection.
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        match &status {
            // A machine that is too busy makes the API say 503. The task may have
            // been taken then, and is its own duplicate.
            b"HTTP/1.1 503" => {}
            b"HTTP/1.1 202" | b"HTTP/1.1 200" => return,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_with_the_answer_loses_nothing_right_after_a_start_either() {
    const BOOTS: usize = 3;
    const TASKS: usize = 6;
    let parts = Parts::start().await;
    let _worker = parts.worker(&[]).await;
    for boot in 0..BOOTS {
        let (api, address) = parts.api().await;
        let posts = (0..TASKS).map(|n| format!("r{boot}-{n}"));
        let posts = posts.map(async |repository| post_and_leave(&address, &repository).await);
        join_all(posts).await;
        api.kill().unwrap();
    }
    parts
        .receiver
        .wait_for(BOOTS * TASKS, PATIENCE)
        .await
        .unwrap();
    parts.all_ended().await;
    assert_eq!(
        (parts.receiver.count(), parts.receiver.distinct_ids()),
        (BOOTS * TASKS, BOOTS * TASKS)
    );
}

#[tokio::test]
async fn tasks_that_race_for_one_repository_are_one_delivery() {
    let (house, api) = house(&QUICK).await;
    // Slow enough that the whole race is over before the first is done.
    house
        .github
        .always("/repos", Fault::Delay(Duration::from_millis(500)));
    for round in 0..10 {
        let repository = format!("r{round}");
        let all = (0..20).map(|_| async {
            let body = json!({"username": OWNER, "repository": repository});
            api.post_task(&body, None).await.unwrap().id().unwrap()
        });
        let mut ids = join_all(all).await;
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
    let deliveries = house.receiver.wait_for(10, PATIENCE).await.unwrap();
    let counts = house.queue.counts().await.unwrap();
    assert_eq!((deliveries.len(), house.receiver.distinct_ids()), (10, 10));
    assert!(
        counts.totals.contains(&("accepted".to_owned(), 10)),
        "{counts:?}"
    );
}

#[tokio::test]
async fn a_task_posted_during_the_fetch_the_delivery_or_the_wait_is_a_duplicate() {
    let (house, api) = house(&["--reschedule-interval=500"]).await;
    house.github.script(
        "/repos/octocat/hello/issues",
        vec![Fault::Delay(Duration::from_millis(300))],
    );
    house
        .receiver
        .answer(vec![Answer::Slow(Duration::from_millis(300), 500)]);
    let id = submit(&api, "hello").await;
    let duplicate = async || {
        let body = json!({"username": OWNER, "repository": "hello"});
        let answer = api.post_task(&body, None).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.id().unwrap()),
            (200, id),
            "{answer:?}"
        );
    };
    house
        .github
        .wait_for("/repos/octocat/hello/issues", 1, PATIENCE)
        .await
        .unwrap();
    duplicate().await;
    house.receiver.wait_for(1, PATIENCE).await.unwrap();
    duplicate().await;
    house
        .job_when(id, PATIENCE, |seen| seen.job.failures == 1)
        .await
        .unwrap();
    duplicate().await;
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!((ended.job.state, ended.job.attempt), (State::Succeeded, 2));
    assert_eq!(
        (house.receiver.count(), house.github.count("/repos")),
        (2, 2)
    );
    assert_ne!(submit(&api, "hello").await, id);
}

#[tokio::test]
async fn running_and_waiting_tasks_count_against_the_limit_and_a_retry_needs_no_new_place() {
    let (mut house, _) = house(&["--reschedule-interval=300"]).await;
    let flags = [
        "--schedule-interval=0",
        "--rate-limit-max-simultaneous-jobs=1",
    ];
    let api = house.api(&flags).await.unwrap();
    house.github.script(
        "/repos/octocat/one/issues",
        vec![Fault::Delay(Duration::from_millis(300))],
    );
    house.receiver.answer(vec![Answer::status(500)]);
    let full = async || {
        let other = json!({"username": OWNER, "repository": "other"});
        assert_eq!(api.post_task(&other, None).await.unwrap().status, 429);
    };
    let id = submit(&api, "one").await;
    house
        .github
        .wait_for("/repos/octocat/one/issues", 1, PATIENCE)
        .await
        .unwrap();
    full().await;
    house
        .job_when(id, PATIENCE, |seen| seen.job.failures == 1)
        .await
        .unwrap();
    full().await;
    assert_eq!(
        house.ended(id, PATIENCE).await.unwrap().job.state,
        State::Succeeded
    );
    submit(&api, "other").await;
}

#[tokio::test]
async fn a_name_that_would_bend_an_address_is_refused_and_github_hears_nothing() {
    let (house, api) = house(&QUICK).await;
    for (username, repository) in [
        ("octocat", "../users/x?y="),
        ("octocat", ".."),
        ("octocat", "a/b"),
        ("octocat", "a%2fb"),
        ("octocat", "a#b"),
        ("octocat", "a\r\nX-Evil: 1"),
        ("octocat", "a\u{0}b"),
        ("octocat", "é"),
        ("..", "hello"),
        ("octocat/hello", "x"),
        ("", "hello"),
        ("o cat", "hello"),
    ] {
        let body = json!({"username": username, "repository": repository});
        let answer = api.post_task(&body, None).await.unwrap();
        assert_eq!(answer.status, 400, "{body}");
    }
    house
        .ended(submit(&api, "hello").await, PATIENCE)
        .await
        .unwrap();
    let asked: Vec<_> = house
        .github
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(
        house.github.count("/repos/octocat/hello") + house.github.count("/user"),
        4
    );
}
