//! Runs one claimed job to the end of its attempt.
//!
//! A panic is a failure of that job and of no other. A job whose lease is lost
//! is dropped where it stands.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use hookme_shared::hiding::{hide_in_text, secrets_of};
use hookme_shared::job::JobId;
use hookme_shared::queue::{QueueError, Settlement};
use hookme_shared::supervisor::words_of;
use hookme_shared::trouble::Trouble;

use crate::handle::{Attempt, Handle, jitter};
use crate::last_answer::attending;
use crate::leases::{Lease, Stop};
use crate::metrics::Metrics;
use crate::policy::retry::RetryPolicy;
use crate::policy::settlement;
use crate::settler::Settler;

/// What every run needs.
#[derive(Debug)]
pub struct Runner<H> {
    /// What is done with a job.
    pub handler: H,
    /// Where attempts end.
    pub settler: Settler,
    /// When a job that panicked is tried again.
    pub retry: RetryPolicy,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What keeps attempts from going on.
    pub trouble: Trouble,
}

impl<H: Handle> Runner<H> {
    /// Runs one attempt and hands its end to the settler.
    pub async fn run(&self, attempt: Attempt, mut lease: Lease) {
        let started = Instant::now();
        let (id, fence, failures) = (attempt.job.id, attempt.fence.clone(), attempt.job.failures);
        let leases = Arc::clone(&attempt.leases);
        // What the URL of its client keeps to itself stands in no words about the job.
        let destination = attempt.job.destination.clone();
        let hidden = |words: &str| {
            let secrets = destination.as_ref().map(|own| secrets_of(own.url()));
            hide_in_text(words, &secrets.unwrap_or_default())
        };
        tracing::debug!(job.id = %id, attempt = attempt.job.attempt, stage = %attempt.job.stage, "a job starts");
        let work = attending(self.handler.handle(attempt));
        let work = AssertUnwindSafe(work).catch_unwind();
        let (mut end, status) = tokio::select! {
            biased;
            stop = lease.stopped() => (at_stop(stop), None),
            result = work => match result {
                Ok((Ok(end), status)) => {
                    self.trouble.end();
                    (end, status)
                }
                Ok((Err(error), _)) => (Some(self.at_queue_error(id, &error, failures)), None),
                Err(panic) => {
                    let reason = hidden(&format!("the worker panicked: {}", words_of(&*panic)));
                    tracing::error!(job.id = %id, reason, "a job panicked");
                    (Some(self.failed(reason, failures)), None)
                }
            },
        };
        if let Some(reason) = end.as_mut().and_then(Settlement::reason_mut) {
            *reason = hidden(reason);
        }
        self.metrics.attempt_ended(end.as_ref(), started.elapsed());
        if let Some(end) = end {
            self.settler.settle(id, fence, end, status).await;
        } else {
            tracing::warn!(job.id = %id, fence = fence.as_str(), "another claim holds the job by now; this attempt ends");
            leases.forget(id, &fence);
        }
    }

    /// Redis failed in the middle of the attempt.
    fn at_queue_error(&self, id: JobId, error: &QueueError, failures: u32) -> Settlement {
        // Of each job the settler says why it waits.
        if !self.trouble.is_news(error) {
            tracing::debug!(job.id = %id, %error, "an attempt could not go on");
        } else if error.is_denied() {
            tracing::error!(job.id = %id, %error, "attempts cannot go on until the Redis user has its rights");
        } else {
            tracing::warn!(job.id = %id, %error, "an attempt could not go on");
        }
        settlement::after_queue_error(error, failures, &self.retry, jitter())
    }

    fn failed(&self, reason: String, failures: u32) -> Settlement {
        settlement::after_failure(reason, None, failures, &self.retry, jitter())
    }
}

fn at_stop(stop: Stop) -> Option<Settlement> {
    let reason = match stop {
        Stop::Lost => return None,
        Stop::RedisAway => "the worker lost Redis for too long",
        Stop::Shutdown => "its worker shut down",
        Stop::CancelAsked => "a client asked to cancel it",
    };
    Some(Settlement::Release {
        reason: reason.to_owned(),
    })
}
