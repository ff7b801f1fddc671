//! Claims jobs that are due: the step of the line between waiting and work.
//!
//! Permits come first: it asks for as many jobs as there are free permits and
//! never holds one that it cannot start. Between two claims it sleeps until the
//! next job is due, or a hint comes that one is due sooner.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hookme_shared::queue::{
    BATCH_MAX, Batch, ClaimRequest, Claimed, Next, Queue, QueueError, Role, Settlement,
};
use hookme_shared::span::whole_ms;
use hookme_shared::supervisor::words_of;
use hookme_shared::trouble::Trouble;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::handle::{Attempt, Handle};
use crate::hints::Bell;
use crate::leases::Leases;
use crate::metrics::Metrics;
use crate::runner::Runner;

/// The longest sleep: a hint can be lost, and a pause lifted without one.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// The longest sleep while jobs wait for their turn to ask GitHub, and no more such
/// jobs are claimed.
const SLEEP_CROWDED: Duration = Duration::from_millis(250);
/// The first and the longest wait before Redis is asked again when it was away.
const AWAY_MIN: Duration = Duration::from_millis(100);
const AWAY_MAX: Duration = Duration::from_secs(1);
/// How long a record that a newer version wrote is left for that version.
const NEWER_VERSION_WAIT: Duration = Duration::from_secs(10);

/// What the claimer needs.
#[derive(Debug)]
pub struct Claimer<H> {
    /// Where jobs come from.
    pub queue: Queue,
    /// This worker's id.
    pub worker: String,
    /// How many jobs run at once.
    pub concurrency: u32,
    /// The leases of this worker.
    pub leases: Arc<Leases>,
    /// Rings when a hint came.
    pub bell: Bell,
    /// Runs what is claimed.
    pub runner: Arc<Runner<H>>,
    /// Keeps track of the jobs that run.
    pub jobs: TaskTracker,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl<H: Handle> Claimer<H> {
    /// Claims until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.concurrency as usize));
        let mut round = Round {
            turn: 0,
            away: AWAY_MIN,
            trouble: Trouble::default(),
            when_empty: false,
            unanswered: None,
        };
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                taken = self.permits(&permits, round.when_empty) => taken,
            };
            let Some(taken) = taken else { return };
            // A claim is not abandoned half-way: its jobs would wait for their
            // leases to run out.
            let sleep = self.claim(taken, &mut round, &stop).await;
            if let Some(longest) = sleep {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.sleep(longest) => {}
                }
            }
        }
    }

    /// Sleeps until the bell rings, `longest` at most. Whoever would not take what is
    /// due does not listen: the hint is for another.
    async fn sleep(&self, longest: Duration) {
        if self.runner.handler.outlook().crowded {
            tokio::time::sleep(longest.min(SLEEP_CROWDED)).await;
        } else {
            self.bell.wait(longest).await;
        }
    }

    /// Waits for a free permit and takes all that are free, up to a batch; or
    /// all there are, once nothing is in hand.
    async fn permits(&self, permits: &Arc<Semaphore>, all: bool) -> Option<OwnedSemaphorePermit> {
        if all {
            let taken = Arc::clone(permits)
                .acquire_many_owned(self.concurrency)
                .await
                .ok()?;
            self.leases.empty().await;
            return Some(taken);
        }
        let mut taken = Arc::clone(permits).acquire_owned().await.ok()?;
        let more = permits.available_permits().min(BATCH_MAX - 1);
        if let Ok(more) =
            Arc::clone(permits).try_acquire_many_owned(u32::try_from(more).unwrap_or(0))
        {
            taken.merge(more);
        }
        Some(taken)
    }

    /// Claims once and starts what came. Says how long to sleep, if at all.
    async fn claim(
        &self,
        permits: OwnedSemaphorePermit,
        round: &mut Round,
        stop: &CancellationToken,
    ) -> Option<Duration> {
        let (request, sent) = round.request();
        let outlook = self.runner.handler.outlook();
        let request = ClaimRequest {
            request,
            wanted: permits.num_permits(),
            holds_nothing: permits.num_permits() == self.concurrency as usize
                && self.leases.count() == 0,
            turn: round.turn,
            asking: outlook.asking,
            fetches: !outlook.crowded,
        };
        let longest = if outlook.crowded {
            SLEEP_CROWDED
        } else {
            SLEEP_MAX
        };
        match self.claim_surely(&request, stop).await {
            Ok(batch) => {
                let next = batch.next;
                round.answered(&batch);
                self.start(batch, permits, sent);
                match next {
                    Next::Now | Next::WhenEmpty => None,
                    Next::In(wait) => Some(wait.min(longest)),
                    Next::Hint => Some(longest),
                }
            }
            Err(error) => {
                round.failed(&error, request.request, sent);
                let wait = round.away.mul_f64(rand::random_range(0.75..1.0));
                if round.trouble.is_news(&error) {
                    self.say(&error).await;
                }
                round.away = (round.away * 2).min(AWAY_MAX);
                Some(wait)
            }
        }
    }

    /// Says why no jobs come, and what to do where it is known.
    async fn say(&self, error: &QueueError) {
        if error.passes() {
            tracing::warn!(%error, "redis gives no jobs; it is asked again until it does");
            return;
        }
        let denied = self.queue.denied(Role::Worker).await;
        let advice = denied.ok().flatten().map(|complaint| complaint.text);
        tracing::error!(%error, advice, "redis gives no jobs until somebody mends this; it is asked again until then");
    }

    /// Repeats a claim whose reply was lost: the same request returns the same
    /// batch, which would otherwise wait for its leases to run out. If that fails
    /// too, the next round asks with the same request again. Nothing is repeated once the
    /// worker has to `stop`.
    async fn claim_surely(
        &self,
        request: &ClaimRequest,
        stop: &CancellationToken,
    ) -> Result<Batch, QueueError> {
        match self.queue.claim(&self.worker, request).await {
            Err(QueueError::Unavailable { .. }) if !stop.is_cancelled() => {
                self.queue.claim(&self.worker, request).await
            }
            answered => answered,
        }
    }

    fn start(&self, batch: Batch, mut permits: OwnedSemaphorePermit, sent: Instant) {
        let alone = batch.jobs.len() == 1 && batch.jobs[0].job.crashes >= ALONE_FROM;
        for claimed in batch.jobs {
            // A job that runs alone takes all permits with it.
            let share = if alone { permits.num_permits() } else { 1 };
            let Some(permit) = permits.split(share) else {
                tracing::error!(job.id = %claimed.job.id, "more jobs were claimed than asked for");
                return;
            };
            self.start_one(claimed, permit, sent);
        }
        for (id, fence, detail) in batch.unreadable {
            tracing::warn!(job.id = %id, detail, "a newer version wrote this job; it is left for that one");
            let settler = self.runner.settler.clone();
            let end = Settlement::Defer {
                delay: NEWER_VERSION_WAIT,
                reason: "its record is of a newer version than the worker".to_owned(),
            };
            self.spawn(async move { settler.settle(id, fence, end, None).await });
        }
    }

    fn start_one(&self, claimed: Claimed, permit: OwnedSemaphorePermit, sent: Instant) {
        let Claimed {
            job,
            fence,
            late_ms,
            report,
        } = claimed;
        self.metrics.claimed(late_ms);
        let (id, leases, held) = (job.id, Arc::clone(&self.leases), fence.clone());
        let lease = leases.hold(id, fence.clone(), sent);
        let attempt = Attempt {
            job,
            fence,
            report,
            leases: Arc::clone(&self.leases),
        };
        let runner = Arc::clone(&self.runner);
        self.spawn(async move {
            let run = AssertUnwindSafe(runner.run(attempt, lease));
            if let Err(panic) = run.catch_unwind().await {
                tracing::error!(job.id = %id, reason = words_of(&*panic), "a job's task panicked; the job comes back when its lease runs out");
                leases.forget(id, &held);
            }
            drop(permit);
        });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a job's task ends with the job, and the launcher waits for it"
    )]
    fn spawn(&self, of_a_job: impl Future<Output = ()> + Send + 'static) {
        drop(self.jobs.spawn(of_a_job));
    }
}

