//! A job that took its workers down runs with nothing beside it.

use std::time::Duration;

use hookme_shared::queue::{Next, Settled};

use super::virtual_queue::{LONG, VirtualQueue, claim_of};

#[tokio::test]
async fn a_job_that_crashed_three_times_waits_for_a_worker_that_holds_nothing_and_runs_alone() {
    let mut queue = VirtualQueue::new().await;
    let suspect = queue.accepted("suspect").await;
    queue.crash(2).await;
    let harmless = queue.accepted("after-two").await;
    let batch = queue.claim("busy", 5, false).await;
    let ids: Vec<_> = batch.jobs.iter().map(|claimed| claimed.job.id).collect();
    assert_eq!(
        ids,
        [suspect, harmless],
        "after two crashes it runs among others"
    );
    let neighbour = claim_of(&batch.jobs[1]);
    assert_eq!(
        queue.queue.finish(&[neighbour], &[]).await.unwrap(),
        [Settled::Done]
    );
    assert_eq!(queue.let_leases_run_out().await, 1);
    queue.pass(LONG).await;

    let one = queue.accepted("one").await;
    queue.pass(Duration::from_millis(1)).await;
    let others = [one, queue.accepted("two").await];
    let batch = queue.claim("busy", 5, false).await;
    let ids: Vec<_> = batch.jobs.iter().map(|claimed| claimed.job.id).collect();
    assert_eq!(ids, others, "the suspect is passed over");
    assert_eq!(batch.next, Next::WhenEmpty);

    let third = queue.accepted("three").await;
    let batch = queue.claim("empty", 5, true).await;
    let ids: Vec<_> = batch.jobs.iter().map(|claimed| claimed.job.id).collect();
    assert_eq!((ids, batch.jobs[0].job.crashes), (vec![suspect], 3));
    assert_eq!(batch.next, Next::Now, "the others come with the next claim");

    // A completed stage ends the row of crashes: it is no suspect any more.
    let (id, fence) = claim_of(&batch.jobs[0]);
    queue
        .queue
        .keep_report(id, &fence, b"report")
        .await
        .unwrap();
    assert_eq!(queue.field(suspect, "crashes").await, None);
    let batch = queue.claim("busy", 5, false).await;
    assert_eq!(batch.jobs[0].job.id, third);
}

#[tokio::test]
async fn the_fifth_crash_in_a_row_ends_a_job_and_frees_its_scope() {
    let mut queue = VirtualQueue::new().await;
    let id = queue.accepted("poison").await;
    queue.crash(5).await;
    let job = queue.queue.explain(id).await.unwrap().unwrap().job;
    assert_eq!(job.state, hookme_shared::job::State::Dead);
    assert!(job.reason.unwrap().starts_with("poison"));
    queue.accepted("poison").await;
}
