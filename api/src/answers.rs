//! What clients get to read, apart from errors. These types are the API's
//! promise; the queue's own may change without them.

pub(crate) mod destinations;
pub(crate) mod examples;
mod feedback;

use hookme_shared::job::{Job, JobId, Kind};
use hookme_shared::queue::{Complaint, Explanation, HistoryEntry, Receipt, Severity};
use serde::Serialize;
use utoipa::ToSchema;

use self::feedback::FeedbackAnswer;
use crate::problem::Problem;
use crate::rfc3339::rfc3339;

/// A task that was taken, or the live one that was there before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    /// What happened, in words.
    #[schema(example = "task successfully scheduled")]
    ok: &'static str,
    /// The task's id.
    #[schema(example = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e")]
    id: String,
    /// Where it is in its life.
    #[schema(example = "scheduled")]
    state: &'static str,
    /// When it may start: RFC 3339, in UTC.
    #[schema(example = "2025-11-21T20:37:00.050Z", format = DateTime)]
    due_at: String,
    /// There, and true, if a live task did the same already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

impl Taken {
    /// A task that is in the queue now.
    pub(crate) fn new(ok: &'static str, receipt: Receipt) -> Self {
        let (id, state) = (receipt.id.to_string(), receipt.state.as_str());
        Self {
            ok,
            id,
            state,
            due_at: rfc3339(receipt.due_ms),
            duplicate: false,
        }
    }

    /// The live task of this kind that does the same.
    pub(crate) fn duplicate(kind: Kind, receipt: Receipt) -> Self {
        let ok = match kind {
            Kind::Report => "a task for this repository is live already",
            Kind::Feedback => "feedback on this commit is live already",
        };
        let taken = Self::new(ok, receipt);
        Self {
            duplicate: true,
            ..taken
        }
    }
}

/// What became of a request to cancel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelAnswer {
    /// What happened, in words.
    #[schema(example = "task cancelled")]
    pub(crate) ok: &'static str,
    /// The task's id.
    #[schema(example = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e")]
    pub(crate) id: String,
    /// Where it is in its life.
    #[schema(example = "cancelled")]
    pub(crate) state: &'static str,
}

/// A task. Times are RFC 3339, in UTC, by the clock of Redis.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    /// The task's id.
    #[schema(example = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e")]
    id: String,
    /// What it is for: report or feedback.
    #[schema(example = "report")]
    kind: &'static str,
    /// The repository's owner, as it was given.
    #[schema(example = "octocat")]
    username: String,
    /// The repository, as it was given.
    #[schema(example = "hello-world")]
    repository: String,
    /// Where its result goes, without the query; null if to the operator's webhook.
    #[schema(example = "https://hooks.example.com/hookme")]
    webhook_url: Option<String>,
    /// scheduled, running, succeeded, dead or cancelled.
    #[schema(example = "scheduled")]
    state: &'static str,
    /// The step that comes next, or that was the last: fetch, deliver, grade or
    /// comment.
    #[schema(example = "fetch")]
    stage: &'static str,
    /// When it may start, or might have.
    #[schema(example = "2025-11-21T20:37:00.050Z", format = DateTime)]
    due_at: String,
    /// When it was taken.
    #[schema(example = "2025-11-21T20:36:49.250Z", format = DateTime)]
    created_at: String,
    /// When a worker took it up last.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// How often a worker took it up.
    #[schema(example = 1)]
    attempts: u32,
    /// How many attempts failed since it was made, or was last retried by a client.
    #[schema(example = 0)]
    failures: u32,
    /// How often in a row its worker was lost.
    #[schema(example = 0)]
    crashes: u32,
    /// How many different bodies were made for the webhook.
    #[schema(example = 0)]
    bodies: u32,
    /// The lists of its report that were longer than what is fetched, and whose ends were
    /// left out: issues, contributors.
    #[schema(example = json!([]))]
    truncated: Vec<&'static str>,
    /// The worker that took it up last.
    worker: Option<String>,
    /// Why it waits again, or why it ended.
    #[schema(example = "the webhook answered 503")]
    reason: Option<String>,
    /// Whether it was asked to stop while it was running.
    #[schema(example = false)]
    cancel_requested: bool,
    /// The id of the key that it was made with.
    #[schema(example = "ci")]
    owner: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = FeedbackAnswer)]
    feedback: Option<FeedbackAnswer>,
}

impl From<Job> for Task {
    fn from(job: Job) -> Self {
        let state = job.state;
        let feedback = job.feedback;
        Self {
            feedback: feedback.map(|record| FeedbackAnswer::new(state, record)),
            id: job.id.to_string(),
            kind: job.kind.as_str(),
            username: job.username,
            repository: job.repository,
            webhook_url: job.destination.map(|destination| destination.to_string()),
            state: job.state.as_str(),
            stage: job.stage.as_str(),
            due_at: rfc3339(job.due_ms),
            created_at: rfc3339(job.created_ms),
            started_at: job.started_ms.map(rfc3339),
            ended_at: job.ended_ms.map(rfc3339),
            attempts: job.attempt,
            failures: job.failures,
            crashes: job.crashes,
            bodies: job.bodies,
            truncated: job.truncated.names(),
            worker: job.worker,
            reason: job.reason,
            cancel_requested: job.cancel_requested,
            owner: job.owner.map(|id| id.to_string()),
        }
    }
}

