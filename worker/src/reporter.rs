//! Works on report jobs: the story of one attempt, from fetch to delivery.

use hookme_shared::job::{JobId, Stage};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Advanced, Loaded, MadeReport, Queue, QueueError, Settlement};
use hookme_shared::trouble::Trouble;

use crate::courier::{Courier, Parcel};
use crate::fetch::{Checkpoint, Fetcher};
use crate::github::{Failure, Outlook};
use crate::handle::{Attempt, Handle, jitter};
use crate::policy::retry::RetryPolicy;
use crate::policy::settlement::after_asking;
use crate::report::{KeptReport, Omissions};

/// Everything that a report job needs.
pub struct Reporter {
    /// Where reports are kept.
    pub queue: Queue,
    /// Asks GitHub.
    pub fetcher: Fetcher,
    /// Takes it to where it goes.
    pub courier: Courier,
    /// When a failed job is tried again.
    pub retry: RetryPolicy,
    /// `REPORT_MAX_BYTES`: the largest body that is sent.
    pub report_max_bytes: usize,
    /// Whether there was no room for reports lately.
    pub room: Trouble,
}

/// How the way to a ready body ended.
enum Prepared {
    Ready(Parcel),
    Ended(Settlement),
    Lost,
}

impl Handle for Reporter {
    fn outlook(&self) -> Outlook {
        self.fetcher.outlook()
    }

    async fn handle(&self, mut attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        let Some(target) = self.courier.target(attempt.job.destination.as_ref()) else {
            let reason = "WEBHOOK_URL is none: there is nobody to send the report to";
            return Ok(Some(Settlement::Bury {
                reason: reason.to_owned(),
            }));
        };
        if attempt.job.stage == Stage::Fetch
            && let Some(settlement) = self.courier.closed(&target)
        {
            return Ok(Some(settlement));
        }
        let prepared = match self.kept(&mut attempt).await? {
            Some(prepared) => prepared,
            None => self.fetched(&attempt).await?,
        };
        let ready = match prepared {
            Prepared::Ready(ready) => ready,
            Prepared::Ended(settlement) => return Ok(Some(settlement)),
            Prepared::Lost => return Ok(None),
        };
        Ok(Some(self.courier.send(&attempt, &target, ready).await?))
    }
}

impl Reporter {
    /// The body of an earlier attempt, to be sent again under its id.
    async fn kept(&self, attempt: &mut Attempt) -> Result<Option<Prepared>, QueueError> {
        let job = &attempt.job;
        if job.stage != Stage::Deliver {
            return Ok(None);
        }
        let bytes = match attempt.report.take() {
            Some(bytes) => bytes,
            None => match self.queue.load_report(job.id, &attempt.fence).await? {
                Loaded::Kept(bytes) => bytes,
                Loaded::Missing => return Ok(None),
                Loaded::Lost => return Ok(Some(Prepared::Lost)),
            },
        };
        match KeptReport::decompress(&bytes, self.report_max_bytes) {
            Ok(kept) => Ok(Some(Prepared::Ready(parcel(job.id, job.bodies, kept)))),
            Err(error) => {
                tracing::warn!(job.id = %job.id, %error, "the kept report cannot be used; it is fetched again");
                Ok(None)
            }
        }
    }

