//! Settles jobs: the last step of the line.
//!
//! Successes are gathered while a call to Redis is under way, and sent together with
//! the next one; any other end has a call of its own. While Redis does not answer, or
//! does not do it now, an end is kept and sent again with the same fence, which does no
//! harm; the heartbeat goes on renewing its lease. So it is where the Redis user lacks a
//! right, as no end is better off. What Redis fails otherwise is tried alone, so that it keeps
//! no other end waiting, and after a few tries left to its lease.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use hookme_shared::job::{Fence, JobId};
use hookme_shared::queue::{AttemptEnd, BATCH_MAX, Queue, QueueError, Settled, Settlement};
use hookme_shared::span::whole_ms;
use hookme_shared::trouble::Trouble;
use tokio::sync::mpsc::{self, error::SendError};

use crate::leases::Leases;
use crate::metrics::Metrics;

/// Ends of attempts that may wait to be sent; a runner waits when there are more.
const WAITING_MAX: usize = 2 * BATCH_MAX;
/// How often an end is sent that Redis fails; it does not get better by waiting.
const TRIES_MAX: u32 = 3;
/// The first and the longest wait before a call that got no answer is sent again.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct End {
    id: JobId,
    fence: Fence,
    settlement: Settlement,
    /// Of the last answer from outside.
    status: Option<u16>,
}

/// Takes the ends of attempts. Clones feed the same task.
#[derive(Debug, Clone)]
pub struct Settler {
    successes: mpsc::Sender<End>,
    others: mpsc::Sender<End>,
    leases: Arc<Leases>,
}

/// The task behind a [`Settler`]; it ends when every clone is gone and all is sent.
#[derive(Debug)]
pub struct SettlerTask {
    successes: mpsc::Receiver<End>,
    others: mpsc::Receiver<End>,
    settling: Settling,
}

/// What settling needs.
#[derive(Debug)]
struct Settling {
    queue: Queue,
    leases: Arc<Leases>,
    metrics: Arc<Metrics>,
    trouble: Trouble,
}

impl Settler {
    /// A settler and the task that must run for it.
    #[must_use]
    pub fn new(queue: Queue, leases: Arc<Leases>, metrics: Arc<Metrics>) -> (Self, SettlerTask) {
        let (successes, succeeded) = mpsc::channel(WAITING_MAX);
        let (others, ended) = mpsc::channel(WAITING_MAX);
        let task = SettlerTask {
            successes: succeeded,
            others: ended,
            settling: Settling {
                queue,
                leases: Arc::clone(&leases),
                metrics,
                trouble: Trouble::default(),
            },
        };
        let settler = Self {
            successes,
            others,
            leases,
        };
        (settler, task)
    }

    /// Hands over the end of an attempt, with the status of the last answer that it got
    /// from outside; waits while too many others do.
    pub async fn settle(
        &self,
        id: JobId,
        fence: Fence,
        settlement: Settlement,
        status: Option<u16>,
    ) {
        let to = match settlement {
            Settlement::Finish => &self.successes,
            _ => &self.others,
        };
        let end = End {
            id,
            fence,
            settlement,
            status,
        };
        if let Err(SendError(end)) = to.send(end).await {
            tracing::error!(job.id = %id, "the settler is gone; the job comes back when its lease runs out");
            self.leases.forget(id, &end.fence);
        }
    }
}

impl SettlerTask {
    /// Settles until nobody can hand over more.
    pub async fn run(self) {
        let Self {
            mut successes,
            mut others,
            settling,
        } = self;
        // Others are few: each is a failure or a stop.
        let others = stream::poll_fn(|context| others.poll_recv(context));
        let settling = Arc::new(settling);
        let others = others.for_each_concurrent(BATCH_MAX, |end| {
            let settling = Arc::clone(&settling);
            async move { settling.settle(end).await }
        });
        let finishing = async {
            let mut gathered = Vec::with_capacity(BATCH_MAX);
            while successes.recv_many(&mut gathered, BATCH_MAX).await > 0 {
                settling.finish(std::mem::take(&mut gathered)).await;
            }
        };
        tokio::join!(finishing, others);
    }
}

