//! A worker whose lease was taken back, at each thing that it might still do.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_shared::queue::{Advanced, Loaded, Renewed, Settled, Settlement};

use super::virtual_queue::{LONG, VirtualQueue, claim_of};

fn every_settlement() -> [Settlement; 5] {
    let reason = "too late".to_owned();
    let delay = Duration::from_secs(1);
    [
        Settlement::Finish,
        Settlement::Retry {
            delay,
            reason: reason.clone(),
        },
        Settlement::Defer {
            delay,
            reason: reason.clone(),
        },
        Settlement::Release {
            reason: reason.clone(),
        },
        Settlement::Bury { reason },
    ]
}

/// The first worker's claim tries everything; nothing may come of it.
async fn nothing_comes_of(
    queue: &VirtualQueue,
    late: &(hookme_shared::job::JobId, hookme_shared::job::Fence),
) {
    let (id, fence) = late;
    let before = queue.dump(*id).await;
    let redis = &queue.queue;
    assert_eq!(
        redis.keep_report(*id, fence, b"late").await.unwrap(),
        Advanced::Lost
    );
    assert_eq!(
        redis.go_without_report(*id, fence).await.unwrap(),
        Advanced::Lost
    );
    assert_eq!(redis.load_report(*id, fence).await.unwrap(), Loaded::Lost);
    for settlement in every_settlement() {
        let answer = redis.settle(*id, fence, &settlement).await.unwrap();
        assert_eq!(answer, Settled::Stale, "{settlement:?}");
    }
    let batch = redis.finish(std::slice::from_ref(late), &[]).await.unwrap();
    assert_eq!(batch, [Settled::Stale]);
    let renewed = redis
        .renew("first", &[], std::slice::from_ref(late))
        .await
        .unwrap();
    assert_eq!(renewed, [Renewed::Lost]);
    assert_eq!(queue.dump(*id).await, before);
}

#[tokio::test]
async fn a_worker_whose_lease_was_reaped_changes_nothing_whatever_became_of_the_job() {
    let mut queue = VirtualQueue::new().await;
    let id = queue.accepted("hello").await;
    let late = claim_of(&queue.claim_one("first").await);
    assert_eq!(queue.let_leases_run_out().await, 1);

    // The job waits for its next attempt.
    nothing_comes_of(&queue, &late).await;

    // Another worker holds it, with a report.
    queue.pass(LONG).await;
    let (_, fence) = claim_of(&queue.claim_one("second").await);
    queue
        .queue
        .keep_report(id, &fence, b"report")
        .await
        .unwrap();
    nothing_comes_of(&queue, &late).await;

    // It was put back by that one, then claimed again and finished.
    let back = Settlement::Defer {
        delay: Duration::ZERO,
        reason: "later".to_owned(),
    };
    assert_eq!(
        queue.queue.settle(id, &fence, &back).await.unwrap(),
        Settled::Done
    );
    nothing_comes_of(&queue, &late).await;
    let claim = claim_of(&queue.claim_one("second").await);
    assert_eq!(
        queue.queue.finish(&[claim], &[]).await.unwrap(),
        [Settled::Done]
    );
    nothing_comes_of(&queue, &late).await;
    let job = queue.queue.explain(id).await.unwrap().unwrap().job;
    assert_eq!(
        (job.state, job.attempt, job.failures),
        (State::Succeeded, 3, 0)
    );
}

#[tokio::test]
async fn a_lease_past_its_time_still_counts_until_it_is_reaped() {
    let mut queue = VirtualQueue::new().await;
    queue.accepted("hello").await;
    let claim = claim_of(&queue.claim_one("slow").await);
    queue.pass(LONG).await;
    assert_eq!(
        queue.queue.finish(&[claim], &[]).await.unwrap(),
        [Settled::Done]
    );
}

#[tokio::test]
async fn leases_get_a_fresh_term_after_a_time_in_which_nobody_could_renew() {
    let mut queue = VirtualQueue::new().await;
    queue.accepted("hello").await;
    queue.queue.reap(0.0).await.unwrap();
    let claim = claim_of(&queue.claim_one("first").await);
    queue.pass(LONG).await;
    assert_eq!(queue.queue.reap(0.0).await.unwrap(), (0, 1), "an amnesty");
    assert_eq!(queue.queue.reap(0.0).await.unwrap(), (0, 0));
    let renewed = queue.queue.renew("first", &[], &[claim]).await.unwrap();
    assert_eq!(renewed, [Renewed::Kept]);
    assert_eq!(
        queue.let_leases_run_out().await,
        1,
        "nobody renews any more"
    );
}
