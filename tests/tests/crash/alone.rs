//! A job that took its workers down runs with nothing beside it.

use std::time::Duration;

use hookme_shared::job::JobId;
use hookme_shared::queue::{Batch, Next, Settled};
use redis::AsyncCommands;

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

/// A queue with one job that runs alone and others that are due behind it; each of these
/// workers is there.
async fn with_suspects(suspects: usize, workers: &[&str]) -> (VirtualQueue, Vec<JobId>) {
    let mut queue = VirtualQueue::new().await;
    let mut ids = Vec::new();
    for number in 0..suspects {
        ids.push(queue.accepted(&format!("suspect{number}")).await);
    }
    for _ in 0..3 {
        assert_eq!(
            queue.claim("gone", suspects, true).await.jobs.len(),
            suspects
        );
        queue.let_leases_run_out().await;
        queue.pass(LONG).await;
    }
    for worker in workers {
        queue.queue.renew(worker, &[], &[]).await.unwrap();
    }
    (queue, ids)
}

/// Two jobs that are due, the first a little sooner.
async fn two_more(queue: &mut VirtualQueue) -> [JobId; 2] {
    let first = queue.accepted("first").await;
    queue.pass(Duration::from_millis(1)).await;
    [first, queue.accepted("second").await]
}

fn ids_of(batch: &Batch) -> Vec<JobId> {
    batch.jobs.iter().map(|claimed| claimed.job.id).collect()
}

#[tokio::test]
async fn one_worker_at_a_time_empties_itself_and_the_others_go_on() {
    let (mut queue, suspects) = with_suspects(1, &["first", "second"]).await;
    let others = two_more(&mut queue).await;
    let batch = queue.claim("first", 1, false).await;
    assert_eq!(
        (ids_of(&batch), batch.next),
        (vec![others[0]], Next::WhenEmpty)
    );
    let batch = queue.claim("second", 2, false).await;
    assert_eq!((ids_of(&batch), batch.next), (vec![others[1]], Next::Hint));
    let told = queue.queue.explain(suspects[0]).await.unwrap().unwrap();
    let why = "is due, and waits for a worker that holds nothing else, as it crashed 3 times in a row; \
               first takes no more until then";
    assert_eq!(told.why, why);
    // It is asked again as long as it holds something, and nobody else is.
    assert_eq!(queue.claim("first", 1, false).await.next, Next::WhenEmpty);
    assert_eq!(queue.claim("second", 1, false).await.next, Next::Hint);

    // When it has done so, whoever comes next is asked for the next.
    assert_eq!(ids_of(&queue.claim("first", 1, true).await), suspects);
    assert!(queue.let_leases_run_out().await > 0);
    queue.pass(LONG).await;
    queue.queue.renew("second", &[], &[]).await.unwrap();
    let batch = queue.claim("second", 5, false).await;
    assert_eq!(batch.next, Next::WhenEmpty, "{batch:?}");
}

#[tokio::test]
async fn the_worker_that_runs_such_a_job_takes_the_next_and_no_other_empties_itself_meanwhile() {
    let (mut queue, suspects) = with_suspects(2, &["first", "second"]).await;
    assert_eq!(queue.claim("first", 1, false).await.next, Next::WhenEmpty);
    let mut taken = Vec::new();
    for _ in 0..2 {
        let batch = queue.claim("first", 1, true).await;
        taken.extend(ids_of(&batch));
        let [new, _] = two_more(&mut queue).await;
        let others = queue.claim("second", 1, false).await;
        assert_ne!(others.next, Next::WhenEmpty, "{others:?}");
        assert_eq!(ids_of(&others), [new]);
        let left = queue.claim("second", 1, false).await;
        let done: Vec<_> = [&batch, &others, &left]
            .iter()
            .flat_map(|batch| batch.jobs.iter().map(claim_of))
            .collect();
        queue.queue.finish(&done, &[]).await.unwrap();
    }
    // Two that are due at one moment come in either order.
    let in_order = |mut ids: Vec<JobId>| {
        ids.sort_by_key(ToString::to_string);
        ids
    };
    assert_eq!(in_order(taken), in_order(suspects));
    // Nothing is left that it would have to be empty for.
    queue.claim("first", 1, true).await;
    let emptying: Option<String> = queue.redis.get(queue.key("emptying")).await.unwrap();
    assert_eq!(emptying, None);
}

#[tokio::test]
async fn another_worker_empties_itself_when_the_one_that_was_asked_is_gone() {
    let (mut queue, _) = with_suspects(1, &["first", "second"]).await;
    assert_eq!(queue.claim("first", 1, false).await.next, Next::WhenEmpty);
    queue.pass(LONG).await;
    queue.queue.renew("second", &[], &[]).await.unwrap();
    assert_eq!(queue.claim("second", 1, false).await.next, Next::WhenEmpty);
}

#[tokio::test]
async fn jobs_that_run_alone_hide_none_of_those_that_are_due_behind_them() {
    let (mut queue, _) = with_suspects(5, &["first", "second"]).await;
    let harmless = two_more(&mut queue).await;
    assert_eq!(queue.claim("first", 1, false).await.next, Next::WhenEmpty);
    let batch = queue.claim("second", 2, false).await;
    assert_eq!(ids_of(&batch), [harmless[1]]);
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

#[tokio::test]
async fn a_job_whose_lease_is_over_does_not_run_and_says_who_takes_it_back() {
    let mut queue = VirtualQueue::new().await;
    let id = queue.accepted("job").await;
    queue.claim_one("gone").await;
    queue.pass(LONG).await;
    let told = queue.queue.explain(id).await.unwrap().unwrap();
    let begin = "its worker gone did not renew its lease, which ended ";
    assert!(told.why.starts_with(begin), "{}", told.why);
    let end = "; no worker is heard of that could take it back";
    assert!(told.why.ends_with(end), "{}", told.why);
    assert_eq!(told.until_ms, None);
    queue.queue.renew("other", &[], &[]).await.unwrap();
    let told = queue.queue.explain(id).await.unwrap().unwrap();
    let end = "; another worker takes it back";
    assert!(told.why.ends_with(end), "{}", told.why);
}
