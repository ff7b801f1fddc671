//! The transition table: what each event does to a job in each state.
//!
//! This is the table as pure code: no clock, no Redis. The functions under
//! `shared/src/lua` do the same atomically; the test
//! `random_sequences_leave_redis_as_the_table_says` holds the two together.
//! Times, lanes and locks follow from the state and are not in here.
//!
//! ```text
//!             submit                 claim                 finish
//!   (nothing) ------->  scheduled  -------->   running   --------->  succeeded
//!                        ^  |  ^               |  |  |
//!                 revive |  |  +---------------+  |  +------------>  dead
//!                        |  |   retry defer       |      bury, crashes
//!                        |  |   grade release     |
//!                        |  |   reap              |
//!                      dead |                     |
//!                           +---------------------+--------------->  cancelled
//!                                  cancel            cancel asked for,
//!                                  supersede         then given back
//! ```
//!
//! *Supersede* is a cancel that no client asked for: a newer commit of the same pull
//! request takes the place of feedback that waits. It is part of that commit's submit,
//! or of the claim that would have begun the comment.

use crate::job::{Fence, State};

/// So many leases in a row that ran out make a job poison. The functions have
/// the same number in `lua/reap.lua`.
pub const CRASHES_MAX: u32 = 5;

/// The part of a job's record that decides what may happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Where it is.
    pub state: State,
    /// The fence of the last claim; none before the first and after a crash.
    pub fence: Option<Fence>,
    /// How often it was claimed.
    pub attempt: u32,
    /// Failures since it was made or revived.
    pub failures: u32,
    /// Leases in a row that ran out.
    pub crashes: u32,
    /// Whether a client wants it cancelled, while it runs.
    pub cancel_requested: bool,
}

/// What can happen to a job that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it; this is the nonce of the claim.
    Claim(String),
    /// A worker came one stage on.
    Advance(Fence),
    /// A worker says that it is done.
    Finish(Fence),
    /// A worker says that the attempt failed.
    Retry(Fence),
    /// A worker says that it cannot go on yet.
    Defer(Fence),
    /// A worker has graded a commit: the job waits for the turn of its comment. The
    /// sequences in `tests/tests/feedback` go through this, not those of the model.
    Grade(Fence),
    /// A worker gives it back.
    Release(Fence),
    /// A worker gives it up.
    Bury(Fence),
    /// Its lease has run out.
    Reap,
    /// A client wants it cancelled; or it waits, and is superseded.
    Cancel,
    /// A client wants a dead job tried again.
    Revive,
    /// It is too old when its turn comes.
    Expire,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Done,
    /// The job was cancelled instead, as a client had asked.
    Cancelled,
    /// A running job is marked: its worker will be told.
    Asked,
    /// The same fence settled the job before; nothing was changed.
    Already,
    /// The event is not for a job like this; nothing was changed.
    Stale,
}

impl Life {
    /// A job that was just submitted.
    #[must_use]
    pub const fn submitted() -> Self {
        Self {
            state: State::Scheduled,
            fence: None,
            attempt: 0,
            failures: 0,
            crashes: 0,
            cancel_requested: false,
        }
    }

    /// What `event` does to this job.
    #[must_use]
    pub fn after(&self, event: &Event) -> (Outcome, Self) {
        match event {
            Event::Claim(nonce) if self.state == State::Scheduled => self.claimed(nonce),
            Event::Expire if self.state == State::Scheduled => self.ended(State::Dead),
            Event::Cancel if self.state == State::Scheduled => self.ended(State::Cancelled),
            Event::Cancel if self.state == State::Running => (
                Outcome::Asked,
                Self {
                    cancel_requested: true,
                    ..self.clone()
                },
            ),
            Event::Revive if self.state == State::Dead => (
                Outcome::Done,
                Self {
                    attempt: self.attempt,
                    fence: self.fence.clone(),
                    ..Self::submitted()
                },
            ),
            Event::Reap if self.state == State::Running => self.crashed(),
            Event::Claim(_) | Event::Expire | Event::Cancel | Event::Revive | Event::Reap => {
                self.unchanged(Outcome::Stale)
            }
            Event::Advance(fence)
            | Event::Finish(fence)
            | Event::Retry(fence)
            | Event::Defer(fence)
            | Event::Grade(fence)
            | Event::Release(fence)
            | Event::Bury(fence) => self.settled(event, fence),
        }
    }

