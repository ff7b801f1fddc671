//! Records that somebody damaged or a newer version wrote, keys that somebody
//! deleted, functions that somebody flushed.

use std::time::Duration;

use hookme_shared::job::{Fence, JobId, State};
use hookme_shared::queue::{Renewed, Settled, Settlement, Submitted};
use hookme_tests::Site;
use hookme_tests::site::SiteOptions;
use redis::AsyncCommands;

use super::PATIENCE;
use super::virtual_queue::{LONG, VirtualQueue, claim_of};

async fn state(queue: &VirtualQueue, id: JobId) -> Option<String> {
    queue.field(id, "state").await
}

#[tokio::test]
async fn a_damaged_record_is_buried_alone_and_holds_up_nobody() {
    for (field, value) in [
        ("created_ms", "x"),
        ("due_ms", ""),
        ("attempt", "many"),
        ("failures", "x"),
        ("crashes", "x"),
        ("report_bytes", "x"),
        ("bodies", "x"),
    ] {
        let mut queue = VirtualQueue::new().await;
        let damaged = queue.accepted("damaged").await;
        queue.set_field(damaged, field, value).await;
        queue.pass(Duration::from_millis(1)).await;
        let sound = queue.accepted("sound").await;

        let batch = queue.claim("worker", 5, true).await;
        let ids: Vec<_> = batch.jobs.iter().map(|claimed| claimed.job.id).collect();
        assert_eq!(ids, [sound], "{field} = {value:?}");
        assert_eq!(
            state(&queue, damaged).await.as_deref(),
            Some("dead"),
            "{field}"
        );
        let reason = queue.field(damaged, "reason").await.unwrap();
        assert!(reason.contains("cannot be read"), "{field}: {reason}");
        queue.accepted("damaged").await;
    }
}

#[tokio::test]
async fn a_record_that_is_damaged_while_it_runs_ends_and_holds_up_nobody() {
    for (field, value) in [
        ("created_ms", "x"),
        ("attempt", "x"),
        ("failures", "x"),
        ("crashes", "x"),
        ("report_bytes", "x"),
    ] {
        let endings = [
            Settlement::Finish,
            Settlement::Retry {
                delay: Duration::ZERO,
                reason: "failed".to_owned(),
            },
            Settlement::Bury {
                reason: "hopeless".to_owned(),
            },
        ];
        for ending in endings {
            let mut queue = VirtualQueue::new().await;
            let damaged = queue.accepted("damaged").await;
            let (_, fence) = claim_of(&queue.claim_one("worker").await);
            queue.set_field(damaged, field, value).await;
            let settled = queue.queue.settle(damaged, &fence, &ending).await;
            assert_eq!(settled.unwrap(), Settled::Done, "{field}: {ending:?}");
        }
        let mut queue = VirtualQueue::new().await;
        let damaged = queue.accepted("damaged").await;
        queue.claim_one("worker").await;
        let sound = queue.accepted("sound").await;
        queue.claim_one("worker").await;
        queue.set_field(damaged, field, value).await;
        assert_eq!(queue.let_leases_run_out().await, 2, "{field}");
        assert_eq!(
            state(&queue, sound).await.as_deref(),
            Some("scheduled"),
            "{field}"
        );
        assert_ne!(
            state(&queue, damaged).await.as_deref(),
            Some("running"),
            "{field}"
        );
    }
}

