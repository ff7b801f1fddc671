//! How long a request waits for the queue, and what it is told if it waits in
//! vain. Every call to the queue in this crate goes through here.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookme_shared::error::causes;
use hookme_shared::queue::QueueError;
use tokio::time::timeout;

use crate::problem::Problem;

/// How long a request waits for the queue. A client is promised an answer
/// within 300 ms while Redis is away; the rest is for everything else.
pub(crate) const BUDGET: Duration = Duration::from_millis(280);
const _: () = assert!(BUDGET.as_millis() < 300);
/// The least time between two log lines about a queue that does not answer or fails:
/// meanwhile every request fails for the same reason.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Waits for calls to the queue, and says in the log why they failed.
#[derive(Debug)]
pub(crate) struct Patience {
    budget: Duration,
    muted: Mutex<Muted>,
}

/// What was logged last, and how much was not.
#[derive(Debug, Default)]
struct Muted {
    logged: Option<Instant>,
    hidden: u64,
}

impl Patience {
    /// One that waits `budget` for each call.
    pub(crate) fn new(budget: Duration) -> Self {
        Self {
            budget,
            muted: Mutex::default(),
        }
    }

    /// Waits for `call`, a call of the queue's function `operation`, for at most
    /// its budget. A call that is given up may still take effect.
    pub(crate) async fn wait<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, Problem> {
        let answer = self.ask(operation, call).await;
        answer.map_err(|error| Problem::of_queue(&error))
    }

    /// The same, for those who tell Redis's own words.
    pub(crate) async fn ask<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        let error = match timeout(self.budget, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => QueueError::Unavailable {
                operation,
                source: None,
            },
        };
        if let Some(hidden) = self.may_log(Instant::now()) {
            let words = causes(&error);
            if let QueueError::Unavailable { .. } = error {
                tracing::warn!(
                    operation,
                    error = words,
                    hidden,
                    "the queue does not answer"
                );
            } else if error.passes() {
                tracing::warn!(
                    operation,
                    error = words,
                    hidden,
                    "the queue does not do it now"
                );
            } else {
                tracing::error!(
                    operation,
                    error = words,
                    hidden,
                    "the queue fails, and does until somebody mends this"
                );
            }
        }
        Err(error)
    }

    /// Whether a line may be logged `now`; if so, how many were not since the
    /// last.
    fn may_log(&self, now: Instant) -> Option<u64> {
        let mut muted = self.muted.lock().unwrap_or_else(PoisonError::into_inner);
        if muted
            .logged
            .is_some_and(|logged| now.duration_since(logged) < LOG_INTERVAL)
        {
            muted.hidden += 1;
            return None;
        }
        muted.logged = Some(now);
        Some(std::mem::take(&mut muted.hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_that_hangs_is_given_up_within_300_ms() {
        let started = Instant::now();
        let answer: Result<(), _> = Patience::new(BUDGET)
            .wait("submit", std::future::pending())
            .await;
        assert_eq!(answer, Err(Problem::Unavailable));
        let waited = started.elapsed();
        assert!(
            waited >= BUDGET && waited < Duration::from_secs(5),
            "{waited:?}"
        );
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_not_called_an_outage() {
        let error = QueueError::Corrupt {
            operation: "explain",
            detail: "state".to_owned(),
        };
        let answer: Result<(), _> = Patience::new(BUDGET)
            .wait("explain", async { Err(error) })
            .await;
        assert_eq!(answer, Err(Problem::Unreadable));
    }

    #[test]
    fn a_flood_of_failures_is_one_line_a_second_that_counts_the_others() {
        let patience = Patience::new(BUDGET);
        let start = Instant::now();
        assert_eq!(patience.may_log(start), Some(0));
        assert_eq!(patience.may_log(start), None);
        assert_eq!(patience.may_log(start + LOG_INTERVAL / 2), None);
        assert_eq!(patience.may_log(start + LOG_INTERVAL), Some(2));
        assert_eq!(patience.may_log(start + LOG_INTERVAL * 2), Some(0));
    }
}
