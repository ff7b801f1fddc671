//! How fast one caller may ask: a token bucket. A rule only; the time is an argument.
//!
//! The bucket holds as many tokens as may be taken in a second, is full at first, and
//! fills evenly. What is kept of it is one number, the time at which it is full again
//! if nobody takes anything: the generic cell rate algorithm (ITU-T I.371, annex A).

use std::num::NonZeroU32;
use std::time::Duration;

/// How many requests there may be in a second, and at once after a quiet second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The highest rate: above it the span between two tokens is no longer exact.
    pub(crate) const MAX: u32 = 1_000_000;

    /// The rate of that many requests in a second, 1 to [`Self::MAX`].
    pub(crate) fn new(per_second: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        (per_second <= Self::MAX).then_some(Self(rate))
    }

    /// From one token to the next, rounded up, so that no more come than may.
    fn gap(self) -> Duration {
        Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(self.0.get())))
    }

    /// How long an empty bucket takes to fill.
    fn span(self) -> Duration {
        self.gap() * self.0.get()
    }
}

/// The tokens of one caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// When it is full again, on the clock that [`Self::take`] is told.
    full_at: Duration,
}

impl Bucket {
    /// Takes a token at the time `now`, and says whether there was one. Where there
    /// was none, the next comes within a second.
    ///
    /// In any span of `w` seconds at most `rate * (1 + w)` are taken.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration) -> bool {
        let full_at = self.full_at.max(now) + rate.gap();
        let is_there = full_at <= now + rate.span();
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(per_second: u32) -> Rate {
        Rate::new(per_second).unwrap()
    }

    /// How many tokens can be taken at one moment.
    fn taken_at(bucket: &mut Bucket, rate: Rate, now: Duration) -> u32 {
        let mut taken = 0;
        while bucket.take(rate, now) {
            taken += 1;
        }
        taken
    }

    #[test]
    fn after_a_quiet_second_a_whole_burst_passes_and_nothing_after_it() {
        for per_second in [1, 2, 3, 7, 10, 999, 31_623, 999_999, Rate::MAX] {
            let (mut bucket, rate) = (Bucket::default(), rate(per_second));
            let begin = Duration::from_secs(100);
            assert_eq!(taken_at(&mut bucket, rate, begin), per_second);
            let later = begin + rate.span();
            assert_eq!(taken_at(&mut bucket, rate, later), per_second);
        }
    }

    #[test]
    fn the_next_token_comes_after_one_gap_and_not_a_moment_earlier() {
        let (mut bucket, rate) = (Bucket::default(), rate(7));
        taken_at(&mut bucket, rate, SECOND);
        let next = SECOND + rate.gap();
        assert!(!bucket.take(rate, next.saturating_sub(Duration::from_nanos(1))));
        assert!(bucket.take(rate, next));
        assert!(!bucket.take(rate, next));
    }

    #[test]
    fn there_is_no_rate_of_zero_or_above_the_highest() {
        assert_eq!(Rate::new(0), None);
        assert_eq!(Rate::new(Rate::MAX + 1), None);
    }

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_burst_and_what_refills_in_it(
            per_second in 1..2_000_u32,
            waits_us in proptest::collection::vec(0..20_000_u64, 1..400),
        ) {
            let (mut bucket, rate) = (Bucket::default(), rate(per_second));
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            for wait in waits_us {
                now += Duration::from_micros(wait);
                if bucket.take(rate, now) {
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let span = to.saturating_sub(*from);
                    let most = f64::from(per_second) * (1.0 + span.as_secs_f64());
                    let count = u32::try_from(last - first + 1).unwrap();
                    prop_assert!(f64::from(count) <= most + 1e-6, "{count} in {span:?}");
                }
            }
        }

        #[test]
        fn who_keeps_to_the_rate_is_never_refused(per_second in 1..2_000_u32, slower_us in proptest::collection::vec(0..5_000_u64, 1..300)) {
            let (mut bucket, rate) = (Bucket::default(), rate(per_second));
            let mut now = Duration::ZERO;
            for slower in slower_us {
                prop_assert!(bucket.take(rate, now));
                now += rate.gap() + Duration::from_micros(slower);
            }
        }

        #[test]
        fn who_was_refused_has_a_token_within_a_second_and_a_refusal_takes_none(per_second in 1..2_000_u32, refusals in 1..50_u32) {
            let (mut bucket, rate) = (Bucket::default(), rate(per_second));
            taken_at(&mut bucket, rate, SECOND);
            let before = bucket;
            for _ in 0..refusals {
                prop_assert!(!bucket.take(rate, SECOND));
            }
            prop_assert_eq!(bucket, before);
            prop_assert!(bucket.take(rate, SECOND + SECOND));
        }
    }
}
