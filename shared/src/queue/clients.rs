//! The calls that serve clients: admission, and what can be asked of a job.

use super::{
    Cancelled, Counts, Cursor, DESTINATIONS_MAX, Enabled, Explanation, IDEMPOTENCY_TTL, Known,
    LOOKS_MAX, PAGE_MAX, Page, Queue, QueueError, Revived, Submission, Submitted, Work, reply,
};
use crate::destination::Destination;
use crate::feedback::PullRequest;
use crate::job::{Job, JobId, State};
use crate::names::{RepositoryName, Username};
use crate::owner::KeyId;
use crate::span::whole_ms;

impl Queue {
    /// Admits a task, or says why not.
    pub async fn submit(&self, task: &Submission) -> Result<Submitted, QueueError> {
        let (key_hash, body_hash) = task.idempotency.as_ref().map_or(("", ""), |known| {
            (known.key_hash.as_str(), known.body_hash.as_str())
        });
        let call = self
            .function("submit")
            .arg(task.id.to_string())
            .arg(task.work.kind().as_str())
            .arg(task.username.as_str())
            .arg(task.repository.as_str())
            .arg(whole_ms(task.delay))
            .arg(self.live_limit())
            .arg(key_hash)
            .arg(body_hash)
            .arg(whole_ms(IDEMPOTENCY_TTL))
            .arg(task.owner.as_ref().map_or("", KeyId::as_str))
            .arg(task.destination.as_ref().map_or("", |to| to.url().as_str()))
            .arg(
                task.destination
                    .as_ref()
                    .map(Destination::id)
                    .unwrap_or_default(),
            );
        let call = match &task.work {
            Work::Report => call,
            Work::Feedback {
                pull_request,
                commit,
                evaluation,
            } => call
                .arg(pull_request.get())
                .arg(commit.as_str())
                .arg(evaluation.to_json()),
        };
        self.call(call, reply::submitted).await
    }

    /// Cancels a job: at once if it is scheduled, else by asking its worker.
    pub async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        self.call(
            self.function("cancel").arg(id.to_string()),
            reply::cancelled,
        )
        .await
    }

    /// Puts a dead job back into its lane, due now.
    pub async fn revive(&self, id: JobId) -> Result<Revived, QueueError> {
        let call = self
            .function("revive")
            .arg(id.to_string())
            .arg(self.live_limit());
        self.call(call, reply::revived).await
    }

    /// Says where a job is and why; `None` if there is no such job.
    pub async fn explain(&self, id: JobId) -> Result<Option<Explanation>, QueueError> {
        let call = self.function("explain").arg(id.to_string());
        self.call(call, |value| reply::readings::explanation(id, value))
            .await
    }

    /// Lists jobs of one state, at most `limit` (1 to [`PAGE_MAX`]): those that were
    /// submitted with that key, or all. A call looks at no more than [`LOOKS_MAX`] jobs,
    /// so a page of one key's may hold few or none and have a next all the same.
    pub async fn list(
        &self,
        state: State,
        owner: Option<&KeyId>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, QueueError> {
        let (score, id) = after.map_or_else(Default::default, |cursor| {
            (cursor.score.to_string(), cursor.id.to_string())
        });
        let limit = limit.clamp(1, PAGE_MAX);
        let call = self
            .function("list")
            .arg(state.as_str())
            .arg(limit)
            .arg(score)
            .arg(id)
            .arg(owner.map_or("", KeyId::as_str))
            .arg(LOOKS_MAX);
        self.call(call, reply::readings::page).await
    }

    /// The jobs of feedback on a pull request that were submitted with these keys, or
    /// with none, the newest task first, at most `limit` (1 to [`PAGE_MAX`]). Only so
    /// many are ever listed.
    pub async fn find_feedback(
        &self,
        username: &Username,
        repository: &RepositoryName,
        pull_request: PullRequest,
        owners: &[Option<KeyId>],
        limit: usize,
    ) -> Result<Vec<Job>, QueueError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let call = self
            .function("find")
            .arg(username.as_str())
            .arg(repository.as_str())
            .arg(pull_request.get())
            .arg(limit);
        let call = owners.iter().fold(call, |call, owner| {
            call.arg(owner.as_ref().map_or("", KeyId::as_str))
        });
        self.call(call, reply::readings::found).await
    }

    /// Lets results go again to a place that wanted no more.
    pub async fn enable_destination(&self, destination: &str) -> Result<Enabled, QueueError> {
        let call = self.function("destination_enable").arg(destination);
        self.call(call, |value| reply::destinations::enabled(&value))
            .await
    }

    /// The places that results went to, the last used first, at most
    /// [`DESTINATIONS_MAX`].
    pub async fn destinations(&self) -> Result<Vec<Known>, QueueError> {
        let call = self.function("destination_list").arg(DESTINATIONS_MAX);
        self.call(call, reply::destinations::known).await
    }

    /// Counts what there is.
    pub async fn counts(&self) -> Result<Counts, QueueError> {
        self.call(self.function("counts"), reply::readings::counts)
            .await
    }

    /// The default for [`submit`](Self::submit) and [`revive`](Self::revive).
    fn live_limit(&self) -> u64 {
        self.0.terms.limits.live_jobs.unwrap_or(0)
    }
}
