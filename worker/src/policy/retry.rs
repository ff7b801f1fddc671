//! When a job that failed is tried again, and when it is given up.

use std::num::NonZeroU32;
use std::time::Duration;

use super::retry_after::RETRY_AFTER_MAX;

/// Where the doubling stops, unless the base is longer than this itself.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60 * 60);

/// The largest part of a wait that jitter adds to it.
const JITTER_SHARE: f64 = 0.25;

/// How often and how soon a failed job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    base: Duration,
    cap: Duration,
    max_retries: u32,
}

impl RetryPolicy {
    /// A policy that waits `base` after the first failure and allows
    /// `max_retries` tries after the first one (so 3 means four tries in all).
    ///
    /// The wait grows up to [`BACKOFF_MAX`], or stays at `base` if that is longer.
    #[must_use]
    pub fn new(base: Duration, max_retries: u32) -> Self {
        Self {
            base,
            cap: BACKOFF_MAX.max(base),
            max_retries,
        }
    }

    /// The wait between the `failures`-th failure and the next try.
    ///
    /// The window doubles with each failure until it meets the cap. A wait that
    /// the other side asked for is a floor, itself cut to [`RETRY_AFTER_MAX`].
    /// Jitter then adds up to a quarter, so that jobs which failed together come
    /// back apart and none comes back sooner than it was told to.
    ///
    /// - `failures`: failures so far; the first is 1.
    /// - `jitter`: a uniform sample in `[0, 1]`; the caller owns the generator.
    ///   Anything outside is brought inside.
    ///
    /// With `wait = max(window, floor)` the result lies in `[wait, 1.25 * wait]`.
    /// It saturates and never overflows.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
    /// Blog, 2015, with jitter that only adds, because RFC 9110, section 10.2.3,
    /// makes `Retry-After` the least that a client waits.
    #[must_use]
    pub fn delay(
        &self,
        failures: NonZeroU32,
        jitter: f64,
        retry_after: Option<Duration>,
    ) -> Duration {
        let floor = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let wait = self.window(failures).max(floor);
        wait.saturating_add(wait.mul_f64(JITTER_SHARE * within_unit(jitter)))
    }

    /// Whether a job that failed `failures` times has used up its tries.
    #[must_use]
    pub fn exhausted(&self, failures: NonZeroU32) -> bool {
        failures.get() > self.max_retries
    }

    /// `base` times two to the power of `failures - 1`, up to the cap.
    fn window(&self, failures: NonZeroU32) -> Duration {
        let factor = 1_u32.checked_shl(failures.get() - 1).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

/// `sample` brought into `[0, 1]`; what is not a number becomes 0.
fn within_unit(sample: f64) -> f64 {
    if sample > 0.0 { sample.min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nth(failures: u32) -> NonZeroU32 {
        NonZeroU32::new(failures).unwrap()
    }

    #[test]
    fn examples_of_waits_in_ms() {
        let table = [
            // base, failures, jitter, retry after, wait
            (1_000, 1, 0.0, None, 1_000),
            (1_000, 2, 0.0, None, 2_000),
            (1_000, 5, 0.0, None, 16_000),
            (1_000, 1, 1.0, None, 1_250),
            (1_000, 3, 0.5, None, 4_500),
            (1_000, 12, 0.0, None, 2_048_000),
            (1_000, 13, 0.0, None, 3_600_000),
            (1_000, u32::MAX, 0.0, None, 3_600_000),
            (1_000, u32::MAX, 1.0, None, 4_500_000),
            (7_200_000, 1, 0.0, None, 7_200_000),
            (7_200_000, 9, 0.0, None, 7_200_000),
            (0, 9, 1.0, None, 0),
            (1_000, 1, 0.0, Some(30_000), 30_000),
            (1_000, 1, 1.0, Some(30_000), 37_500),
            (1_000, 6, 0.0, Some(30_000), 32_000),
            (1_000, 1, 0.0, Some(1_000_000_000), 86_400_000),
        ];
        for (base, failures, jitter, retry_after, wait) in table {
            let policy = RetryPolicy::new(Duration::from_millis(base), 3);
            let floor = retry_after.map(Duration::from_millis);
            let delay = policy.delay(nth(failures), jitter, floor);
            assert_eq!(
                delay.as_millis(),
                wait,
                "{base} {failures} {jitter} {retry_after:?}"
            );
        }
    }

    #[test]
    fn a_sample_outside_of_its_range_neither_panics_nor_shortens_the_wait() {
        let policy = RetryPolicy::new(Duration::from_secs(4), 3);
        for (sample, seconds) in [(f64::NAN, 4), (-1.0, 4), (f64::INFINITY, 5), (9.0, 5)] {
            assert_eq!(
                policy.delay(nth(1), sample, None),
                Duration::from_secs(seconds)
            );
        }
    }

    #[test]
    fn three_retries_are_four_tries() {
        for (max_retries, tries) in [(0, 1), (1, 2), (3, 4)] {
            let policy = RetryPolicy::new(Duration::ZERO, max_retries);
            for failures in 1..tries {
                assert!(!policy.exhausted(nth(failures)), "{failures} of {tries}");
            }
            assert!(policy.exhausted(nth(tries)));
        }
        assert!(!RetryPolicy::new(Duration::ZERO, u32::MAX).exhausted(NonZeroU32::MAX));
    }

    proptest! {
        #[test]
        fn a_wait_keeps_its_exact_bounds(
            base_ms: u64, failures: NonZeroU32, jitter in 0.0..=1.0, floor_ms: Option<u64>,
        ) {
            let base = Duration::from_millis(base_ms);
            let floor = floor_ms.map(Duration::from_millis);
            let cap = u128::from(base_ms.max(3_600_000));
            let doubled = u128::from(base_ms) << (failures.get() - 1).min(32);
            let window = doubled.min(cap);
            let least = window.max(u128::from(floor_ms.unwrap_or(0).min(86_400_000)));

            let delay = RetryPolicy::new(base, 3).delay(failures, jitter, floor).as_millis();

            // One part in 2^50 for the rounding of the sample's product.
            prop_assert!(delay >= least, "{delay} < {least}");
            prop_assert!(delay <= least + least / 4 + 1 + (least >> 50), "{delay} of {least}");
        }

        #[test]
        fn one_more_failure_never_shortens_the_wait(base_ms in 0_u64..10_000_000, failures in 1_u32..90) {
            let policy = RetryPolicy::new(Duration::from_millis(base_ms), 3);
            prop_assert!(
                policy.delay(nth(failures), 0.3, None) <= policy.delay(nth(failures + 1), 0.3, None)
            );
        }

        #[test]
        fn no_input_overflows(secs: u64, nanos in 0_u32..1_000_000_000, failures: NonZeroU32, jitter: f64) {
            let longest = Duration::new(secs, nanos);
            let delay = RetryPolicy::new(longest, 0).delay(failures, jitter, Some(longest));
            prop_assert!(delay >= longest);
        }
    }
}
