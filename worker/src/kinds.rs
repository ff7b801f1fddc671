//! Which kind of job is worked on by whom.

use hookme_shared::job::Kind;
use hookme_shared::queue::{QueueError, Settlement};

use crate::commenter::Commenter;
use crate::github::Outlook;
use crate::handle::{Attempt, Handle};
use crate::reporter::Reporter;

/// Works on all kinds of jobs.
pub struct Kinds {
    /// Works on reports.
    pub reporter: Reporter,
    /// Works on feedback.
    pub commenter: Commenter,
}

impl Handle for Kinds {
    /// All jobs of a worker ask GitHub through one door.
    fn outlook(&self) -> Outlook {
        self.commenter.outlook()
    }

    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        match attempt.job.kind {
            Kind::Report => self.reporter.handle(attempt).await,
            Kind::Feedback => self.commenter.handle(attempt).await,
        }
    }
}
