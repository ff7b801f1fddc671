//! The queue in Redis: the one module that speaks to it.

mod error;
mod types;

pub use error::QueueError;
pub use types::*;

use crate::job::{JobId, State};

/// How many jobs one call can claim, renew or settle at most.
pub const BATCH_MAX: usize = 128;
/// How many entries of a job's history are kept.
pub const HISTORY_MAX: usize = 32;
/// How many jobs one page of a listing holds at most.
pub const PAGE_MAX: usize = 100;

/// The queue of one namespace in one Redis.
#[derive(Clone)]
pub struct Queue {}

impl Queue {
    /// Admits a task, or says why not. `limits.live_jobs` is what the settings
    /// in Redis fall back on.
    pub async fn submit(&self, submission: &Submission) -> Result<Submitted, QueueError> { todo!() }
    /// Cancels a job: at once if it is scheduled, else by asking its worker.
    pub async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> { todo!() }
    /// Puts a dead job back into its lane, due now.
    pub async fn revive(&self, id: JobId) -> Result<Revived, QueueError> { todo!() }
    /// Says where a job is and why; `None` if there is no such job.
    pub async fn explain(&self, id: JobId) -> Result<Option<Explanation>, QueueError> { todo!() }
    /// Lists jobs of one state, at most `limit` (1 to [`PAGE_MAX`]).
    pub async fn list(&self, state: State, after: Option<Cursor>, limit: usize) -> Result<Page, QueueError> { todo!() }
    /// Counts what there is.
    pub async fn counts(&self) -> Result<Counts, QueueError> { todo!() }
    /// Looks whether this Redis can be trusted with jobs; each complaint is a
    /// sentence that says what to do. Empty when all is well.
    pub async fn complaints(&self) -> Result<Vec<Complaint>, QueueError> { todo!() }
}

/// Something about this Redis or its settings that an operator should mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong and what to do, in a sentence.
    pub text: String,
    /// Whether jobs are unsafe, so that a program must not start or be ready.
    pub unsafe_for_jobs: bool,
}