impl Settling {
    /// Settles successes together. If Redis fails that, one of them may be the cause, so
    /// each is settled alone.
    async fn finish(&self, ends: Vec<End>) {
        let (claims, statuses): (Vec<(JobId, Fence)>, Vec<_>) = ends
            .iter()
            .map(|end| ((end.id, end.fence.clone()), end.status))
            .unzip();
        let finish = || self.queue.finish(&claims, &statuses);
        match self.until_answered("finish", 1, finish).await {
            Ok(answers) => {
                for ((id, fence), answer) in claims.iter().zip(answers) {
                    self.settled(*id, fence, &Settlement::Finish, answer);
                }
            }
            Err(_) => {
                join_all(ends.into_iter().map(|end| self.settle(end))).await;
            }
        }
    }

    async fn settle(&self, end: End) {
        let End {
            id,
            fence,
            settlement,
            status,
        } = end;
        let end = AttemptEnd {
            settlement: &settlement,
            status,
        };
        let settle = || self.queue.settle(id, &fence, end);
        match self.until_answered("settle", TRIES_MAX, settle).await {
            Ok(answer) => self.settled(id, &fence, &settlement, answer),
            Err(error) => self.given_up(id, &fence, &error),
        }
    }

    fn settled(&self, id: JobId, fence: &Fence, settlement: &Settlement, answer: Settled) {
        self.leases.forget(id, fence);
        self.metrics.settled(answer);
        match (settlement, answer) {
            (_, Settled::Stale | Settled::Gone) => {
                tracing::warn!(job.id = %id, fence = fence.as_str(), "another claim holds the job by now; this attempt changed nothing");
            }
            (_, Settled::Cancelled) => {
                tracing::info!(job.id = %id, "a job is cancelled, as a client asked");
            }
            (Settlement::Finish, _) => tracing::debug!(job.id = %id, "a job succeeded"),
            (Settlement::Grade(grade), _) => {
                tracing::debug!(job.id = %id, passed = grade.passed, total = grade.total, "a commit is graded");
            }
            (Settlement::Retry { delay, reason }, _) => {
                tracing::info!(job.id = %id, delay_ms = whole_ms(*delay), reason, "a job failed and is tried again");
            }
            (Settlement::Defer { delay, reason }, _) => {
                tracing::info!(job.id = %id, delay_ms = whole_ms(*delay), reason, "a job waits");
            }
            (Settlement::Release { reason }, _) => {
                tracing::info!(job.id = %id, reason, "a job is given back");
            }
            (Settlement::Bury { reason }, _) => {
                tracing::warn!(job.id = %id, reason, "a job is dead");
            }
        }
    }

    fn given_up(&self, id: JobId, fence: &Fence, error: &QueueError) {
        tracing::error!(job.id = %id, %error, "a job could not be settled; it comes back when its lease runs out");
        self.leases.forget(id, fence);
    }

    /// Calls again, with the same arguments, for as long as Redis does not answer, does not do
    /// it now, or denies it. What it fails is called `tries` times, 1 or more; an answer that
    /// cannot be understood once.
    async fn until_answered<T, F: Future<Output = Result<T, QueueError>>>(
        &self,
        operation: &str,
        tries: u32,
        mut call: impl FnMut() -> F,
    ) -> Result<T, QueueError> {
        let (mut wait, mut failed) = (AGAIN_MIN, 0);
        loop {
            match call().await {
                Ok(answer) => {
                    if let Some(waited) = self.trouble.end() {
                        tracing::info!(waited_ms = whole_ms(waited), "jobs are settled again");
                    }
                    return Ok(answer);
                }
                Err(error) if error.meets_all_jobs() => self.waits(operation, &error),
                Err(error @ QueueError::Failed { .. }) if failed + 1 < tries => {
                    failed += 1;
                    tracing::debug!(operation, %error, failed, "the call failed; it is sent again");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.75..1.0))).await;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    fn waits(&self, operation: &str, error: &QueueError) {
        if !self.trouble.is_news(error) {
            return;
        }
        if error.is_denied() {
            tracing::error!(operation, %error, "jobs are not settled until the Redis user has its rights; their ends are kept and sent again");
        } else {
            tracing::warn!(operation, %error, "jobs are not settled until redis does it; their ends are kept and sent again");
        }
    }
}
