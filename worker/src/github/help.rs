//! Calls to Redis that only help: the cache, the names, the identity of the token. What
//! Redis refuses of them costs a line in the log and more requests to GitHub, and never
//! fails or delays a job.

use hookme_shared::queue::QueueError;

use super::Failure;

/// What a call that only helps came to; `None` if Redis refused it.
///
/// # Errors
///
/// [`Failure::Queue`] if Redis does not answer at all: then nothing may be asked of GitHub.
pub(super) fn helped<T>(what: &str, answer: Result<T, QueueError>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error @ QueueError::Unavailable { .. }) => Err(Failure::Queue(error)),
        Err(error) => {
            tracing::info!(%error, "{what}; the job goes on without");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_redis_that_does_not_answer_stops_a_job() {
        let away = QueueError::Unavailable {
            operation: "github_look",
            source: None,
        };
        assert!(helped::<()>("x", Err(away)).is_err());
        let unreadable = QueueError::Corrupt {
            operation: "github_look",
            detail: String::new(),
        };
        assert!(matches!(helped::<()>("x", Err(unreadable)), Ok(None)));
        assert!(matches!(helped("x", Ok(1)), Ok(Some(1))));
    }
}