#[tokio::test]
async fn a_due_time_that_differs_from_its_lanes_takes_no_neighbour_along() {
    let mut queue = VirtualQueue::new().await;
    let damaged = queue.accepted("damaged").await;
    queue.set_field(damaged, "due_ms", "99999999999999").await;
    queue.pass(Duration::from_millis(1)).await;
    let sound = queue.accepted("sound").await;
    let batch = queue.claim("worker", 5, true).await;
    assert!(
        batch.jobs.iter().any(|claimed| claimed.job.id == sound),
        "{batch:?}"
    );
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_put_back_for_it_and_never_buried() {
    for (field, value) in [("kind", "survey"), ("stage", "count")] {
        let mut queue = VirtualQueue::new().await;
        let newer = queue.accepted("newer").await;
        queue.set_field(newer, field, value).await;
        queue.pass(Duration::from_millis(1)).await;
        let ours = queue.accepted("ours").await;

        let batch = queue.claim("worker", 5, true).await;
        let ids: Vec<_> = batch.jobs.iter().map(|claimed| claimed.job.id).collect();
        assert_eq!(ids, [ours], "{field}");
        let [(id, fence, _)] = batch.unreadable.as_slice() else {
            panic!("{field}: {batch:?}");
        };
        assert_eq!(*id, newer);
        // It stands in one place only, so that it does not come again at once.
        assert_eq!(
            queue.claim("worker", 5, true).await.unreadable,
            [],
            "{field}"
        );
        let back = Settlement::Defer {
            delay: Duration::from_secs(10),
            reason: "for a newer worker".to_owned(),
        };
        assert_eq!(
            queue.queue.settle(newer, fence, &back).await.unwrap(),
            Settled::Done
        );
        assert_eq!(queue.field(newer, field).await.as_deref(), Some(value));
        assert_eq!(state(&queue, newer).await.as_deref(), Some("scheduled"));
        assert_eq!(queue.field(newer, "failures").await, None);
    }
}

#[tokio::test]
async fn a_field_that_nobody_here_knows_stays_where_it_is() {
    let mut queue = VirtualQueue::new().await;
    let id = queue.accepted("hello").await;
    queue.set_field(id, "checkpoint", "page 7").await;
    let (_, fence) = claim_of(&queue.claim_one("worker").await);
    let again = Settlement::Retry {
        delay: Duration::ZERO,
        reason: "failed".to_owned(),
    };
    assert_eq!(
        queue.queue.settle(id, &fence, &again).await.unwrap(),
        Settled::Done
    );
    assert_eq!(
        queue.field(id, "checkpoint").await.as_deref(),
        Some("page 7")
    );
}

#[tokio::test]
async fn a_lock_whose_job_is_missing_ended_or_in_no_set_is_taken_over() {
    let mut queue = VirtualQueue::new().await;
    let lock = queue.key("lock:octocat/hello");

    let () = queue
        .redis
        .set(&lock, JobId::random().to_string())
        .await
        .unwrap();
    let id = queue.accepted("hello").await;
    assert!(matches!(queue.submit("hello").await, Submitted::Duplicate(live) if live.id == id));

    let claim = claim_of(&queue.claim_one("worker").await);
    queue.queue.finish(&[claim], &[]).await.unwrap();
    let () = queue.redis.set(&lock, id.to_string()).await.unwrap();
    let second = queue.accepted("hello").await;
    assert_eq!(
        queue.redis.get::<_, String>(&lock).await.unwrap(),
        second.to_string()
    );

    let lane = queue.key("scheduled:fetch");
    let () = queue.redis.del(lane).await.unwrap();
    let third = queue.accepted("hello").await;
    assert_eq!(queue.claim_one("worker").await.job.id, third);
}

/// The keys of one job or one thing, of those that [`three_jobs`] have.
pub(super) const KEYS_OF_ONE: [&str; 10] = [
    "job:<id>",
    "lock:octocat/first",
    "report:<id>",
    "history:<id>",
    "stats",
    "workers",
    "worker:worker",
    "wake",
    "starts",
    "settings",
];

/// A queue of three jobs: one waits for its delivery with a report, one runs with
/// a report, one is new. Returns the ids of the first two and the running claim.
pub(super) async fn three_jobs() -> (VirtualQueue, [JobId; 2], (JobId, Fence)) {
    let mut queue = VirtualQueue::with_terms(VirtualQueue::running_limit(1)).await;
    let first = queue.accepted("first").await;
    let waiting = claim_of(&queue.claim_one("worker").await);
    let kept = queue.queue.keep_report(first, &waiting.1, b"first report");
    kept.await.unwrap();
    let later = Settlement::Retry {
        delay: LONG,
        reason: "503".to_owned(),
    };
    let put_back = queue.queue.settle(first, &waiting.1, &later);
    put_back.await.unwrap();
    let second = queue.accepted("second").await;
    let running = claim_of(&queue.claim_one("worker").await);
    let kept = queue.queue.keep_report(second, &running.1, b"report");
    kept.await.unwrap();
    queue.accepted("third").await;
    (queue, [first, second], running)
}

#[tokio::test]
async fn no_key_that_is_deleted_by_hand_wedges_the_queue() {
    let sets = [
        "scheduled:fetch",
        "scheduled:deliver",
        "running",
        "succeeded",
    ];
    for key in sets.into_iter().chain(KEYS_OF_ONE) {
        let (mut queue, ids, running) = three_jobs().await;
        let lease = std::slice::from_ref(&running);
        queue.queue.renew("worker", &[], lease).await.unwrap();
        for id in ids {
            let deleted = queue.key(&key.replace("<id>", &id.to_string()));
            let () = queue.redis.del(deleted).await.unwrap();
        }

        // The worker goes on, and whatever is left is worked off.
        let renewed = queue.queue.renew("worker", &[], lease).await.unwrap();
        let lost = key == "job:<id>";
        let expected = if lost { Renewed::Lost } else { Renewed::Kept };
        assert_eq!(renewed, [expected], "{key}");
        queue.queue.finish(lease, &[]).await.unwrap();
        // What was under a lease may have to be taken back first.
        queue.let_leases_run_out().await;
        queue.pass(LONG * 2).await;
        work_off(&mut queue, key).await;
        for repository in ["first", "second", "third"] {
            let again = queue.submit(repository).await;
            assert!(matches!(again, Submitted::Accepted(_)), "{key}: {again:?}");
        }
        work_off(&mut queue, key).await;
        let counts = queue.queue.counts().await.unwrap();
        assert_eq!(counts.running, 0, "{key}: {counts:?}");
        // With its record goes the knowledge of how large its report is.
        assert!(lost || counts.report_bytes == 0, "{key}: {counts:?}");
    }
}

/// Finishes whatever can be claimed.
pub(super) async fn work_off(queue: &mut VirtualQueue, key: &str) {
    for _ in 0..10 {
        let batch = queue.claim("worker", 1, true).await;
        let Some(claimed) = batch.jobs.first() else {
            return;
        };
        let settled = queue.queue.finish(&[claim_of(claimed)], &[]).await.unwrap();
        assert_eq!(settled, [Settled::Done], "{key}");
    }
    panic!("{key}: the queue gives jobs without end");
}

#[tokio::test]
async fn flushed_functions_come_back_while_jobs_run() {
    const TASKS: usize = 60;
    let site = Site::start(SiteOptions::default()).await.unwrap();
    let mut redis = site.connection().await.unwrap();
    let mut ids = Vec::new();
    for number in 0..TASKS {
        if number % 10 == 5 {
            let () = redis::cmd("FUNCTION")
                .arg("FLUSH")
                .query_async(&mut redis)
                .await
                .unwrap();
        }
        ids.push(
            site.submit("octocat", &format!("hello-{number}"))
                .await
                .unwrap(),
        );
    }
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(counts.succeeded, TASKS as u64, "{counts:?}");
    for id in ids {
        let job = site.job(id).await.unwrap().job;
        assert_eq!(
            (job.state, job.failures, job.crashes),
            (State::Succeeded, 0, 0)
        );
    }
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}
