//! Another type of value under a key of one job or one thing, however a job that meets it
//! ends: it gives way, and holds up nobody.

use std::time::Duration;

use hookme_shared::job::{Fence, JobId};
use hookme_shared::queue::{Settled, Settlement, Submitted};
use redis::AsyncCommands;

use super::damage::{KEYS_OF_ONE, three_jobs, work_off};
use super::virtual_queue::{LONG, VirtualQueue};

/// How the running job ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Finish,
    Retry,
    Reap,
}

async fn end(queue: &mut VirtualQueue, (id, fence): &(JobId, Fence), end: End, key: &str) {
    let is_lost = key == "job:<id>";
    let settlement = match end {
        End::Finish => Settlement::Finish,
        End::Retry => Settlement::Retry {
            delay: Duration::ZERO,
            reason: "503".to_owned(),
        },
        End::Reap => {
            queue.let_leases_run_out().await;
            return;
        }
    };
    let settled = queue.queue.settle(*id, fence, &settlement).await.unwrap();
    let expected = if is_lost {
        Settled::Gone
    } else {
        Settled::Done
    };
    assert_eq!(settled, expected, "{key}: {end:?}");
}

#[tokio::test]
async fn no_key_of_one_thing_that_holds_another_type_wedges_the_queue() {
    for (key, how) in KEYS_OF_ONE
        .iter()
        .flat_map(|key| [End::Finish, End::Retry, End::Reap].map(|how| (*key, how)))
    {
        let (mut queue, ids, running) = three_jobs().await;
        for id in ids {
            let spoilt = queue.key(&key.replace("<id>", &id.to_string()));
            let () = queue.redis.del(&spoilt).await.unwrap();
            let () = match key {
                "job:<id>" | "history:<id>" | "stats" | "workers" | "worker:worker" | "wake"
                | "starts" | "settings" => queue.redis.set(&spoilt, "spoilt").await.unwrap(),
                _ => queue.redis.rpush(&spoilt, "spoilt").await.unwrap(),
            };
        }
        end(&mut queue, &running, how, key).await;
        queue.let_leases_run_out().await;
        queue.pass(LONG * 2).await;
        work_off(&mut queue, key).await;
        for repository in ["first", "second", "third"] {
            let again = queue.submit(repository).await;
            assert!(
                matches!(again, Submitted::Accepted(_)),
                "{key}: {how:?}: {again:?}"
            );
        }
        work_off(&mut queue, key).await;
        let counts = queue.queue.counts().await.unwrap();
        assert_eq!(counts.running, 0, "{key}: {how:?}: {counts:?}");
    }
}
