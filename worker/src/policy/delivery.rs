//! What a receiver's answer means for a delivery.
//!
//! Only 2xx is success, a redirect is a failure and is never followed, and 410
//! ends the matter; so says the Standard Webhooks specification ("Deliverability
//! and reliability"). Everything else may pass, and is tried again.

use std::time::Duration;

use hookme_shared::queue::DeliveryOutcome;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::excerpt::excerpt;
use super::retry_after::retry_after;

/// How much of the receiver's words a reason carries, in characters.
const WORDS_MAX: usize = 120;

/// How one attempt to deliver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Delivered {
        /// The answer's status, 200 to 299.
        status: u16,
    },
    /// The receiver wants no more, of this or of anything else.
    Gone {
        /// What it said, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// It was not sent, and trying again is no use.
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Not delivered as far as we know; try again under the same id.
    Retry {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The answer's status; `None` if there was no answer.
        status: Option<u16>,
        /// The least time that the receiver asked us to wait.
        retry_after: Option<Duration>,
    },
}

impl Delivery {
    /// What it means for others that send to the same origin: whether that works, and
    /// if it asked for less, the wait that it named, or zero.
    ///
    /// An origin that answers works, whatever it thinks of this delivery, unless it says
    /// itself that it does not. The specification names the statuses that ask for less:
    /// 429, 502 and 504.
    #[must_use]
    pub fn for_others(&self) -> (DeliveryOutcome, Option<Duration>) {
        let Self::Retry {
            status,
            retry_after,
            ..
        } = self
        else {
            let outcome = match self {
                Self::Delivered { .. } => DeliveryOutcome::Ok,
                Self::Gone { .. } => DeliveryOutcome::Gone,
                Self::Final { .. } | Self::Retry { .. } => DeliveryOutcome::Unknown,
            };
            return (outcome, None);
        };
        let slow = matches!(status, Some(429 | 502 | 504));
        let outcome = match status {
            None | Some(500..=599) => DeliveryOutcome::Failed,
            Some(_) => DeliveryOutcome::Ok,
        };
        (outcome, slow.then(|| retry_after.unwrap_or_default()))
    }
}

/// Reads the receiver's answer. `body_start` only serves the reason, so it may be
/// cut anywhere or empty.
#[must_use]
pub fn read(status: StatusCode, headers: &HeaderMap, body_start: &[u8]) -> Delivery {
    if status.is_success() {
        return Delivery::Delivered {
            status: status.as_u16(),
        };
    }
    let reason = reason(status, body_start);
    if status == StatusCode::GONE {
        return Delivery::Gone { reason };
    }
    Delivery::Retry {
        reason,
        status: Some(status.as_u16()),
        retry_after: retry_after(headers),
    }
}

fn reason(status: StatusCode, body_start: &[u8]) -> String {
    let words = excerpt(body_start, WORDS_MAX);
    let colon = if words.is_empty() { "" } else { ": " };
    let meaning = match status.as_u16() {
        300..=399 => " (a redirect, which is not followed)",
        410 => " (gone: it wants no more deliveries)",
        _ => "",
    };
    format!(
        "the webhook answered {}{meaning}{colon}{words}",
        status.as_u16()
    )
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderValue, RETRY_AFTER};

    use super::*;

    fn reading(status: u16, body: &str) -> Delivery {
        read(
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn every_2xx_and_nothing_else_is_delivered() {
        for status in 200..=599 {
            let delivered = matches!(reading(status, ""), Delivery::Delivered { status: told } if told == status);
            assert_eq!(delivered, (200..300).contains(&status), "{status}");
        }
    }

    #[test]
    fn only_410_says_that_there_is_no_more_to_send() {
        for status in 300..=599 {
            let last = matches!(reading(status, ""), Delivery::Gone { .. });
            assert_eq!(last, status == 410, "{status}");
        }
    }

    #[test]
    fn an_origin_fails_if_it_says_so_or_nothing_and_some_answers_ask_for_less() {
        for status in 200..=599 {
            let (outcome, slow) = reading(status, "").for_others();
            let expected = match status {
                410 => DeliveryOutcome::Gone,
                500..=599 => DeliveryOutcome::Failed,
                _ => DeliveryOutcome::Ok,
            };
            assert_eq!(outcome, expected, "{status}");
            let asks = [429, 502, 504].contains(&status);
            assert_eq!(slow, asks.then_some(Duration::ZERO), "{status}");
        }
        let silent = Delivery::Retry {
            reason: String::new(),
            status: None,
            retry_after: None,
        };
        assert_eq!(silent.for_others(), (DeliveryOutcome::Failed, None));
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let busy = read(StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert_eq!(busy.for_others().1, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_reason_tells_the_status_and_the_start_of_what_the_receiver_said() {
        let table = [
            (500, "", "the webhook answered 500"),
            (500, "no\ndisk", "the webhook answered 500: no\\ndisk"),
            (
                302,
                "",
                "the webhook answered 302 (a redirect, which is not followed)",
            ),
        ];
        for (status, body, expected) in table {
            let expected = Delivery::Retry {
                reason: expected.to_owned(),
                status: Some(status),
                retry_after: None,
            };
            assert_eq!(reading(status, body), expected);
        }
        let Delivery::Retry { reason, .. } = reading(500, &"x".repeat(9_000)) else {
            panic!("500 is retried");
        };
        assert!(reason.ends_with("x…") && reason.len() < 160, "{reason}");
    }

    #[test]
    fn a_wish_to_wait_is_passed_on_whatever_the_failure() {
        for status in [302, 400, 429, 500, 503] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
            let delivery = read(StatusCode::from_u16(status).unwrap(), &headers, b"");
            let Delivery::Retry { retry_after, .. } = delivery else {
                panic!("{status} is retried");
            };
            assert_eq!(retry_after, Some(Duration::from_secs(7)), "{status}");
        }
    }
}
