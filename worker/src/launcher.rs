//! Starts the parts of a worker and ends them in order.
//!
//! At the end: no more claims; running jobs finish within the grace; what is
//! left is given back with no failure counted; the last ends are settled; then
//! the heartbeat stops, which until then kept the leases. A part that fails brings
//! the end too, without the grace. Each step has its deadline, as Redis may hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookme_shared::queue::{Address, Queue};
use hookme_shared::span::whole_ms;
use hookme_shared::supervisor::{Supervisor, Task};
use hookme_shared::trouble::Trouble;
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::RunError;
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

/// How long, after the grace, jobs may take to stop, and then their settlements to go
/// through. What is not settled then comes back when its lease runs out.
const LAST_SETTLEMENTS: Duration = Duration::from_secs(3);
/// How long, once all jobs have ended or are left, the rest of the end may take, the
/// settlements among it. With the time to stop jobs that is less than 10 s after the grace,
/// when whoever follows the README kills.
const REST_MAX: Duration = Duration::from_secs(5);

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
    /// Works until the shutdown of the `supervisor`, then ends in order.
    ///
    /// # Errors
    ///
    /// If the system gives no thread for the heartbeat, or a part failed meanwhile.
    pub async fn run<H: Handle>(
        mut self,
        handler: H,
        supervisor: Supervisor,
    ) -> Result<(), RunError> {
        let (jobs, done, no_heartbeat) = (
            TaskTracker::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let leases = Arc::new(Leases::new(self.queue.terms().lease));
        let bell = Bell::default();

        let heartbeat = self.heartbeat(&leases).run(no_heartbeat.clone());
        let heartbeat = supervisor.spawn_thread("heartbeat", heartbeat)?;
        let (settler, settling) = Settler::new(
            self.queue.clone(),
            Arc::clone(&leases),
            Arc::clone(&self.metrics),
        );
        let settling = supervisor.spawn("settler", settling.run());
        let beside = self.beside(&bell, &done, &supervisor);
        let runner = Arc::new(Runner {
            handler,
            settler,
            retry: self.retry,
            metrics: Arc::clone(&self.metrics),
            trouble: Trouble::default(),
        });
        let claimer = self.claimer(&leases, bell, &runner, &jobs);
        tracing::info!(
            worker = self.worker,
            concurrency = self.concurrency,
            "taking jobs"
        );
        let claiming = supervisor.spawn("claimer", claimer.run(supervisor.ending()));
        supervisor.ending().cancelled().await;
        let grace_over = Instant::now() + self.shutdown_grace;
        let ending_jobs = async {
            claiming.ended().await;
            end_jobs(&jobs, &leases, grace_over, &supervisor).await;
        };
        let jobs_over = (grace_over + LAST_SETTLEMENTS).into();
        if timeout_at(jobs_over, ending_jobs).await.is_err() {
            // A claim that hangs is no reason for others to go on.
            leases.stop_all(Stop::Shutdown);
            tracing::warn!(
                jobs = jobs.len(),
                "some jobs did not stop; they come back when their leases run out"
            );
        }
        // Held so long, so that no end of the claimer is the end of other parts.
        drop(runner);
        let rest = async {
            end_settling(&settling, &leases).await;
            no_heartbeat.cancel();
            heartbeat.ended().await;
            done.cancel();
            for task in beside {
                task.ended().await;
            }
            self.sign_off().await;
            supervisor.all_ended().await;
        };
        if timeout(REST_MAX, rest).await.is_err() {
            tracing::warn!(
                "redis does not answer; the worker ends all the same. Permits that it could not give back count until their terms are over"
            );
        }
        no_heartbeat.cancel();
        done.cancel();
        tracing::info!(worker = self.worker, "ended");
        Ok(supervisor.outcome()?)
    }

    fn claimer<H>(
        &self,
        leases: &Arc<Leases>,
        bell: Bell,
        runner: &Arc<Runner<H>>,
        jobs: &TaskTracker,
    ) -> Claimer<H> {
        Claimer {
            queue: self.queue.clone(),
            worker: self.worker.clone(),
            concurrency: self.concurrency,
            leases: Arc::clone(leases),
            bell,
            runner: Arc::clone(runner),
            jobs: jobs.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }

    async fn sign_off(&self) {
        if let Err(error) = self.queue.depart(&self.worker).await {
            tracing::debug!(%error, "could not sign off; the presence ends by itself");
        }
    }

    /// Starts what works beside the line until `done`, but for the heartbeat.
    fn beside(
        &mut self,
        bell: &Bell,
        done: &CancellationToken,
        supervisor: &Supervisor,
    ) -> Vec<Task> {
        let queue = || self.queue.clone();
        let reaping = reaper::reap(queue(), done.clone());
        let listening = hints::listen(queue(), bell.clone(), done.clone());
        let mut tasks = vec![
            supervisor.spawn("reaper", reaping),
            supervisor.spawn("hint listener", listening),
        ];
        if let Some(operator) = self.operator.take() {
            let serving = operator.serve(
                self.queue.clone(),
                Arc::clone(&self.metrics),
                self.allow_unsafe,
                supervisor.clone(),
                done.clone(),
            );
            tasks.push(supervisor.spawn("operators' server", serving));
        }
        tasks
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

/// Lets running jobs finish until the grace is over, while every part works; stops those
/// that are left.
async fn end_jobs(
    jobs: &TaskTracker,
    leases: &Leases,
    grace_over: Instant,
    supervisor: &Supervisor,
) {
    jobs.close();
    tracing::info!(
        jobs = jobs.len(),
        grace_ms = whole_ms(grace_over.saturating_duration_since(Instant::now())),
        "no more jobs are taken; running ones may finish"
    );
    let in_time = timeout_at(grace_over.into(), jobs.wait());
    let have_ended = tokio::select! {
        in_time = in_time => in_time.is_ok(),
        () = supervisor.failed() => jobs.is_empty(),
    };
    if have_ended {
        return;
    }
    tracing::info!(jobs = jobs.len(), "the jobs that are left are given back");
    leases.stop_all(Stop::Shutdown);
    // Handing over to the settler can stall while Redis does not answer.
    jobs.wait().await;
}

/// Waits until the last ends are settled, but not for ever.
async fn end_settling(settling: &Task, leases: &Leases) {
    let settled = timeout(LAST_SETTLEMENTS, settling.ended()).await;
    if settled.is_err() || leases.count() > 0 {
        tracing::warn!(
            jobs = leases.count(),
            "the last jobs may not be settled; those that are not come back when their leases run out"
        );
    }
}
