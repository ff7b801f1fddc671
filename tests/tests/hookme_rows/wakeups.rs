//! A worker that sleeps is woken by what is due sooner than it knows.
//!
//! It looks by itself every five seconds. What takes one second is no luck of the
//! moment: each test takes the best of three, each begun just after a look.

use std::time::{Duration, Instant};

use hookme_tests::House;
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;

use super::{PATIENCE, house, submit, submit_later};

/// Well below what a worker sleeps if nobody wakes it.
const PROMPT: Duration = Duration::from_secs(1);

/// The shortest of three times.
async fn best_of_three(mut run: impl AsyncFnMut(usize) -> Duration) -> Duration {
    let mut best = Duration::MAX;
    for round in 0..3 {
        best = best.min(run(round).await);
    }
    best
}

/// Until the next delivery.
async fn next_delivery(house: &House) -> Duration {
    let (started, before) = (Instant::now(), house.receiver.count());
    house.receiver.wait_for(before + 1, PATIENCE).await.unwrap();
    started.elapsed()
}

/// The worker knows of a job that is due in an hour.
async fn one_in_an_hour(api: &ApiClient) {
    submit_later(api, "later", 3_600_000).await;
}

#[tokio::test]
async fn a_task_that_is_due_now_starts_now_although_the_next_one_was_in_an_hour() {
    let (house, api) = house(&[]).await;
    one_in_an_hour(&api).await;
    let best = best_of_three(async |round| {
        let id = submit(&api, &format!("r{round}")).await;
        let took = next_delivery(&house).await;
        house.ended(id, PATIENCE).await.unwrap();
        took
    });
    let best = best.await;
    assert!(best < PROMPT, "{best:?}");
}

#[tokio::test]
async fn a_retry_and_a_short_delay_start_when_they_are_due_and_not_when_the_worker_looks() {
    let (house, api) = house(&["--reschedule-interval=200"]).await;
    one_in_an_hour(&api).await;
    let best = best_of_three(async |round| {
        house.receiver.answer(vec![Answer::status(500)]);
        let id = submit_later(&api, &format!("r{round}"), 200).await;
        let first = next_delivery(&house).await;
        let second = next_delivery(&house).await;
        house.ended(id, PATIENCE).await.unwrap();
        first.max(second)
    });
    let best = best.await;
    assert!(best < PROMPT, "{best:?}");
}

#[tokio::test]
async fn of_many_sleeping_workers_one_takes_a_new_task_at_once() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    for _ in 0..3 {
        house.worker(&["--worker-concurrency=1"]).await.unwrap();
    }
    // Who takes a task sleeps after it. Without hints three workers take three
    // tasks in five seconds, so that these would last ten at least.
    let started = Instant::now();
    for index in 0..9 {
        let id = submit(&api, &format!("r{index}")).await;
        house.ended(id, PATIENCE).await.unwrap();
    }
    assert!(started.elapsed() < 8 * PROMPT, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_revived_task_starts_at_once() {
    let (house, api) = house(&["--retry-max-attempts=0"]).await;
    house.receiver.answer_always(Answer::status(500));
    let id = submit(&api, "hello").await;
    house.ended(id, PATIENCE).await.unwrap();
    let best = best_of_three(async |round| {
        assert_eq!(api.revive(id).await.unwrap().status, 202);
        let took = next_delivery(&house).await;
        let tries = u32::try_from(round).unwrap() + 2;
        house
            .job_when(id, PATIENCE, |seen| {
                seen.job.attempt == tries && !seen.job.state.is_live()
            })
            .await
            .unwrap();
        took
    });
    let best = best.await;
    assert!(best < PROMPT, "{best:?}");
}
