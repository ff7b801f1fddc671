//! A job as the rest of the program sees it: its record, read from Redis.
//!
//! What may happen to a job next stands in [`crate::transition`]; how it is
//! stored and changed is [`crate::queue`]'s affair.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::destination::Destination;
use crate::feedback::Grade;
use crate::owner::KeyId;
use crate::words::Unknown;
use crate::words::words;

/// The id of a job and of the task it was made from: 128 random bits, written
/// as 32 lower-case hexadecimal digits (a UUID, version 4, without hyphens).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Uuid);

impl JobId {
    /// A new id that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(formatter)
    }
}

impl FromStr for JobId {
    type Err = Unknown;

    /// Reads an id with or without hyphens, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| Unknown {
            text: text.to_owned(),
            expected: "job id",
        })
    }
}

words! {
    /// What a task asks for.
    Kind, "kind of task", {
        /// A repository's open issues and contributors, sent to the webhook.
        Report = "report",
        /// The feedback on a commit, as a comment on its pull request.
        Feedback = "feedback",
    }
}

words! {
    /// Where a job is in its life. `Scheduled` and `Running` are *live*.
    State, "state", {
        /// It waits in a lane until it is due and a worker claims it.
        Scheduled = "scheduled",
        /// A worker holds it under a lease.
        Running = "running",
        /// It ended as it should.
        Succeeded = "succeeded",
        /// It was given up, with a reason. It can be revived.
        Dead = "dead",
        /// It was cancelled by request, or a newer commit took its place.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Whether the job still has something ahead of it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running)
    }
}

words! {
    /// The step that comes next for a job. A scheduled job waits in the lane
    /// of that name.
    Stage, "stage", {
        /// GitHub is to be asked for the report.
        Fetch = "fetch",
        /// The report is kept, or at least was; the webhook is to get it. Or the comment
        /// is made, and the webhook is to hear of it.
        Deliver = "deliver",
        /// The evaluator's findings are to be graded.
        Grade = "grade",
        /// The pull request is to get its comment.
        Comment = "comment",
    }
}

/// The proof of a claim: `<attempt>:<nonce>`. A transition by a worker happens
/// only if the job's record still carries the same fence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fence(String);

impl Fence {
    /// A fence, as it stands in a record.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The fence as it stands in the record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A job's record, as it was when it was read. Times are Redis's clock, in ms
/// since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The id that the client was given.
    pub id: JobId,
    /// What it is for.
    pub kind: Kind,
    /// The repository's owner, as the client wrote it.
    pub username: String,
    /// The repository, as the client wrote it.
    pub repository: String,
    /// Where it is in its life.
    pub state: State,
    /// The step that comes next, or that was the last.
    pub stage: Stage,
    /// When it may start, or might have.
    pub due_ms: u64,
    /// When the task was taken.
    pub created_ms: u64,
    /// When it was last claimed.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// How often it was claimed.
    pub attempt: u32,
    /// How many attempts failed since it was made, or was last retried by a client.
    pub failures: u32,
    /// How many leases ran out in a row.
    pub crashes: u32,
    /// How many different bodies were made for it; a body has an id of its own.
    pub bodies: u32,
    /// What was left out of the last one, because it was too long.
    pub truncated: Truncated,
    /// Whether a report is kept for it, to be sent again as it is.
    pub has_report: bool,
    /// The worker that claimed it last.
    pub worker: Option<String>,
    /// Why it waits again, or why it ended: a few words.
    pub reason: Option<String>,
    /// Whether a client asked to cancel it while it was running.
    pub cancel_requested: bool,
    /// The key it was submitted with; a worker is not told.
    pub owner: Option<KeyId>,
    /// Where its result goes; `None`: to the operator's webhook.
    pub destination: Option<Destination>,
    /// What only a job of feedback has.
    pub feedback: Option<FeedbackRecord>,
}

/// The part of a record that only a job of feedback has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedbackRecord {
    /// The number of the pull request.
    pub pull_request: u32,
    /// The commit's SHA.
    pub commit: String,
    /// The grade, as soon as it is computed.
    pub grade: Option<Grade>,
    /// How many comments were begun that may exist.
    pub comment_tries: u32,
    /// When the last of them was begun; `None` if none may exist.
    pub comment_tried_ms: Option<u64>,
    /// Where the comment is.
    pub comment_url: Option<String>,
    /// The job of a newer commit that took its place.
    pub superseded_by: Option<JobId>,
}
/// The lists of a report that were longer than what is fetched; their ends were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truncated {
    /// That of the issues.
    pub issues: bool,
    /// That of the contributors.
    pub contributors: bool,
}

impl Truncated {
    /// The names of the lists that were cut, as the body has them.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let lists = [(self.issues, "issues"), (self.contributors, "contributors")];
        let cut = lists.into_iter().filter(|(is_cut, _)| *is_cut);
        cut.map(|(_, name)| name).collect()
    }

    /// What a record says, with commas between the names; what is no list counts as none.
    #[must_use]
    pub fn read(names: &str) -> Self {
        let has = |list| names.split(',').any(|name| name == list);
        Self {
            issues: has("issues"),
            contributors: has("contributors"),
        }
    }
}
