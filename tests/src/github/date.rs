//! Dates as text, in the two forms that GitHub uses.
//!
//! Source: RFC 9110, section 5.6.7 (`IMF-fixdate`), and ISO 8601 in UTC. The
//! calendar is H. Hinnant's "chrono-Compatible Low-Level Date Algorithms", 2013.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_A_DAY: u64 = 86_400;

/// `Sun, 06 Nov 1994 08:49:37 GMT` for seconds since 1970.
pub(super) fn http_date(seconds: u64) -> String {
    let days = seconds / SECONDS_A_DAY;
    let (year, month, day) = civil(days);
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    format!(
        "{weekday}, {day:02} {month} {year:04} {} GMT",
        time(seconds)
    )
}

/// Reads what [`http_date`] writes; the weekday is not looked at.
pub(super) fn parse_http_date(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.strip_suffix(" GMT")?.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut clock = parts
        .next()?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let days = days_until(year, month, day)?;
    Some(days * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second)
}

/// `1994-11-06T08:49:37Z` for seconds since 1970.
pub(super) fn iso_date(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / SECONDS_A_DAY);
    format!("{year:04}-{month:02}-{day:02}T{}Z", time(seconds))
}

fn time(seconds: u64) -> String {
    let second = seconds % SECONDS_A_DAY;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", second % 60)
}

/// Year, month and day, the latter two from 1, of a count of days since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era_day = days % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let shifted = (5 * year_day + 2) / 153;
    let day = year_day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era_year + days / 146_097 * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// The inverse of [`civil`]; none before 1970.
fn days_until(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, era_year) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let year_day = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let era_day = era_year * 365 + era_year / 4 - era_year / 100 + year_day;
    (era * 146_097 + era_day).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_have_their_known_dates() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            (
                784_111_777,
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "1994-11-06T08:49:37Z",
            ),
            (
                1_709_164_800,
                "Thu, 29 Feb 2024 00:00:00 GMT",
                "2024-02-29T00:00:00Z",
            ),
        ];
        for (seconds, http, iso) in table {
            assert_eq!(
                (http_date(seconds).as_str(), iso_date(seconds).as_str()),
                (http, iso)
            );
        }
        assert_eq!(parse_http_date("yesterday"), None);
    }

    proptest! {
        #[test]
        fn a_date_that_was_written_reads_as_the_same_second(seconds in 0u64..10_000_000_000) {
            prop_assert_eq!(parse_http_date(&http_date(seconds)), Some(seconds));
        }
    }
}
