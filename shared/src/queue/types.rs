//! What goes into the queue's functions and what comes out of them.

mod attempt;
mod destinations;
mod github;

use std::time::Duration;

pub use attempt::{Advanced, AttemptEnd, Loaded, MadeReport, Renewed, Settled, Settlement};
pub use destinations::{
    DeliveryOutcome, Enabled, Entered, Entry, Known, Left, OriginState, Return,
};
pub use github::{
    Asker, BudgetLeft, Class, Granted, Identity, Keep, KeptAnswer, Looked, Outcome, Pace, Release,
    Resource, Want,
};

use crate::destination::Destination;
use crate::feedback::{Commit, Evaluation, PullRequest};
use crate::job::{Fence, Job, JobId, Kind, Stage, State};
use crate::names::{RepositoryName, Username};
use crate::owner::KeyId;

/// A task to be admitted.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The id it will have. Sending the same id again is the same task.
    pub id: JobId,
    /// The repository's owner.
    pub username: Username,
    /// The repository.
    pub repository: RepositoryName,
    /// What is to be done about it.
    pub work: Work,
    /// How long from now, by Redis's clock, it is to wait.
    pub delay: Duration,
    /// The key that the client sent it with, if it needed one.
    pub owner: Option<KeyId>,
    /// Where its result is to go; `None`: to the operator's webhook.
    pub destination: Option<Destination>,
    /// The client's `Idempotency-Key`, if it sent one.
    pub idempotency: Option<Idempotency>,
}

/// What a task asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// The repository's open issues and contributors, sent to the webhook.
    Report,
    /// The feedback on a commit, as a comment on its pull request.
    Feedback {
        /// The pull request.
        pull_request: PullRequest,
        /// The commit.
        commit: Commit,
        /// What an evaluator found.
        evaluation: Evaluation,
    },
}

impl Work {
    /// The word for it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Report => Kind::Report,
            Self::Feedback { .. } => Kind::Feedback,
        }
    }
}

/// An `Idempotency-Key` and the body that came with it, both hashed (SHA-256,
/// hexadecimal): neither is stored as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The hash of the key, and later of who sent it.
    pub key_hash: String,
    /// The hash of what was asked.
    pub body_hash: String,
}

/// What became of a [`Submission`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is in the queue; or it was already, under the same id or the same
    /// idempotency key, and this is the first answer again.
    Accepted(Receipt),
    /// A live job has the same scope; this is that job.
    Duplicate(Receipt),
    /// As many jobs are live as may be. Nothing was stored.
    Full {
        /// The limit that was met.
        limit: u64,
    },
    /// The idempotency key came before with another body. Nothing was stored.
    KeyReused,
    /// The place that its result would go to wants no more. Nothing was stored.
    Disabled {
        /// That place's id.
        destination: String,
    },
}

/// What a client is told about a job of its.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The job's id.
    pub id: JobId,
    /// Where it is in its life.
    pub state: State,
    /// When it may start, in ms since the Unix epoch by Redis's clock.
    pub due_ms: u64,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was scheduled, and is cancelled now.
    Done,
    /// It is running; its worker has been asked to stop. It may still succeed.
    Asked,
    /// It had ended already, like this.
    Ended(State),
    /// There is no such job.
    Unknown,
}

/// What became of a request to revive a dead job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revived {
    /// It is scheduled again, due now, with its failures forgotten.
    Done(Receipt),
    /// Another live job has its scope by now.
    Held {
        /// That job.
        by: JobId,
    },
    /// As many jobs are live as may be.
    Full {
        /// The limit that was met.
        limit: u64,
    },
    /// It is not dead but this.
    NotDead(State),
    /// The place that its result would go to wants no more.
    Disabled {
        /// That place's id.
        destination: String,
    },
    /// There is no such job.
    Unknown,
}

/// Why a job is where it is, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The job's record.
    pub job: Job,
    /// A sentence that says what it waits for or who holds it.
    pub why: String,
    /// When that ends, if anybody knows: ms since the Unix epoch.
    pub until_ms: Option<u64>,
    /// How many jobs are before it in its lane.
    pub ahead: u64,
    /// Redis's clock when this was read.
    pub now_ms: u64,
    /// What happened to it so far, oldest first, at most the newest
    /// [`crate::queue::HISTORY_MAX`].
    pub history: Vec<HistoryEntry>,
}

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When, in ms since the Unix epoch by Redis's clock.
    pub at_ms: u64,
    /// In which attempt.
    pub attempt: u32,
    /// What: `retry`, `defer`, `release`, `bury`, `crash`, `revive`, `expire`, `grade`,
    /// `supersede`, or `finish` for the attempt that succeeded.
    pub event: String,
    /// In which stage.
    pub stage: Stage,
    /// By which worker, if one took part.
    pub worker: Option<String>,
    /// How long the attempt took that it ended.
    pub duration_ms: Option<u64>,
    /// The status of the last answer that the attempt got from outside.
    pub status: Option<u16>,
    /// Why, in words.
    pub text: String,
}

