//! A span as it leaves Rust: in Redis, in answers and in logs it is a number.

use std::time::Duration;

/// The whole milliseconds of a span; more than `u64` holds becomes its greatest.
#[must_use]
pub fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
