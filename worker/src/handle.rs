//! What a worker does with a claimed job: the seam between the line that all
//! jobs go along and what one kind of job needs.

use std::sync::Arc;
use std::time::Instant;

use hookme_shared::job::{Fence, Job};
use hookme_shared::queue::{QueueError, Settlement};

use crate::github::Outlook;
use crate::leases::Leases;

/// One attempt at a job, while the lease holds.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job's record at the claim.
    pub job: Job,
    /// What proves the claim.
    pub fence: Fence,
    /// The stored form of its kept report, if it came with the claim.
    pub report: Option<Vec<u8>>,
    pub(crate) leases: Arc<Leases>,
}

impl Attempt {
    /// Whether the lease was renewed lately enough to act on the world now.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.leases
            .is_fresh(self.job.id, &self.fence, Instant::now())
    }
}

/// The random part of a wait: a uniform sample in `[0, 1)`.
#[must_use]
pub fn jitter() -> f64 {
    rand::random_range(0.0..1.0)
}

/// How an attempt ends whose lease was not renewed lately.
#[must_use]
pub fn not_renewed() -> Settlement {
    Settlement::Release {
        reason: "the lease could not be renewed in time".to_owned(),
    }
}

/// Works on jobs. The future may be dropped at any await, when the lease is lost.
pub trait Handle: Send + Sync + 'static {
    /// What the claim of jobs needs to know about GitHub, if jobs ask it.
    fn outlook(&self) -> Outlook {
        Outlook::default()
    }

    /// Works on one job and says how the attempt ends; `None` if the job turned
    /// out to be another's, and there is nothing to say.
    fn handle(
        &self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Option<Settlement>, QueueError>> + Send;
}
