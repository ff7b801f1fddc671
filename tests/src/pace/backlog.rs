//! The comments that do not exist yet, by when each may be tried.

use std::collections::BTreeSet;

use anyhow::ensure;

/// How often comments may be taken before the run has gone wrong, for each comment.
const TAKEN_PER_COMMENT_MAX: usize = 20;

/// A comment that is to be made. They are in the order in which they are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    /// When it may be tried, in ms since 1970.
    pub(super) due_ms: u64,
    /// Which one it is, from 1.
    pub(super) number: usize,
}

/// The comments that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: BTreeSet<Waiting>,
    takes_left: usize,
}

impl Backlog {
    /// So many comments, all of them due now.
    pub(super) fn new(comments: usize, now_ms: u64) -> Self {
        let waiting = (1..=comments).map(|number| Waiting {
            due_ms: now_ms,
            number,
        });
        Self {
            waiting: waiting.collect(),
            takes_left: comments * TAKEN_PER_COMMENT_MAX,
        }
    }

    /// Takes the comment that is due first; `None` if none is left.
    ///
    /// # Errors
    ///
    /// When so many were taken that the backlog cannot be meant to end.
    pub(super) fn take(&mut self) -> anyhow::Result<Option<Waiting>> {
        let Some(first) = self.waiting.pop_first() else {
            return Ok(None);
        };
        ensure!(
            self.takes_left > 0,
            "{} comments are left after {TAKEN_PER_COMMENT_MAX} tries for each of all",
            self.waiting.len() + 1,
        );
        self.takes_left -= 1;
        Ok(Some(first))
    }

    /// Puts back a comment that could not be made.
    pub(super) fn put_back(&mut self, waiting: Waiting) {
        self.waiting.insert(waiting);
    }
}
