//! After Redis was away, or its clock jumped, every lease gets a fresh term, however many
//! there are; and nothing that was noted before holds anybody up.

use std::time::Duration;

use hookme_shared::queue::{Limits, Next, Terms};
use redis::AsyncCommands;

use super::virtual_queue::{LEASE, VirtualQueue};

/// More leases than two calls give.
const LEASES: u64 = 2_500;
const TICK: Duration = Duration::from_secs(1);
/// By so much the clock is set back: far more than any span here.
const BACK: Duration = Duration::from_secs(900);

/// Jobs that run, under leases that end after `left`.
async fn run_many(queue: &VirtualQueue, left: Duration) {
    let until_ms = queue.now_ms + u64::try_from(left.as_millis()).unwrap();
    let mut pipe = redis::pipe();
    for number in 0..LEASES {
        let id = format!("job-{number:05}");
        pipe.zadd(queue.key("running"), &id, until_ms).ignore();
        pipe.hset(queue.key(&format!("job:{id}")), "state", "running")
            .ignore();
    }
    let mut redis = queue.redis.clone();
    let () = pipe.query_async(&mut redis).await.unwrap();
}

/// How many leases end from `from_ms` to `to_ms`.
async fn leases_within(queue: &VirtualQueue, from_ms: u64, to_ms: u64) -> u64 {
    let mut redis = queue.redis.clone();
    redis
        .zcount(queue.key("running"), from_ms, to_ms)
        .await
        .unwrap()
}

/// Reaps until an amnesty is over that begins now; looks after each call that nothing
/// was taken back.
async fn grant_all(queue: &mut VirtualQueue) {
    let lease_ms = u64::try_from(LEASE.as_millis()).unwrap();
    let begun_ms = queue.now_ms;
    let mut given = 0;
    for _ in 0..9 {
        let (back, more) = queue.queue.reap(0.0).await.unwrap();
        assert_eq!(back, 0, "taken back after {given} fresh terms");
        assert!(more <= 1_000, "{more} in one call");
        given += more;
        if more == 0 {
            break;
        }
        queue.pass(TICK).await;
    }
    assert_eq!(given, LEASES);
    let (from_ms, to_ms) = (begun_ms + lease_ms, queue.now_ms + lease_ms);
    assert_eq!(leases_within(queue, from_ms, to_ms).await, LEASES);
}

#[tokio::test]
async fn an_amnesty_in_steps_reaches_every_lease_and_none_is_taken_back_meanwhile() {
    let mut queue = VirtualQueue::new().await;
    queue.queue.reap(0.0).await.unwrap();
    run_many(&queue, Duration::ZERO).await;
    queue.pass(10 * LEASE).await;
    grant_all(&mut queue).await;
    // They are leases like all others.
    let mut taken = 0;
    for _ in 0..12 {
        queue.pass(LEASE / 5).await;
        taken += queue.queue.reap(0.0).await.unwrap().0;
    }
    assert!(taken > 0);
}

#[tokio::test]
async fn leases_that_lie_ahead_as_the_clock_was_set_back_are_reached_in_steps_too() {
    let mut queue = VirtualQueue::new().await;
    queue.queue.reap(0.0).await.unwrap();
    run_many(&queue, LEASE).await;
    queue.set_back(BACK).await;
    grant_all(&mut queue).await;
}

#[tokio::test]
async fn starts_and_workers_of_before_the_clock_was_set_back_end_in_time() {
    let limits = Limits {
        starts: Some(1),
        interval: Duration::from_secs(5),
        ..Limits::default()
    };
    let terms = Terms {
        limits,
        ..Terms::default()
    };
    let mut queue = VirtualQueue::with_terms(terms).await;
    queue.accepted("one").await;
    queue.queue.reap(0.0).await.unwrap();
    queue.queue.renew("ghost", &[], &[]).await.unwrap();
    queue.claim_one("worker").await;
    queue.set_back(BACK).await;
    queue.queue.reap(0.0).await.unwrap();
    queue.accepted("two").await;
    let batch = queue.claim("worker", 1, false).await;
    assert_eq!(batch.jobs.len(), 0);
    assert!(
        matches!(batch.next, Next::In(wait) if wait <= Duration::from_secs(5)),
        "{:?}",
        batch.next
    );
    assert_eq!(queue.queue.counts().await.unwrap().workers, 1);
    queue.pass(Duration::from_secs(5)).await;
    queue.claim_one("worker").await;
    queue.pass(LEASE).await;
    assert_eq!(queue.queue.counts().await.unwrap().workers, 0);
}
