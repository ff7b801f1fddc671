//! Starts the parts of a worker and ends them in order.
//!
//! At the end: no more claims; running jobs finish within the grace; what is
//! left is given back with no failure counted; the last ends are settled; then
//! the heartbeat stops, which until then kept the leases.

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::queue::{Address, Queue};
use hookme_shared::span::whole_ms;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::claimer::Claimer;
use crate::handle::Handle;
use crate::heartbeat::Heartbeat;
use crate::hints::{self, Bell};
use crate::leases::{Leases, Stop};
use crate::metrics::Metrics;
use crate::operator::Operator;
use crate::policy::retry::RetryPolicy;
use crate::reaper;
use crate::runner::Runner;
use crate::settler::Settler;

/// How long, after the grace, jobs may take to stop, and then their settlements
/// to go through. What is not settled then comes back when its lease runs out.
const LAST_SETTLEMENTS: Duration = Duration::from_secs(3);

/// What a worker is made of, beside what it does with a job.
#[derive(Debug)]
pub struct Launch {
    /// The queue, with its functions loaded.
    pub queue: Queue,
    /// Where the queue is, for the heartbeat's own connection.
    pub address: Address,
    /// This worker's id; no two may share one.
    pub worker: String,
    /// How many jobs run at once.
    pub concurrency: u32,
    /// How long running jobs may finish at shutdown.
    pub shutdown_grace: Duration,
    /// When a failed job is tried again.
    pub retry: RetryPolicy,
    /// Whether a Redis that can lose jobs counts as ready.
    pub allow_unsafe: bool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where health and metrics are served, if anywhere.
    pub operator: Option<Operator>,
}

impl Launch {
    /// Works until `shutdown`, then ends in order.
    ///
    /// # Errors
    ///
    /// If the system gives no thread for the heartbeat.
    pub async fn run<H: Handle>(
        self,
        handler: H,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        let (beside, jobs, settling) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
        let (done, no_heartbeat) = (CancellationToken::new(), CancellationToken::new());
        let leases = Arc::new(Leases::new(self.queue.terms().lease));
        let metrics = Arc::clone(&self.metrics);
        let bell = Bell::default();

        let heartbeat = self.heartbeat(&leases).start(no_heartbeat.clone())?;
        let (settler, settler_task) = Settler::new(
            self.queue.clone(),
            Arc::clone(&leases),
            Arc::clone(&metrics),
        );
        drop(settling.spawn(settler_task.run()));
        drop(beside.spawn(reaper::reap(self.queue.clone(), done.clone())));
        drop(beside.spawn(hints::listen(
            self.queue.clone(),
            bell.clone(),
            done.clone(),
        )));
        if let Some(operator) = self.operator {
            let served = operator.serve(
                self.queue.clone(),
                Arc::clone(&metrics),
                self.allow_unsafe,
                done.clone(),
            );
            drop(beside.spawn(served));
        }
        let runner = Runner {
            handler,
            settler,
            retry: self.retry,
            metrics: Arc::clone(&metrics),
        };
        let claimer = Claimer {
            queue: self.queue.clone(),
            worker: self.worker.clone(),
            concurrency: self.concurrency,
            leases: Arc::clone(&leases),
            bell,
            runner: Arc::new(runner),
            jobs: jobs.clone(),
            metrics,
        };
        tracing::info!(
            worker = self.worker,
            concurrency = self.concurrency,
            "taking jobs"
        );
        claimer.run(shutdown).await;

        end_jobs(&jobs, &leases, self.shutdown_grace).await;
        end_settling(&settling, &leases).await;
        done.cancel();
        beside.close();
        beside.wait().await;
        no_heartbeat.cancel();
        // Joining a thread blocks, so it is not done on the runtime.
        if tokio::task::spawn_blocking(move || heartbeat.join())
            .await
            .is_err()
        {
            tracing::error!("the heartbeat ended badly");
        }
        if let Err(error) = self.queue.depart(&self.worker).await {
            tracing::debug!(%error, "could not sign off; the presence ends by itself");
        }
        tracing::info!(worker = self.worker, "ended");
        Ok(())
    }

    fn heartbeat(&self, leases: &Arc<Leases>) -> Heartbeat {
        let limits = self.queue.terms().limits;
        let or_none =
            |limit: Option<u64>| limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string());
        Heartbeat {
            address: self.address.clone(),
            terms: *self.queue.terms(),
            worker: self.worker.clone(),
            about: vec![
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("pid", std::process::id().to_string()),
                ("concurrency", self.concurrency.to_string()),
                ("max_running_jobs", or_none(limits.running_jobs)),
                ("jobs_per_interval", or_none(limits.starts)),
                ("jobs_interval", limits.interval.as_millis().to_string()),
            ],
            leases: Arc::clone(leases),
        }
    }
}

/// Lets running jobs finish within `grace`; stops those that are left.
async fn end_jobs(jobs: &TaskTracker, leases: &Leases, grace: Duration) {
    jobs.close();
    tracing::info!(
        jobs = jobs.len(),
        grace_ms = whole_ms(grace),
        "no more jobs are taken; running ones may finish"
    );
    if tokio::time::timeout(grace, jobs.wait()).await.is_err() {
        tracing::info!(
            jobs = jobs.len(),
            "the grace is over; the jobs that are left are given back"
        );
        leases.stop_all(Stop::Shutdown);
        // Handing over to the settler can stall while Redis does not answer.
        if tokio::time::timeout(LAST_SETTLEMENTS, jobs.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                jobs = jobs.len(),
                "some jobs did not stop; they come back when their leases run out"
            );
        }
    }
}

/// Waits until the last ends are settled, but not for ever.
async fn end_settling(settling: &TaskTracker, leases: &Leases) {
    settling.close();
    if tokio::time::timeout(LAST_SETTLEMENTS, settling.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            jobs = leases.count(),
            "redis does not answer; the last jobs come back when their leases run out"
        );
    }
}
