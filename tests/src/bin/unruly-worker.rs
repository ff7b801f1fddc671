//! A worker whose jobs misbehave on order: the name of a job's owner says how.
//!
//! It is a program of its own because one of the orders is to take the process
//! down. It reads `REDIS_URL`, `REDIS_NAMESPACE` and `LEASE` (ms).

use std::env::var;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use hookme_shared::queue::{Address, Clock, Queue, QueueError, Settlement, Terms};
use hookme_shared::secret::Secret;
use hookme_shared::supervisor::Supervisor;
use hookme_worker::handle::{Attempt, Handle};
use hookme_worker::launcher::Launch;
use hookme_worker::policy::retry::RetryPolicy;
use tokio_util::sync::CancellationToken;

/// How many jobs run side by side.
const CONCURRENCY: u32 = 4;
/// How long a good job takes, and one that aborts before it does.
const WORK: Duration = Duration::from_millis(50);
/// How many leases long a job blocks its thread.
const BLOCKED_LEASES: u32 = 2;
/// How long a call to Redis may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before the name of the part of the worker that a job kills at its first attempt.
const KILL: &str = "kill-";

struct Unruly {
    lease: Duration,
    supervisor: Supervisor,
}

impl Handle for Unruly {
    #[expect(clippy::panic, reason = "to panic is what the job is for")]
    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        match attempt.job.username.as_str() {
            "block" => thread::sleep(self.lease * BLOCKED_LEASES),
            "panic" => panic!("as ordered"),
            other => match other.strip_prefix(KILL) {
                Some(part) if attempt.job.attempt == 1 => {
                    self.supervisor.kill(&part.replace('-', " "));
                    std::future::pending::<()>().await;
                }
                _ => tokio::time::sleep(WORK).await,
            },
        }
        if attempt.job.username == "abort" {
            std::process::abort();
        }
        Ok(Some(Settlement::Finish))
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let lease = Duration::from_millis(var("LEASE")?.parse().context("LEASE in ms")?);
    let address = Address {
        url: Secret::from(var("REDIS_URL")?),
        certificate_authority: None,
        namespace: var("REDIS_NAMESPACE")?,
        response_timeout: PATIENCE,
        clock: Clock::Redis,
    };
    let terms = Terms {
        lease,
        ..Terms::default()
    };
    let queue = Queue::new(&address, terms)?;
    queue.load_functions().await?;
    let launch = Launch {
        queue,
        address,
        worker: format!("unruly-{}", std::process::id()),
        concurrency: CONCURRENCY,
        shutdown_grace: PATIENCE,
        retry: RetryPolicy::new(Duration::from_millis(10), 3),
        allow_unsafe: true,
        metrics: Arc::default(),
        operator: None,
    };
    let supervisor = Supervisor::new(CancellationToken::new());
    let handler = Unruly {
        lease,
        supervisor: supervisor.clone(),
    };
    Ok(launch.run(handler, supervisor).await?)
}