    fn settled(&self, event: &Event, fence: &Fence) -> (Outcome, Self) {
        if self.fence.as_ref() != Some(fence) {
            return self.unchanged(Outcome::Stale);
        }
        if self.state != State::Running {
            let repeat = if matches!(event, Event::Advance(_)) {
                Outcome::Stale
            } else {
                Outcome::Already
            };
            return self.unchanged(repeat);
        }
        let failures = self.failures + u32::from(matches!(event, Event::Retry(_) | Event::Bury(_)));
        // A completed stage ends a row of crashes.
        let is_stage = matches!(event, Event::Advance(_) | Event::Grade(_));
        let crashes = if is_stage { 0 } else { self.crashes };
        let counted = Self {
            failures,
            crashes,
            ..self.clone()
        };
        match event {
            Event::Advance(_) => (Outcome::Done, counted),
            Event::Finish(_) => counted.ended(State::Succeeded),
            _ if self.cancel_requested => (Outcome::Cancelled, counted.ended(State::Cancelled).1),
            Event::Bury(_) => counted.ended(State::Dead),
            _ => (
                Outcome::Done,
                Self {
                    state: State::Scheduled,
                    ..counted
                },
            ),
        }
    }

    fn claimed(&self, nonce: &str) -> (Outcome, Self) {
        let attempt = self.attempt + 1;
        let fence = Some(Fence::new(format!("{attempt}:{nonce}")));
        (
            Outcome::Done,
            Self {
                state: State::Running,
                fence,
                attempt,
                ..self.clone()
            },
        )
    }

    fn crashed(&self) -> (Outcome, Self) {
        let counted = Self {
            crashes: self.crashes + 1,
            fence: None,
            ..self.clone()
        };
        if self.cancel_requested {
            (Outcome::Cancelled, counted.ended(State::Cancelled).1)
        } else if counted.crashes >= CRASHES_MAX {
            counted.ended(State::Dead)
        } else {
            (
                Outcome::Done,
                Self {
                    state: State::Scheduled,
                    ..counted
                },
            )
        }
    }

    fn ended(&self, state: State) -> (Outcome, Self) {
        (
            Outcome::Done,
            Self {
                state,
                cancel_requested: false,
                ..self.clone()
            },
        )
    }

    fn unchanged(&self, outcome: Outcome) -> (Outcome, Self) {
        (outcome, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> (Life, Fence) {
        let (_, life) = Life::submitted().after(&Event::Claim("nonce".to_owned()));
        (life, Fence::new("1:nonce".to_owned()))
    }

    #[test]
    fn a_settlement_counts_once_and_only_with_the_fence_of_its_claim() {
        let (life, fence) = running();
        let other = Fence::new("1:other".to_owned());
        for make in [
            Event::Finish,
            Event::Retry,
            Event::Defer,
            Event::Grade,
            Event::Release,
            Event::Bury,
        ] {
            assert_eq!(
                life.after(&make(other.clone())),
                (Outcome::Stale, life.clone())
            );
            let (outcome, settled) = life.after(&make(fence.clone()));
            assert_eq!(outcome, Outcome::Done);
            assert_eq!(
                settled.after(&make(fence.clone())),
                (Outcome::Already, settled.clone())
            );
        }
    }

    #[test]
    fn a_claim_that_was_reaped_can_settle_nothing() {
        let (life, fence) = running();
        let (_, reaped) = life.after(&Event::Reap);
        assert_eq!(reaped.crashes, 1);
        assert_eq!(
            reaped.after(&Event::Finish(fence)),
            (Outcome::Stale, reaped.clone())
        );
    }

    #[test]
    fn only_retry_and_bury_spend_the_retry_budget() {
        let (life, fence) = running();
        for (event, failures) in [
            (Event::Retry(fence.clone()), 1),
            (Event::Bury(fence.clone()), 1),
            (Event::Defer(fence.clone()), 0),
            (Event::Grade(fence.clone()), 0),
            (Event::Release(fence.clone()), 0),
            (Event::Reap, 0),
        ] {
            assert_eq!(life.after(&event).1.failures, failures, "{event:?}");
        }
    }

    #[test]
    fn the_fifth_crash_in_a_row_makes_a_job_poison_and_a_completed_stage_ends_the_row() {
        let mut life = Life::submitted();
        for crash in 1..=CRASHES_MAX {
            life = life
                .after(&Event::Claim("n".to_owned()))
                .1
                .after(&Event::Reap)
                .1;
            assert_eq!(life.state == State::Dead, crash == CRASHES_MAX);
        }
        let (life, fence) = running();
        let crashed = Life { crashes: 4, ..life };
        assert_eq!(crashed.after(&Event::Advance(fence.clone())).1.crashes, 0);
        assert_eq!(crashed.after(&Event::Grade(fence)).1.crashes, 0);
    }

    #[test]
    fn a_cancelled_job_still_succeeds_if_its_worker_was_done() {
        let (life, fence) = running();
        let (outcome, asked) = life.after(&Event::Cancel);
        assert_eq!(outcome, Outcome::Asked);
        assert_eq!(
            asked.after(&Event::Finish(fence.clone())).1.state,
            State::Succeeded
        );
        assert_eq!(asked.after(&Event::Retry(fence)).0, Outcome::Cancelled);
        assert_eq!(asked.after(&Event::Reap).1.state, State::Cancelled);
    }
}