/// From this many crashes in a row a job runs with nothing beside it. The
/// functions have the same number in `lua/prelude.lua`.
const ALONE_FROM: u32 = 3;

/// What one claim leaves for the next.
#[derive(Debug)]
struct Round {
    turn: u32,
    away: Duration,
    trouble: Trouble,
    when_empty: bool,
    /// A request that Redis may have granted without our knowing, and when it was
    /// sent first. A later round has as many permits at least: nothing starts
    /// while it is open.
    unanswered: Option<(String, Instant)>,
}

impl Round {
    /// The request to send, and since when its leases may run.
    fn request(&self) -> (String, Instant) {
        let fresh = || (format!("{:016x}", rand::random::<u64>()), Instant::now());
        self.unanswered.clone().unwrap_or_else(fresh)
    }

    fn failed(&mut self, error: &QueueError, request: String, sent: Instant) {
        match error {
            QueueError::Unavailable { .. } | QueueError::Failed { .. } => {
                self.unanswered = Some((request, sent));
            }
            // It did not take effect now; an earlier sending of it may have.
            QueueError::Refused { .. } => {}
            QueueError::Corrupt { .. } => self.unanswered = None,
        }
    }

    fn answered(&mut self, batch: &Batch) {
        self.unanswered = None;
        self.turn = self
            .turn
            .wrapping_add(u32::try_from(batch.jobs.len()).unwrap_or(0));
        self.away = AWAY_MIN;
        if let Some(away) = self.trouble.end() {
            tracing::info!(away_ms = whole_ms(away), "redis gives jobs again");
        }
        self.when_empty = batch.next == Next::WhenEmpty;
    }
}
