//! The heartbeat: says that this worker lives, and renews its leases.
//!
//! It stands beside the line, from claim to settle, on a thread and a
//! connection of its own: a report of megabytes or a job that hogs the
//! processor must not cost the others their leases.

use std::sync::Arc;
use std::time::Instant;

use hookme_shared::error::causes;
use hookme_shared::queue::{Address, BATCH_MAX, Queue, QueueError, Renewed, Terms};
use hookme_shared::span::whole_ms;
use hookme_shared::trouble::Trouble;
use tokio_util::sync::CancellationToken;

use crate::leases::{Leases, Stop};

/// How many heartbeats there are to a lease.
const BEATS: u32 = 3;
/// While Redis does not answer, so many times as often.
const HASTE: u32 = 5;

/// What the heartbeat needs.
#[derive(Debug)]
pub struct Heartbeat {
    /// Where Redis is.
    pub address: Address,
    /// The terms of the queue.
    pub terms: Terms,
    /// This worker's id.
    pub worker: String,
    /// What it says of itself, beside how many jobs it runs.
    pub about: Vec<(&'static str, String)>,
    /// The leases to be renewed.
    pub leases: Arc<Leases>,
}

impl Heartbeat {
    /// Beats until `done`. To be run on a thread of its own.
    pub async fn run(self, done: CancellationToken) {
        // A queue of its own, because a connection lives on the runtime that it was made on.
        match Queue::new(&self.address, self.terms) {
            Ok(queue) => {
                let working = async { tokio::join!(self.beat(&queue), self.stop_stale()) };
                done.run_until_cancelled(working).await;
            }
            Err(error) => tracing::error!(%error, "the heartbeat has no connection"),
        }
    }

    /// Stops the jobs whose leases are not renewed in time, however long a renewal that is
    /// under way waits for Redis.
    async fn stop_stale(&self) {
        loop {
            let jobs = self.leases.stop_when_stale().await;
            tracing::warn!(
                jobs,
                "jobs are stopped because their leases could not be renewed in time"
            );
        }
    }

    async fn beat(&self, queue: &Queue) {
        let lease = self.terms.lease;
        let trouble = Trouble::default();
        loop {
            let wait = match self.renew(queue).await {
                Ok(()) => {
                    if let Some(away) = trouble.end() {
                        tracing::info!(away_ms = whole_ms(away), "leases are renewed again");
                    }
                    lease / BEATS
                }
                Err(error) => {
                    if trouble.is_news(&error) {
                        tracing::warn!(error = causes(&error), "leases could not be renewed");
                    }
                    lease / (BEATS * HASTE)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Renews all leases, in batches; says at least that the worker lives.
    async fn renew(&self, queue: &Queue) -> Result<(), QueueError> {
        let claims = self.leases.claims();
        let mut about = self.about.clone();
        about.push(("running", claims.len().to_string()));
        let mut batches = claims.chunks(BATCH_MAX);
        let mut batch = batches.next().unwrap_or_default();
        loop {
            let sent = Instant::now();
            let answers = queue.renew(&self.worker, &about, batch).await?;
            for ((id, fence), answer) in batch.iter().zip(answers) {
                match answer {
                    Renewed::Kept => self.leases.renewed(*id, fence, sent),
                    Renewed::CancelAsked => {
                        self.leases.renewed(*id, fence, sent);
                        self.leases.stop(*id, fence, Stop::CancelAsked);
                    }
                    Renewed::Lost => self.leases.stop(*id, fence, Stop::Lost),
                }
            }
            about.clear();
            batch = match batches.next() {
                Some(next) => next,
                None => return Ok(()),
            };
        }
    }
}
