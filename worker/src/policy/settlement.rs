//! How an attempt ends: from what the world did to what becomes of the job.

use std::num::NonZeroU32;
use std::time::Duration;

use hookme_shared::queue::{QueueError, Settlement};

use super::delivery::Delivery;
use super::retry::RetryPolicy;
use crate::github::Failure;

/// What becomes of a job that GitHub did not give what it asked for: an error if that
/// lies with Redis.
///
/// - `failures`: failures before this one.
/// - `jitter`: a uniform sample in `[0, 1]`.
pub fn after_asking(
    failure: Failure,
    failures: u32,
    retry: &RetryPolicy,
    jitter: f64,
) -> Result<Settlement, QueueError> {
    match failure {
        Failure::Final { reason } => Ok(Settlement::Bury { reason }),
        Failure::Later {
            reason,
            retry_after,
        } => Ok(after_failure(reason, retry_after, failures, retry, jitter)),
        Failure::Wait { delay, reason } => Ok(Settlement::Defer { delay, reason }),
        Failure::Queue(error) => Err(error),
    }
}

/// What becomes of a job whose comment may exist, if looking for it failed: an error if
/// that lies with Redis. Tries are never used up, as to give it up would be to guess.
///
/// - `failures`: failures before this one.
/// - `jitter`: a uniform sample in `[0, 1]`.
pub fn after_looking(
    failure: Failure,
    failures: u32,
    retry: &RetryPolicy,
    jitter: f64,
) -> Result<Settlement, QueueError> {
    let unknown = |reason| format!("whether its comment was made is not known: {reason}");
    match failure {
        Failure::Final { reason } => Ok(Settlement::Bury {
            reason: unknown(reason),
        }),
        Failure::Later {
            reason,
            retry_after,
        } => Ok(Settlement::Retry {
            delay: retry.delay(
                NonZeroU32::MIN.saturating_add(failures),
                jitter,
                retry_after,
            ),
            reason: unknown(reason),
        }),
        Failure::Wait { .. } | Failure::Queue(_) => after_asking(failure, failures, retry, jitter),
    }
}

/// How long a job waits for what Redis does not do now.
const NOT_NOW_WAIT: Duration = Duration::from_secs(5);

/// What becomes of a job in the middle of whose attempt a call to Redis failed that it
/// needs. What passes, and what an administrator of Redis must mend for all jobs, is no
/// failure of this one; anything else is.
///
/// - `failures`: failures before this one.
/// - `jitter`: a uniform sample in `[0, 1]`.
#[must_use]
pub fn after_queue_error(
    error: &QueueError,
    failures: u32,
    retry: &RetryPolicy,
    jitter: f64,
) -> Settlement {
    let reason = error.to_string();
    match error {
        QueueError::Unavailable { .. } => Settlement::Release { reason },
        error if error.meets_all_jobs() => Settlement::Defer {
            delay: NOT_NOW_WAIT.mul_f64(1.0 + jitter),
            reason,
        },
        QueueError::Refused { .. } | QueueError::Failed { .. } | QueueError::Corrupt { .. } => {
            after_failure(reason, None, failures, retry, jitter)
        }
    }
}

/// What becomes of a job whose result was sent to the webhook.
///
/// - `failures`: failures before this one.
/// - `jitter`: a uniform sample in `[0, 1]`.
#[must_use]
pub fn after_delivery(
    delivery: Delivery,
    failures: u32,
    retry: &RetryPolicy,
    jitter: f64,
) -> Settlement {
    match delivery {
        Delivery::Delivered { .. } => Settlement::Finish,
        Delivery::Gone { reason } | Delivery::Final { reason } => Settlement::Bury { reason },
        Delivery::Retry {
            reason,
            status: _,
            retry_after,
        } => after_failure(reason, retry_after, failures, retry, jitter),
    }
}

/// Another try, or the end if there were enough.
///
/// - `failures`: failures before this one.
/// - `jitter`: a uniform sample in `[0, 1]`.
#[must_use]
pub fn after_failure(
    reason: String,
    retry_after: Option<Duration>,
    failures: u32,
    retry: &RetryPolicy,
    jitter: f64,
) -> Settlement {
    let failures = NonZeroU32::MIN.saturating_add(failures);
    if retry.exhausted(failures) {
        return Settlement::Bury {
            reason: format!("{reason} (given up after {failures} tries)"),
        };
    }
    Settlement::Retry {
        delay: retry.delay(failures, jitter, retry_after),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::retry::BACKOFF_MAX;

    #[test]
    fn three_retries_make_four_tries() {
        let retry = RetryPolicy::new(Duration::from_secs(5), 3);
        let tries = (0..10).take_while(|failures| {
            matches!(
                after_failure(String::new(), None, *failures, &retry, 0.0),
                Settlement::Retry { .. }
            )
        });
        assert_eq!(tries.count(), 3);
    }

    #[test]
    fn waiting_for_github_spends_no_try() {
        let retry = RetryPolicy::new(Duration::from_secs(5), 0);
        let delay = Duration::from_secs(3_600);
        let wait = Failure::Wait {
            delay,
            reason: String::new(),
        };
        let settlement = after_asking(wait, 9, &retry, 1.0).unwrap();
        assert!(matches!(settlement, Settlement::Defer { delay: kept, .. } if kept == delay));
    }

    #[test]
    fn looking_for_a_comment_is_not_given_up_while_it_can_succeed() {
        let retry = RetryPolicy::new(Duration::from_secs(5), 0);
        let later = || Failure::Later {
            reason: "503".to_owned(),
            retry_after: None,
        };
        let end = after_looking(later(), 99, &retry, 0.0).unwrap();
        assert!(matches!(end, Settlement::Retry { delay, .. } if delay == BACKOFF_MAX));
        assert!(matches!(
            after_asking(later(), 99, &retry, 0.0),
            Ok(Settlement::Bury { .. })
        ));
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_again() {
        let retry = RetryPolicy::new(Duration::from_secs(5), 3);
        let gone = Failure::Final {
            reason: "gone".to_owned(),
        };
        assert!(matches!(
            after_asking(gone, 0, &retry, 0.0),
            Ok(Settlement::Bury { .. })
        ));
        let disabled = Delivery::Final {
            reason: "410".to_owned(),
        };
        assert!(matches!(
            after_delivery(disabled, 0, &retry, 0.0),
            Settlement::Bury { .. }
        ));
    }
}
