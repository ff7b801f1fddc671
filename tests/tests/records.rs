//! The record that a job leaves: its reason, and how long it is kept.

#![cfg(test)]

use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::queue::{Clock, Queue, Settlement, Terms};
use hookme_tests::by_hand;
use hookme_tests::house::House;
use redis::AsyncCommands;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How many succeeded jobs are kept; `lua/prelude.lua` has the number.
const SUCCEEDED_MAX: u64 = 10_000;

/// A job that was claimed and ended like this.
async fn ended(queue: &Queue, repository: &str, settlement: &Settlement) -> JobId {
    let id = by_hand::submit(queue, repository, Duration::ZERO)
        .await
        .unwrap();
    let claimed = by_hand::claim(queue, 1, 0).await.unwrap().jobs.remove(0);
    assert_eq!(claimed.job.id, id);
    queue.settle(id, &claimed.fence, settlement).await.unwrap();
    id
}

fn bury(reason: String) -> Settlement {
    Settlement::Bury { reason }
}

#[tokio::test]
async fn a_reason_in_any_alphabet_can_be_read_wherever_it_is_cut() {
    let house = House::start().await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Redis)
        .await
        .unwrap();
    for (number, letter) in ["é", "…", "😀"].into_iter().enumerate() {
        for shift in 0..4 {
            let reason = "x".repeat(shift) + &letter.repeat(60);
            let repository = format!("r{number}-{shift}");
            let id = ended(&queue, &repository, &bury(reason.clone())).await;
            let told = queue.explain(id).await.unwrap().unwrap();
            let short = told.job.reason.unwrap();
            assert!(short.len() <= 64 && short.ends_with("..."), "{short}");
            assert!(told.why.ends_with(&reason), "{}", told.why);
        }
    }
    let listed = queue.list(State::Dead, None, None, 100).await.unwrap();
    assert_eq!(listed.jobs.len(), 12);
}

#[tokio::test]
async fn an_endless_reason_is_cut_before_it_is_stored() {
    let house = House::start().await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Redis)
        .await
        .unwrap();
    let id = ended(&queue, "r", &bury("é".repeat(1_000_000))).await;
    let told = queue.explain(id).await.unwrap().unwrap();
    assert!(told.history[0].text.len() <= 1_024);
    assert!(told.history[0].text.starts_with("éé"));
}

#[tokio::test]
async fn ended_jobs_are_forgotten_with_all_they_left_when_their_time_is_over() {
    let house = House::start().await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Virtual)
        .await
        .unwrap();
    let mut redis = house.redis().await.unwrap();
    house.set_clock(DAY_MS).await.unwrap();
    let succeeded = ended(&queue, "old", &Settlement::Finish).await;
    let dead = ended(&queue, "older", &bury("why".to_owned())).await;

    let a_week_and_a_bit = 8 * DAY_MS + 1;
    house.set_clock(a_week_and_a_bit).await.unwrap();
    ended(&queue, "new", &Settlement::Finish).await;
    ended(&queue, "newer", &bury("why".to_owned())).await;
    assert_eq!(queue.explain(succeeded).await.unwrap(), None);
    assert!(queue.explain(dead).await.unwrap().is_some());

    house.set_clock(31 * DAY_MS + 1).await.unwrap();
    ended(&queue, "newest", &bury("why".to_owned())).await;
    assert_eq!(queue.explain(dead).await.unwrap(), None);
    let history: bool = redis
        .exists(house.key(&format!("history:{dead}")))
        .await
        .unwrap();
    assert!(!history);
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.succeeded, counts.dead), (1, 2));
}

#[tokio::test]
async fn only_so_many_ended_jobs_are_kept_and_the_oldest_go_first() {
    let house = House::start().await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Redis)
        .await
        .unwrap();
    let mut redis = house.redis().await.unwrap();
    let oldest = ended(&queue, "oldest", &Settlement::Finish).await;
    let now_ms = queue.explain(oldest).await.unwrap().unwrap().now_ms;
    // Entries of the set stand for the jobs between: their records do not matter.
    let later: Vec<(u64, String)> = (1..SUCCEEDED_MAX)
        .map(|n| (now_ms + n, format!("{n:032x}")))
        .collect();
    let () = redis
        .zadd_multiple(house.key("succeeded"), &later)
        .await
        .unwrap();
    assert!(queue.explain(oldest).await.unwrap().is_some());

    let newest = ended(&queue, "newest", &Settlement::Finish).await;
    assert_eq!(queue.explain(oldest).await.unwrap(), None);
    assert!(queue.explain(newest).await.unwrap().is_some());
    assert_eq!(queue.counts().await.unwrap().succeeded, SUCCEEDED_MAX);
}
