//! `Retry-After`, as GitHub and the webhook's receiver send it.
//!
//! Points in time are turned into spans against the answer's own `Date` header,
//! so neither our clock nor theirs needs to be right.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that anybody may ask of us. A longer one is cut to this, so
/// that a wrong header cannot put a job off for years.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that an answer asks for, at most [`RETRY_AFTER_MAX`].
///
/// Reads whole seconds and HTTP dates; a date already past is a wait of zero.
/// `None` if there is no such header, if it is neither of the two, or if it is a
/// date and the answer has no `Date` to measure it by.
///
/// Source: RFC 9110, section 10.2.3.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if digits {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        until.duration_since(answered(headers)?).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// When the answer was given by its own `Date`, to the second; `None` if it has
/// none that can be read.
pub(super) fn answered(headers: &HeaderMap) -> Option<SystemTime> {
    let date = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const NOON: &str = "Tue, 19 Jul 2022 12:00:00 GMT";

    fn answer(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        headers
    }

    #[test]
    fn seconds_and_dates_are_read_and_anything_else_is_no_wish() {
        let table = [
            ("0", None, Some(0)),
            ("8", None, Some(8)),
            (" 8 ", None, Some(8)),
            ("86399", None, Some(86_399)),
            ("86401", None, Some(86_400)),
            ("99999999999999999999999999", None, Some(86_400)),
            ("Tue, 19 Jul 2022 12:00:08 GMT", Some(NOON), Some(8)),
            ("Tuesday, 19-Jul-22 12:00:08 GMT", Some(NOON), Some(8)),
            ("Tue, 19 Jul 2022 11:59:00 GMT", Some(NOON), Some(0)),
            ("Wed, 19 Jul 2023 12:00:00 GMT", Some(NOON), Some(86_400)),
            ("Tue, 19 Jul 2022 12:00:08 GMT", None, None),
            ("Tue, 19 Jul 2022 12:00:08 GMT", Some("noon"), None),
            ("", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1.5", None, None),
            ("soon", Some(NOON), None),
        ];
        for (value, date, seconds) in table {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(
                retry_after(&answer(value, date)),
                expected,
                "{value:?} at {date:?}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn a_wish_of_seconds_is_kept_up_to_the_bound(seconds: u64) {
            let read = retry_after(&answer(&seconds.to_string(), None));
            prop_assert_eq!(read, Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX)));
        }
    }
}
