//! What GitHub answered, or why it gave no answer: the words of the one door.

use std::time::Duration;

use bytes::Bytes;
use hookme_shared::queue::{Identity, Pace, QueueError};
use url::Url;

use crate::policy::github::{PAUSE_MIN, Refusal};

/// A job that waited in vain comes back after about this long.
const AGAIN: Duration = Duration::from_secs(2);

/// Why GitHub gave no answer that can be used. The reasons name what was asked
/// about, and never a token or the query of an address.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Asking again will not help.
    #[error("{reason}")]
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// It failed; ask again later.
    #[error("{reason}")]
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if GitHub's answer or its rules say one.
        retry_after: Option<Duration>,
    },
    /// It may not be asked now. No fault of the job.
    #[error("{reason}")]
    Wait {
        /// How long.
        delay: Duration,
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Redis did not say whether it may be asked, and so it was not.
    #[error(transparent)]
    Queue(QueueError),
}

impl Failure {
    /// Waited in vain for another job: the `reason` says for what.
    #[must_use]
    pub fn in_vain(reason: &str) -> Self {
        Self::Wait {
            delay: AGAIN.mul_f64(rand::random_range(0.5..1.5)),
            reason: reason.to_owned(),
        }
    }

    /// What a refusal means for the job that met it: it waits like everybody, for
    /// `wait` if that is known.
    pub(super) fn refused(refusal: Refusal, wait: Option<Duration>) -> Self {
        Self::Wait {
            delay: wait.or(refusal.wait).unwrap_or(PAUSE_MIN),
            reason: refusal.reason,
        }
    }
}

/// What GitHub answered to a GET.
#[derive(Debug)]
pub enum Answer {
    /// The body, and the next page if it names one.
    Body {
        /// The bytes of the body.
        bytes: Bytes,
        /// Where the list goes on.
        next: Option<Url>,
    },
    /// Nothing, and that is the answer.
    Empty,
    /// The contributors are too many to be listed.
    TooLarge,
}

/// What GitHub answered to a GraphQL query.
#[derive(Debug)]
pub enum Graphql {
    /// The answer's body.
    Data(Bytes),
    /// The query asks for too much; this body may hold a part of it.
    TooHeavy(Bytes),
    /// This token or this GitHub does not take the query.
    Unusable,
}

/// What the claim of jobs needs to know about GitHub.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Whose limits jobs count against, and how fast all workers together may ask;
    /// `None` if nothing is shared.
    pub asking: Option<(Identity, Pace)>,
    /// Whether jobs of this process wait for their turn as it is.
    pub crowded: bool,
}