/// A place in a listing, to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last seen job's score: due, lease end or end, in ms.
    pub score: u64,
    /// The last seen job.
    pub id: JobId,
}

/// One page of a listing. Jobs move while one lists them: a job may be missed
/// or shown twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The jobs: scheduled by due time, running by lease end, ended ones with
    /// the newest first.
    pub jobs: Vec<Job>,
    /// Where this page ended and the next begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// How many jobs there are, and how many there have been.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Scheduled jobs by lane.
    pub scheduled: Vec<(Stage, u64)>,
    /// Scheduled jobs that are due, by lane.
    pub due: Vec<(Stage, u64)>,
    /// How long the oldest due job has been due, in ms; 0 if none is.
    pub oldest_due_age_ms: u64,
    /// Jobs under a lease.
    pub running: u64,
    /// Kept records of jobs that succeeded.
    pub succeeded: u64,
    /// Kept records of dead jobs.
    pub dead: u64,
    /// Kept records of cancelled jobs.
    pub cancelled: u64,
    /// Workers that were heard of lately.
    pub workers: u64,
    /// The bytes that all kept reports take.
    pub report_bytes: u64,
    /// The bytes that all kept answers of GitHub take.
    pub github_answer_bytes: u64,
    /// For how long yet nobody may ask GitHub, in ms; 0 if it may be asked.
    pub github_paused_ms: u64,
    /// What is left of GitHub's hour, if that is known.
    pub github_core_remaining: Option<u64>,
    /// Counters since the namespace began (`accepted`, `claimed`, …), by name.
    pub totals: Vec<(String, u64)>,
}

/// The limits that the environment gives. A field of the same name in
/// `{namespace}:settings` overrides one for all until it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// `RATE_LIMIT_MAX_SIMULTANEOUS_JOBS`: live jobs; `None` is no limit.
    pub live_jobs: Option<u64>,
    /// `MAX_RUNNING_JOBS`: jobs under a lease, over all workers.
    pub running_jobs: Option<u64>,
    /// `JOBS_PER_INTERVAL`: starts in any span of `interval`, over all workers.
    pub starts: Option<u64>,
    /// `JOBS_INTERVAL`.
    pub interval: Duration,
}

/// A worker's request for jobs.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Repeating a request id returns the same batch. Random.
    pub request: String,
    /// How many jobs there are permits for: 1 to [`crate::queue::BATCH_MAX`].
    pub wanted: usize,
    /// Whether the worker holds no job at all, so that one which crashed its
    /// process before may run with nothing beside it.
    pub holds_nothing: bool,
    /// Which turn of the weighted round over the lanes comes next; any number.
    pub turn: u32,
    /// Whose limits the jobs will count against that ask GitHub, if that is known, and
    /// how fast they may: none are claimed while GitHub makes everybody wait, and
    /// comments no faster than they can be made.
    pub asking: Option<(Identity, Pace)>,
    /// Whether jobs are wanted that fetch.
    pub fetches: bool,
}

/// A claimed job, under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The record as it is now.
    pub job: Job,
    /// What proves the claim.
    pub fence: Fence,
    /// How late it started: now minus due, in ms.
    pub late_ms: u64,
    /// The stored form of its kept report, if there is one and it is small.
    pub report: Option<Vec<u8>>,
}

/// What a worker is to do until it asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// More is due: ask again as soon as there is a permit.
    Now,
    /// Something becomes possible after this long.
    In(Duration),
    /// Nothing is foreseeable: wait for a hint.
    Hint,
    /// A job that crashed before waits for a worker that holds nothing else, and this one is
    /// asked to be that.
    WhenEmpty,
}

/// A batch of claimed jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The jobs, in the order of their claim.
    pub jobs: Vec<Claimed>,
    /// Claimed jobs whose record this version cannot read, with what it met:
    /// a newer version wrote them, and they are to be put back for it.
    pub unreadable: Vec<(JobId, Fence, String)>,
    /// When to ask again.
    pub next: Next,
}