    /// A new body, kept for later attempts if there is room.
    async fn fetched(&self, attempt: &Attempt) -> Result<Prepared, QueueError> {
        let job = &attempt.job;
        let Some(mut checkpoint) = self.checkpoint(attempt).await? else {
            return Ok(Prepared::Lost);
        };
        let fetched = self.fetch(&job.username, &job.repository, &mut checkpoint);
        let kept = match fetched.await {
            Ok(kept) => kept,
            Err(failure) => {
                let settlement = after_asking(failure, job.failures, &self.retry, jitter())?;
                self.keep_checkpoint(attempt, &settlement, &checkpoint)
                    .await?;
                return Ok(Prepared::Ended(settlement));
            }
        };
        let made = MadeReport {
            bytes: &kept.compress(),
            truncated: kept.omissions.truncated,
        };
        match self.queue.keep_report(job.id, &attempt.fence, made).await? {
            Advanced::Stored { body } => {
                self.room.end();
                Ok(Prepared::Ready(parcel(job.id, body, kept)))
            }
            Advanced::WithoutReport { body } => {
                if self.room.is_news_of("no room") {
                    tracing::warn!(job.id = %job.id, "there is no room to keep reports; until there is, a retry fetches its report again");
                }
                Ok(Prepared::Ready(parcel(job.id, body, kept)))
            }
            Advanced::Lost => Ok(Prepared::Lost),
        }
    }

    /// How far an earlier attempt came; `None` if the job is another's by now.
    async fn checkpoint(&self, attempt: &Attempt) -> Result<Option<Checkpoint>, QueueError> {
        let job = &attempt.job;
        if job.stage != Stage::Fetch || !job.has_report {
            return Ok(Some(Checkpoint::default()));
        }
        let bytes = match self.queue.load_report(job.id, &attempt.fence).await? {
            Loaded::Kept(bytes) => bytes,
            Loaded::Missing => return Ok(Some(Checkpoint::default())),
            Loaded::Lost => return Ok(None),
        };
        let checkpoint = Checkpoint::decompress(&bytes, self.report_max_bytes);
        Ok(Some(checkpoint.unwrap_or_else(|error| {
            tracing::warn!(job.id = %job.id, %error, "the checkpoint cannot be used; the fetch begins anew");
            Checkpoint::default()
        })))
    }

    /// Keeps how far the fetch came, if the job will be tried again.
    async fn keep_checkpoint(
        &self,
        attempt: &Attempt,
        settlement: &Settlement,
        checkpoint: &Checkpoint,
    ) -> Result<(), QueueError> {
        let goes_on = matches!(
            settlement,
            Settlement::Defer { .. } | Settlement::Retry { .. }
        );
        if !goes_on || checkpoint.is_empty() {
            return Ok(());
        }
        let id = attempt.job.id;
        let kept = match checkpoint.compress(self.report_max_bytes) {
            Some(bytes) => {
                self.queue
                    .keep_checkpoint(id, &attempt.fence, &bytes)
                    .await?
            }
            None => false,
        };
        if !kept {
            tracing::debug!(job.id = %id, "the checkpoint is not kept; the next attempt begins where the last kept one stands");
        }
        Ok(())
    }

    async fn fetch(
        &self,
        username: &str,
        repository: &str,
        checkpoint: &mut Checkpoint,
    ) -> Result<KeptReport, Failure> {
        let unusable = |reason: String| Failure::Final { reason };
        let owner = Username::parse(username).map_err(|error| unusable(error.to_string()))?;
        let name =
            RepositoryName::parse(repository).map_err(|error| unusable(error.to_string()))?;
        let report = self.fetcher.fetch(&owner, &name, checkpoint).await?;
        let omissions = Omissions {
            contributors_unavailable: report.contributors_unavailable,
            truncated: report.truncated,
        };
        let body = report
            .into_body()
            .map_err(|error| unusable(error.to_string()))?;
        if body.len() > self.report_max_bytes {
            return Err(unusable(format!(
                "the report has {} bytes, more than REPORT_MAX_BYTES ({}) allows",
                body.len(),
                self.report_max_bytes
            )));
        }
        Ok(KeptReport { body, omissions })
    }
}

/// What is sent of a report. A body has an id of its own: the job's for the first, then
/// with a number, so that one id never names two bodies.
fn parcel(id: JobId, body: u32, kept: KeptReport) -> Parcel {
    let webhook_id = if body <= 1 {
        id.to_string()
    } else {
        format!("{id}-{body}")
    };
    Parcel {
        webhook_id,
        body: kept.body,
        omissions: kept.omissions,
    }
}
