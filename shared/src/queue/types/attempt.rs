//! What a worker tells of an attempt, and what it is told.

use std::time::Duration;

use crate::feedback::Grade;
use crate::job::Truncated;

/// A report in its stored form, with what its record says of it.
#[derive(Debug, Clone, Copy)]
pub struct MadeReport<'a> {
    /// The stored form.
    pub bytes: &'a [u8],
    /// What was left out of it.
    pub truncated: Truncated,
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for MadeReport<'a> {
    /// A whole one.
    fn from(bytes: &'a T) -> Self {
        Self {
            bytes: bytes.as_ref(),
            truncated: Truncated::default(),
        }
    }
}

/// What became of a report that was to be kept, with the stage after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// Stored; the report too, if there was one.
    Stored {
        /// Which body of this job it is: 1 for the first.
        body: u32,
    },
    /// The stage is stored, but there was no room for the report.
    WithoutReport {
        /// Which body of this job it is: 1 for the first.
        body: u32,
    },
    /// The job is no longer the caller's.
    Lost,
}

/// What became of the wish to read what is kept beside a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// Its stored form. The claim held when it was read.
    Kept(Vec<u8>),
    /// There is none any more.
    Missing,
    /// The job is no longer the caller's.
    Lost,
}

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The job is done.
    Finish,
    /// The commit is graded; its comment waits for its turn. Counts nothing.
    Grade(Grade),
    /// It failed; try again after the delay. Counts a failure.
    Retry {
        /// How long to wait.
        delay: Duration,
        /// Why, in words.
        reason: String,
    },
    /// It cannot go on yet, through no fault of its own. Counts nothing.
    Defer {
        /// How long to wait.
        delay: Duration,
        /// Why, in words.
        reason: String,
    },
    /// The worker gives it back, due at once. Counts nothing.
    Release {
        /// Why, in words.
        reason: String,
    },
    /// It will not be tried again. Counts a failure.
    Bury {
        /// Why, in words.
        reason: String,
    },
}

impl Settlement {
    /// The words that say why, if there are any.
    pub fn reason_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Finish | Self::Grade(_) => None,
            Self::Retry { reason, .. }
            | Self::Defer { reason, .. }
            | Self::Release { reason }
            | Self::Bury { reason } => Some(reason),
        }
    }
}

/// The end of an attempt, with what its record says of it.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd<'a> {
    /// What becomes of the job.
    pub settlement: &'a Settlement,
    /// The status of the last answer that the attempt got from outside.
    pub status: Option<u16>,
}

impl<'a> From<&'a Settlement> for AttemptEnd<'a> {
    /// An attempt that asked nobody outside.
    fn from(settlement: &'a Settlement) -> Self {
        Self {
            settlement,
            status: None,
        }
    }
}

/// What became of a [`Settlement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was done.
    Done,
    /// It was done before, by the same fence: a repeat after a lost reply.
    Already,
    /// A client had asked to cancel the job; it is cancelled.
    Cancelled,
    /// Another claim holds the job, or it has ended. Nothing was changed.
    Stale,
    /// There is no such job any more.
    Gone,
}

/// What a renewal says about one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It runs for another term.
    Kept,
    /// It runs for another term; a client asks to cancel the job.
    CancelAsked,
    /// The job is no longer the caller's.
    Lost,
}
