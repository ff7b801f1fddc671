//! What a receiver's answer means for a delivery.
//!
//! Only 2xx is success, a redirect is a failure and is never followed, and 410
//! ends the matter; so says the Standard Webhooks specification ("Deliverability
//! and reliability"). Everything else may pass, and is tried again.

use std::time::Duration;

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
    /// The receiver will never take it; trying again is no use.
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Not delivered as far as we know; try again under the same id.
    Retry {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time that the receiver asked us to wait.
        retry_after: Option<Duration>,
    },
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
        return Delivery::Final { reason };
    }
    Delivery::Retry {
        reason,
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
    fn only_gone_is_final() {
        for status in 300..=599 {
            let last = matches!(reading(status, ""), Delivery::Final { .. });
            assert_eq!(last, status == 410, "{status}");
        }
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
