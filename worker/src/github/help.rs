//! Calls to Redis that only help: the cache, the names, the identity of the token. What
//! Redis refuses of them costs a line in the log and more requests to GitHub, and never
//! fails or delays a job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hookme_shared::queue::QueueError;
use hookme_shared::trouble::Trouble;

use super::Failure;

/// The helps that Redis gives, and what was told of those that it refuses.
#[derive(Debug, Default)]
pub(super) struct Help(Mutex<HashMap<&'static str, Trouble>>);

impl Help {
    /// What a call that only helps came to; `None` if Redis refused it. `what` says what
    /// is missing then.
    ///
    /// # Errors
    ///
    /// [`Failure::Queue`] if Redis does not answer at all: then nothing may be asked of GitHub.
    pub(super) fn helped<T>(
        &self,
        what: &'static str,
        answer: Result<T, QueueError>,
    ) -> Result<Option<T>, Failure> {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = troubles.entry(what).or_default();
        match answer {
            Ok(value) => {
                trouble.end();
                Ok(Some(value))
            }
            Err(error @ QueueError::Unavailable { .. }) => Err(Failure::Queue(error)),
            Err(error) => {
                if trouble.is_news(&error) {
                    tracing::warn!(%error, "{what}; jobs go on without until redis does it");
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_redis_that_does_not_answer_stops_a_job() {
        let help = Help::default();
        let away = QueueError::Unavailable {
            operation: "github_look",
            source: None,
        };
        assert!(help.helped::<()>("x", Err(away)).is_err());
        let unreadable = QueueError::Corrupt {
            operation: "github_look",
            detail: String::new(),
        };
        assert!(matches!(help.helped::<()>("x", Err(unreadable)), Ok(None)));
        assert!(matches!(help.helped("x", Ok(1)), Ok(Some(1))));
    }
}