/// A task, why it is where it is, and what happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskExplained {
    #[serde(flatten)]
    task: Task,
    /// What it waits for, or who holds it.
    #[schema(example = "it is due later")]
    why: String,
    /// When that ends, if anybody knows.
    #[schema(example = "2025-11-21T20:37:00.050Z", format = DateTime)]
    until: Option<String>,
    /// How many tasks of its lane are due before it.
    #[schema(example = 0)]
    ahead: u64,
    /// The time at which all this was so.
    #[schema(example = "2025-11-21T20:36:51.000Z", format = DateTime)]
    as_of: String,
    /// What happened to it, oldest first; only the newest entries are kept.
    history: Vec<TaskEvent>,
}

impl From<Explanation> for TaskExplained {
    fn from(explanation: Explanation) -> Self {
        Self {
            task: explanation.job.into(),
            why: explanation.why,
            until: explanation.until_ms.map(rfc3339),
            ahead: explanation.ahead,
            as_of: rfc3339(explanation.now_ms),
            history: explanation
                .history
                .into_iter()
                .map(TaskEvent::from)
                .collect(),
        }
    }
}

/// One thing that happened to a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskEvent {
    /// When.
    #[schema(example = "2025-11-21T20:37:01.000Z", format = DateTime)]
    at: String,
    /// In which attempt.
    #[schema(example = 1)]
    attempt: u32,
    /// What: retry, defer, release, bury, crash, revive, expire, grade, supersede or
    /// finish.
    #[schema(example = "retry")]
    event: String,
    /// In which step.
    #[schema(example = "deliver")]
    stage: &'static str,
    /// By which worker.
    worker: Option<String>,
    /// How long the attempt took that it ended, in ms.
    #[schema(example = 412)]
    duration_ms: Option<u64>,
    /// The HTTP status of the last answer that the attempt got, from GitHub or the
    /// receiver; null if there was none.
    #[schema(example = 503)]
    status: Option<u16>,
    /// Why.
    #[schema(example = "the webhook answered 503")]
    text: String,
}

impl From<HistoryEntry> for TaskEvent {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            at: rfc3339(entry.at_ms),
            attempt: entry.attempt,
            event: entry.event,
            stage: entry.stage.as_str(),
            worker: entry.worker,
            duration_ms: entry.duration_ms,
            status: entry.status,
            text: entry.text,
        }
    }
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskPage {
    /// The tasks of this page.
    tasks: Vec<Task>,
    /// The path of the next page; null on the last.
    #[schema(
        example = "/tasks?state=dead&limit=50&cursor=1763757420050-3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e"
    )]
    next: Option<String>,
}

impl TaskPage {
    /// The page of these tasks, with the path where the next one is.
    pub(crate) fn new(jobs: Vec<Job>, next: Option<String>) -> Self {
        Self {
            tasks: jobs.into_iter().map(Task::from).collect(),
            next,
        }
    }
}

/// What became of the dead tasks that were to be retried.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RevivalAnswer {
    /// The ids of the tasks that are scheduled again.
    pub(crate) retried: Vec<String>,
    /// The tasks that fit and could not be retried.
    pub(crate) left: Vec<LeftAnswer>,
    /// The cursor with which to go on; null if all dead tasks were looked at.
    #[schema(example = "1763757420050-3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e")]
    next: Option<String>,
}

impl RevivalAnswer {
    /// Whether nothing became of anything yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.retried.is_empty() && self.left.is_empty()
    }

    /// The same, with the cursor with which to go on.
    pub(crate) fn continued_at(self, next: Option<String>) -> Self {
        Self { next, ..self }
    }
}

/// A dead task that could not be retried.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftAnswer {
    /// The task's id.
    #[schema(example = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e")]
    id: String,
    /// Why.
    #[schema(example = "max simultaneous jobs")]
    why: String,
}

impl LeftAnswer {
    /// The task that was left for this reason.
    pub(crate) fn new(id: JobId, why: &Problem) -> Self {
        let (id, why) = (id.to_string(), why.error().into_owned());
        Self { id, why }
    }
}

/// That the process runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always true.
    #[schema(example = true)]
    pub(crate) alive: bool,
}

/// That tasks can be taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always true; a server that is not ready answers with a problem.
    #[schema(example = true)]
    pub(crate) ready: bool,
    /// What should be mended, though tasks are safe.
    pub(crate) complaints: Vec<ComplaintAnswer>,
}

/// Something about Redis or its settings that should be mended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintAnswer {
    /// What is wrong and what to do.
    #[schema(
        example = "maxmemory-policy is allkeys-lru, so Redis may drop tasks: set it to noeviction"
    )]
    text: String,
    /// Whether tasks are unsafe until it is mended.
    #[schema(example = true)]
    unsafe_for_jobs: bool,
}

impl ComplaintAnswer {
    /// All complaints, in their order.
    pub(crate) fn all(complaints: Vec<Complaint>) -> Vec<Self> {
        let answer = |complaint: Complaint| Self {
            text: complaint.text,
            unsafe_for_jobs: complaint.severity == Severity::Unsafe,
        };
        complaints.into_iter().map(answer).collect()
    }
}
