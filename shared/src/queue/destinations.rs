//! The calls by which all workers spare receivers together: whether a place may be sent
//! to, what came of it, and what that means for the others.

use std::time::Duration;

use super::{Entered, Entry, Left, Queue, QueueError, Return, reply};
use crate::destination::{DEFAULT_ID, Destination};
use crate::digest::short_hash;
use crate::job::Stage;
use crate::span::whole_ms;

/// How many jobs one call of a sweep looks at, about.
const SWEEP_PAGE: usize = 128;

impl Queue {
    /// Asks whether these deliveries may start: one answer for each, in order. One that
    /// may counts as under way until it is taken back, or for `term`.
    ///
    /// - `most`: deliveries at once to one origin, over all workers; 0 is no limit.
    pub async fn enter_destinations(
        &self,
        term: Duration,
        most: u32,
        entries: &[Entry],
    ) -> Result<Vec<Entered>, QueueError> {
        let mut call = self
            .function("destination_enter")
            .arg(whole_ms(term))
            .arg(most);
        for entry in entries {
            call = call
                .arg(&entry.lease)
                .arg(&entry.destination)
                .arg(&entry.url)
                .arg(hash(&entry.origin))
                .arg(&entry.origin);
        }
        self.call(call, reply::destinations::entered).await
    }

    /// Takes deliveries back, with what came of them: what changed with each.
    pub async fn leave_destinations(&self, returns: &[Return]) -> Result<Vec<Left>, QueueError> {
        let mut call = self.function("destination_leave");
        for one in returns {
            call = call
                .arg(&one.lease)
                .arg(&one.destination)
                .arg(hash(&one.origin))
                .arg(one.outcome.as_str())
                .arg(one.started_ms)
                .arg(
                    one.slow
                        .map(whole_ms)
                        .map(|ms| ms.to_string())
                        .unwrap_or_default(),
                )
                .reason(&one.reason);
        }
        self.call(call, reply::destinations::left).await
    }

    /// Says where the operator's webhook is; why nothing may be sent there, if so.
    pub async fn declare_destination(
        &self,
        destination: &Destination,
    ) -> Result<Option<String>, QueueError> {
        let call = self
            .function("destination_declare")
            .arg(DEFAULT_ID)
            .arg(destination.to_string())
            .arg(hash(&destination.origin()));
        self.call(call, |value| reply::destinations::declared(&value))
            .await
    }

    /// Buries the jobs that wait in a lane for a disabled place, some at a time: how many
    /// it were, and the cursor to go on with; `None` at the end.
    ///
    /// - `cursor`: empty at first.
    pub async fn sweep_destination(
        &self,
        destination: &str,
        lane: Stage,
        cursor: &str,
    ) -> Result<(u64, Option<String>), QueueError> {
        let call = self
            .function("destination_sweep")
            .arg(destination)
            .arg(lane.as_str())
            .arg(if cursor.is_empty() { "0" } else { cursor })
            .arg(SWEEP_PAGE);
        let (cursor, buried) = self.call(call, reply::destinations::swept).await?;
        Ok((buried, Some(cursor).filter(|cursor| cursor != "0")))
    }
}

/// An origin, as a key has it.
fn hash(origin: &str) -> String {
    short_hash(&[b"hookme origin", origin.as_bytes()])
}
