//! How fast each key's requests come, as far as this process sees them.
//!
//! The rule is [`Bucket`]'s. There is one for each key that is known and one for all
//! callers without, so that no client can make this take more memory.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bucket::{Bucket, Rate};
use crate::problem::Problem;

/// The buckets of one process.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: Option<Rate>,
    started: Instant,
    /// Of each key, by its place in the list of keys; behind them that of everybody else.
    buckets: Vec<Mutex<Bucket>>,
}

impl RateLimit {
    /// Full buckets for that many keys; `None` is no limit.
    pub(crate) fn new(rate: Option<Rate>, keys: usize) -> Self {
        Self {
            rate,
            started: Instant::now(),
            buckets: (0..=keys).map(|_| Mutex::default()).collect(),
        }
    }

    /// Lets a request with the key at that `place` pass, or one without a key.
    pub(crate) fn pass(&self, place: Option<usize>) -> Result<(), Problem> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let keys = self.buckets.len() - 1;
        let bucket = &self.buckets[place.unwrap_or(keys).min(keys)];
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(rate, self.started.elapsed()) {
            Ok(())
        } else {
            Err(Problem::TooFast)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_fast_is_in_nobody_else_s_way() {
        // One in a second: the test is over before the next.
        let limit = RateLimit::new(Rate::new(1), 2);
        for place in [Some(0), Some(1), None] {
            assert_eq!(limit.pass(place), Ok(()), "{place:?}");
        }
        for place in [Some(0), Some(1), None] {
            assert_eq!(limit.pass(place), Err(Problem::TooFast), "{place:?}");
        }
    }

    #[test]
    fn without_a_rate_nobody_is_refused() {
        let limit = RateLimit::new(None, 0);
        assert!((0..10_000).all(|_| limit.pass(None).is_ok()));
    }
}
