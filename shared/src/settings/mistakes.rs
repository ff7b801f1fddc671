//! Reading single values, and collecting what is wrong with them.
//!
//! A message names the variable and what it should be. It never repeats what
//! was given: the value may be a credential that was put into the wrong place.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

/// The highest number that a limit can be. It is far above what one Redis can
/// hold, and far below where numbers in its scripts stop being exact.
const LIMIT_MAX: i64 = 1_000_000_000;

/// What is wrong with the settings of one start, in the order they were read.
///
/// A `parse` function that finds a mistake returns some value of its type, so
/// that the other settings can be read too; [`Mistakes::judge`] keeps such a
/// value from being used.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// Writes down that `variable` is not what is `expected`.
    pub fn add(&mut self, variable: &str, expected: impl fmt::Display) {
        self.0.push(format!("{variable} must be {expected}"));
    }

    /// Whether nothing was found wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets `checked` through if nothing was wrong, else returns all mistakes.
    pub fn judge<T>(self, checked: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(checked)
        } else {
            Err(self)
        }
    }

    /// Reads a span that is given as a whole number of milliseconds.
    pub fn parse_ms(
        &mut self,
        variable: &str,
        text: &str,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let span = text.trim().parse().ok().map(Duration::from_millis);
        span.filter(|span| range.contains(span)).unwrap_or_else(|| {
            let (least, most) = (range.start().as_millis(), range.end().as_millis());
            self.add(
                variable,
                format_args!("a whole number of milliseconds from {least} to {most}"),
            );
            *range.start()
        })
    }

    /// Reads a whole number.
    pub fn parse_count(&mut self, variable: &str, text: &str, range: RangeInclusive<u64>) -> u64 {
        let count = text.trim().parse().ok();
        count
            .filter(|count| range.contains(count))
            .unwrap_or_else(|| {
                let (least, most) = (range.start(), range.end());
                self.add(
                    variable,
                    format_args!("a whole number from {least} to {most}"),
                );
                *least
            })
    }

    /// Reads a limit: a whole number, of which 0 and less mean no limit.
    pub fn parse_limit(&mut self, variable: &str, text: &str) -> Option<u64> {
        match text.trim().parse::<i64>() {
            Ok(limit) if limit <= LIMIT_MAX => u64::try_from(limit).ok().filter(|limit| *limit > 0),
            Ok(_) | Err(_) => {
                self.add(
                    variable,
                    format_args!("a whole number up to {LIMIT_MAX}, where 0 or less is no limit"),
                );
                None
            }
        }
    }

    /// Reads `true` or `false`.
    pub fn parse_bool(&mut self, variable: &str, text: &str) -> bool {
        text.trim().parse().unwrap_or_else(|_| {
            self.add(variable, "true or false");
            false
        })
    }

    /// Reads an address and a port to listen on.
    pub fn parse_listen(&mut self, variable: &str, text: &str) -> SocketAddr {
        text.trim().parse().unwrap_or_else(|_| {
            self.add(
                variable,
                "an IP address and a port, like 127.0.0.1:4001 or [::]:4001",
            );
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)
        })
    }

    /// Reads an http or https URL without user name, password or fragment.
    pub fn parse_http_url(&mut self, variable: &str, text: &str) -> Option<Url> {
        let url = Url::parse(text.trim()).ok().filter(|url| {
            let bare =
                url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && bare
        });
        if url.is_none() {
            self.add(
                variable,
                "an http or https URL without user name, password or fragment, like https://example.org/path",
            );
        }
        url
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("these settings cannot be used:")?;
        self.0
            .iter()
            .try_for_each(|mistake| write!(formatter, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

    #[test]
    fn the_bounds_of_a_range_belong_to_it() {
        let mut mistakes = Mistakes::default();
        assert_eq!(mistakes.parse_ms("A", "1", SPAN), Duration::from_millis(1));
        assert_eq!(
            mistakes.parse_ms("A", " 60000\n", SPAN),
            Duration::from_secs(60)
        );
        assert_eq!(mistakes.parse_count("B", "9", 0..=9), 9);
        assert_eq!(mistakes.parse_limit("C", "1000000000"), Some(1_000_000_000));
        assert!(mistakes.is_empty(), "{mistakes}");
    }

    #[test]
    fn what_is_not_in_the_range_is_a_mistake_that_says_the_range() {
        for text in ["0", "60001", "-1", "1.5", "1s", "", "99999999999999999999"] {
            let mut mistakes = Mistakes::default();
            mistakes.parse_ms("SPAN", text, SPAN);
            assert_eq!(
                mistakes.judge(()).unwrap_err().to_string(),
                "these settings cannot be used:\n  SPAN must be a whole number of milliseconds from 1 to 60000",
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_url_is_http_and_carries_no_credentials() {
        let mut mistakes = Mistakes::default();
        for text in [
            "http://127.0.0.1:9/x?y=1",
            "https://example.org",
            "http://[::1]:80/",
        ] {
            assert!(mistakes.parse_http_url("U", text).is_some(), "{text}");
        }
        assert!(mistakes.is_empty(), "{mistakes}");
        for text in [
            "",
            "example.org",
            "/x",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://",
            "https://canary@example.org",
            "https://:canary@example.org",
            "https://a.b/#canary",
        ] {
            let mut mistakes = Mistakes::default();
            assert!(mistakes.parse_http_url("U", text).is_none(), "{text}");
            let shown = mistakes.to_string();
            assert!(
                shown.contains("U must be an http") && !shown.contains("canary"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_value_that_goes_with_a_mistake_is_not_let_through() {
        let mut mistakes = Mistakes::default();
        let value = mistakes.parse_bool("B", "maybe");
        assert!(mistakes.judge(value).is_err());
        assert_eq!(Mistakes::default().judge(7), Ok(7));
    }
}
