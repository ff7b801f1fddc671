//! An end that Redis fails: it is tried alone, a few times, and left to its lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookme_shared::job::State;
use hookme_shared::queue::{Address, Clock, Queue, Settlement, Terms};
use hookme_shared::secret::Secret;
use hookme_shared::supervisor::Supervisor;
use hookme_tests::redis_server::RedisOptions;
use hookme_tests::{RedisServer, by_hand, eventually};
use hookme_worker::leases::Leases;
use hookme_worker::metrics::Metrics;
use hookme_worker::settler::Settler;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;

const NAMESPACE: &str = "hookme";

fn queue(url: String) -> Queue {
    let address = Address {
        url: Secret::from(url),
        certificate_authority: None,
        namespace: NAMESPACE.to_owned(),
        response_timeout: PATIENCE,
        clock: Clock::Redis,
    };
    Queue::new(&address, Terms::default()).unwrap()
}

#[tokio::test]
async fn an_end_that_redis_fails_keeps_no_other_waiting_and_its_lease_is_let_go() {
    let redis = RedisServer::start(RedisOptions::default()).await.unwrap();
    let own = queue(redis.url());
    own.load_functions().await.unwrap();
    let mut admin = redis.connection().await.unwrap();
    let mut rights = async |rule: String| {
        let mut set = redis::cmd("ACL");
        set.arg("SETUSER").arg("w");
        rule.split(' ').for_each(|word| _ = set.arg(word));
        set.exec_async(&mut admin).await.unwrap();
    };
    rights("on >secret ~* +@all".to_owned()).await;

    for name in ["a", "b", "c"] {
        by_hand::submit(&own, name, Duration::ZERO).await.unwrap();
    }
    let batch = by_hand::claim(&own, 3, 0).await.unwrap();
    let claims: Vec<_> = batch
        .jobs
        .iter()
        .map(|claimed| (claimed.job.id, claimed.fence.clone()))
        .collect();
    assert_eq!(claims.len(), 3);
    // From now on the worker's user may not touch the first job's record.
    let others = claims[1..].iter();
    let keys = others.map(|(id, _)| format!("~{{{NAMESPACE}}}:job:{id}"));
    let all_but_jobs = ('a'..='z').filter(|letter| *letter != 'j');
    let all_but_jobs = all_but_jobs.map(|letter| format!("~{{{NAMESPACE}}}:{letter}*"));
    let keys: Vec<_> = keys.chain(all_but_jobs).collect();
    rights(format!("resetkeys ~{{{NAMESPACE}}} {}", keys.join(" "))).await;

    let leases = Arc::new(Leases::new(Duration::from_secs(15)));
    for (id, fence) in &claims {
        drop(leases.hold(*id, fence.clone(), Instant::now()));
    }
    let (settler, task) = Settler::new(
        queue(redis.url_of("w:secret")),
        Arc::clone(&leases),
        Arc::<Metrics>::default(),
    );
    let supervisor = Supervisor::new(CancellationToken::new());
    supervisor.spawn_short(task.run());
    // Handed over before the task can send any: they go in one call.
    for (id, fence) in &claims {
        let end = Settlement::Finish;
        settler.settle(*id, fence.clone(), end, Some(200)).await;
    }
    let let_go = eventually(PATIENCE, "no lease", async || match leases.count() {
        0 => Ok(()),
        left => Err(format!("{left} leases")),
    });
    let_go.await.unwrap();
    drop(settler);
    supervisor.all_ended().await;

    for (place, (id, _)) in claims.iter().enumerate() {
        let told = own.explain(*id).await.unwrap().unwrap();
        let expected = if place == 0 {
            State::Running
        } else {
            State::Succeeded
        };
        assert_eq!(told.job.state, expected, "{told:?}");
    }
}
