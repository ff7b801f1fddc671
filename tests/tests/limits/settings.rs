//! Limits and the pause, changed while everything runs.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_shared::queue::{Clock, Limits, Next, Queue, Terms};
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;
use hookme_tests::{House, by_hand};
use redis::AsyncCommands;
use serde_json::json;

use super::{PATIENCE, again, claimed, settle, submit_many};

/// What the programs must not take for a number, however Lua reads it.
const UNREADABLE: [&str; 9] = [
    "",
    " ",
    "five",
    "2.5",
    "1e3",
    "0x10",
    "nan",
    "inf",
    "9999999999999999",
];

async fn set(house: &House, name: &str, value: &str) {
    let () = house
        .redis()
        .await
        .unwrap()
        .hset(house.key("settings"), name, value)
        .await
        .unwrap();
}

async fn unset(house: &House, name: &str) {
    let () = house
        .redis()
        .await
        .unwrap()
        .hdel(house.key("settings"), name)
        .await
        .unwrap();
}

/// A queue whose environment allows `limits`, with 100 due jobs and no clock.
async fn queue(limits: Limits) -> (House, Queue) {
    let house = House::start().await.unwrap();
    house.set_clock(100_000).await.unwrap();
    let queue = house
        .queue_under(
            Terms {
                limits,
                ..Terms::default()
            },
            Clock::Virtual,
        )
        .await
        .unwrap();
    submit_many(&queue, "r", 100).await;
    (house, queue)
}

#[tokio::test]
async fn the_running_limit_is_the_setting_s_until_it_is_removed() {
    let limits = Limits {
        running_jobs: Some(2),
        ..Limits::default()
    };
    let (house, queue) = queue(limits).await;
    assert_eq!(claimed(&queue, 100).await, 2);
    set(&house, "max_running_jobs", "5").await;
    assert_eq!(claimed(&queue, 100).await, 3);
    for unreadable in UNREADABLE {
        set(&house, "max_running_jobs", unreadable).await;
        // The environment's two are exceeded already.
        assert_eq!(claimed(&queue, 100).await, 0, "{unreadable:?}");
    }
    unset(&house, "max_running_jobs").await;
    assert_eq!(claimed(&queue, 100).await, 0);
    set(&house, "max_running_jobs", "0").await;
    assert_eq!(claimed(&queue, 10).await, 10);
}

#[tokio::test]
async fn the_rate_and_its_interval_are_the_settings_until_they_are_removed() {
    let interval = Duration::from_secs(1);
    let limits = Limits {
        starts: Some(2),
        interval,
        ..Limits::default()
    };
    let (house, queue) = queue(limits).await;
    assert_eq!(claimed(&queue, 100).await, 2);
    set(&house, "jobs_per_interval", "5").await;
    assert_eq!(claimed(&queue, 100).await, 3);
    for unreadable in UNREADABLE {
        set(&house, "jobs_per_interval", unreadable).await;
        assert_eq!(claimed(&queue, 100).await, 0, "{unreadable:?}");
    }
    // A longer interval: what started a second ago still counts.
    set(&house, "jobs_per_interval", "5").await;
    set(&house, "jobs_interval", "3000").await;
    house.set_clock(101_000).await.unwrap();
    assert_eq!(claimed(&queue, 100).await, 0);
    set(&house, "jobs_interval", "0").await;
    assert_eq!(
        claimed(&queue, 100).await,
        5,
        "0 is no interval, so the environment's counts"
    );
    unset(&house, "jobs_interval").await;
    set(&house, "jobs_per_interval", "-1").await;
    assert_eq!(claimed(&queue, 10).await, 10);
}

/// Posts new tasks until one is refused; says how many were taken.
async fn taken(api: &ApiClient, name: &str) -> usize {
    for index in 0..20 {
        let body = json!({"username": "octocat", "repository": format!("{name}-{index}")});
        let answer = api.post_task(&body, None).await.unwrap();
        match answer.status.as_u16() {
            202 => {}
            429 => return index,
            _ => panic!("{answer:?}"),
        }
    }
    20
}

#[tokio::test]
async fn the_live_limit_is_the_setting_s_until_it_is_removed() {
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&["--rate-limit-max-simultaneous-jobs=2"])
        .await
        .unwrap();
    assert_eq!(taken(&api, "a").await, 2);
    set(&house, "rate_limit_max_simultaneous_jobs", "5").await;
    assert_eq!(taken(&api, "b").await, 3);
    for (index, unreadable) in UNREADABLE.iter().enumerate() {
        set(&house, "rate_limit_max_simultaneous_jobs", unreadable).await;
        assert_eq!(taken(&api, &format!("c{index}")).await, 0, "{unreadable:?}");
    }
    set(&house, "rate_limit_max_simultaneous_jobs", "-1").await;
    assert_eq!(taken(&api, "d").await, 20);
    unset(&house, "rate_limit_max_simultaneous_jobs").await;
    assert_eq!(taken(&api, "e").await, 0);
}

/// Ten due jobs in each lane.
async fn both_lanes() -> (House, Queue) {
    let (house, queue) = queue(Limits::default()).await;
    for one in by_hand::claim(&queue, 10, 0).await.unwrap().jobs {
        queue
            .keep_report(one.job.id, &one.fence, b"bytes")
            .await
            .unwrap();
        settle(&queue, (one.job.id, one.fence), &again()).await;
    }
    (house, queue)
}

#[tokio::test]
async fn a_pause_closes_the_lanes_that_it_names_and_nothing_is_claimed_only_to_be_put_back() {
    let (house, queue) = both_lanes().await;
    for (paused, fetch, deliver) in [
        ("all", false, false),
        ("fetch", false, true),
        ("deliver", true, false),
        ("deliver fetch", false, false),
        ("nothing", true, true),
        ("", true, true),
    ] {
        set(&house, "paused", paused).await;
        let batch = by_hand::claim(&queue, 4, 0).await.unwrap();
        let has = |stage: &str| batch.jobs.iter().any(|one| one.job.stage.as_str() == stage);
        assert_eq!(
            (has("fetch"), has("deliver")),
            (fetch, deliver),
            "{paused:?}"
        );
        if !fetch && !deliver {
            assert_eq!(batch.next, Next::Hint);
        }
        for one in batch.jobs {
            settle(&queue, (one.job.id, one.fence), &again()).await;
        }
    }
}

#[tokio::test]
async fn a_pause_and_its_end_reach_a_worker_that_runs() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    house.worker(&["--reschedule-interval=500"]).await.unwrap();
    house.receiver.answer(vec![Answer::status(500)]);
    let retried = api.submit("octocat", "retried", None).await.unwrap();
    house.receiver.wait_for(1, PATIENCE).await.unwrap();
    set(&house, "paused", "fetch").await;
    let paused = api.submit("octocat", "paused", None).await.unwrap();
    // The worker goes on with the other lane, past a job that was due before.
    house.receiver.wait_for(2, PATIENCE).await.unwrap();
    house.ended(retried, PATIENCE).await.unwrap();
    let seen = house.job(paused).await.unwrap();
    assert_eq!((seen.job.state, seen.job.attempt), (State::Scheduled, 0));
    assert_eq!(
        seen.why,
        "waits because the lane fetch is paused in the settings"
    );

    unset(&house, "paused").await;
    assert_eq!(house.ended(paused, PATIENCE).await.unwrap().job.attempt, 1);
    assert_eq!(house.receiver.count(), 3);
}
