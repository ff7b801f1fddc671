//! Times as clients read them.

use jiff::Timestamp;

/// `at_ms`, a time in ms since the Unix epoch, as RFC 3339 has it: in UTC and
/// with three decimals. A time after the year 9999 is shown as the end of it.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    let time = i64::try_from(at_ms)
        .ok()
        .and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    format!("{:.3}", time.unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_shown_in_utc_with_three_decimals() {
        for (at_ms, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_582_934_399_999, "2020-02-28T23:59:59.999Z"),
            (1_582_934_400_000, "2020-02-29T00:00:00.000Z"),
            (1_763_757_420_050, "2025-11-21T20:37:00.050Z"),
            (u64::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            assert_eq!(rfc3339(at_ms), shown);
        }
    }

    proptest! {
        #[test]
        fn later_times_are_shown_as_later_texts_of_one_length(a in 0..4_000_000_000_000_u64, b in 0..4_000_000_000_000_u64) {
            let (shown_a, shown_b) = (rfc3339(a), rfc3339(b));
            prop_assert_eq!(a.cmp(&b), shown_a.cmp(&shown_b));
            prop_assert_eq!(shown_a.len(), "1970-01-01T00:00:00.000Z".len());
        }
    }
}
