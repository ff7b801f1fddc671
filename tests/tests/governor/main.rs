//! What makes all workers one polite client of GitHub, in virtual time: every hour
//! here passes without waiting.
//!
//! The functions in Redis are called by hand, as several workers would. What a
//! worker makes of the answers is not looked at.

#![cfg(test)]

mod answer_bytes;
mod answers;
mod budget;
mod claims;
mod clock_set_back;
mod content;
mod crew;
mod keys;
mod names;
mod pace;
mod pauses;
mod probes;
mod turns;
mod waits;

use std::future::Future;
use std::time::Duration;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Where the clock begins: 2023-11-14 at 22:13:20 UTC.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// After its start a request counts as lost after this long.
const TERM: Duration = Duration::from_secs(30);
/// The longest that anybody waits for a start that is given ahead.
const PATIENCE: Duration = Duration::from_secs(2);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs one case of a property test.
fn run<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(case)
}
