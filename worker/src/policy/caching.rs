//! How long an answer of GitHub's may stand in for a request, and how it is asked
//! for again.
//!
//! GitHub marks nearly every answer `private`. So whoever keeps one must keep it
//! apart for each identity; that, the key and the place are not decided here. Nor
//! is `Vary`: all workers send the same headers but for the token.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};

/// How long it is remembered that something moved for good or is not there. Long
/// enough that a wrong name posted a thousand times costs one request, short
/// enough for the person who has just put it right.
pub const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// The longest time that an answer is taken for fresh, whatever it says.
const FRESH_MAX: Duration = Duration::from_secs(60 * 60);
/// How long an empty answer is fresh if it does not say. It cannot be asked for
/// again on a condition, since GitHub sends it without validators.
const EMPTY_FRESH: Duration = Duration::from_secs(60);
/// The longest validator that is kept, in bytes.
const VALIDATOR_BYTES_MAX: usize = 256;

/// How an answer may be kept and asked for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// How long the answer may be used without asking, from its arrival on; at most
    /// one hour. Zero if it has to be asked for again each time.
    pub fresh_for: Duration,
    /// What to send back as `If-None-Match`: 1 to 256 visible ASCII characters and
    /// spaces.
    pub etag: Option<String>,
    /// What to send back as `If-Modified-Since`; the same characters.
    pub last_modified: Option<String>,
}

/// How an answer may be kept; `None` if not at all.
///
/// - 200: fresh for its `max-age`, and kept if it is fresh for a while or can be
///   asked for on a condition.
/// - 304: how the stored answer is kept from now on. A validator that is missing
///   here leaves the stored one as it is.
/// - 204: fresh for its `max-age`, or for a minute if it says nothing.
/// - 301, 308, 404, 410, 451: remembered for [`REMEMBERED`].
///
/// `no-store` forbids to keep any of them. `s-maxage` is ignored: it is meant for
/// caches between several users.
///
/// Source: RFC 9111, sections 4.2, 4.3 and 5.2.2; GitHub Docs, "Best practices for
/// using the REST API", section "Use conditional requests if appropriate".
#[must_use]
pub fn keeping(status: StatusCode, headers: &HeaderMap) -> Option<Keeping> {
    let control = Control::read(headers);
    if control.no_store {
        return None;
    }
    match status.as_u16() {
        200 => {
            let keeping = Keeping::with_validators(control.fresh_for(Duration::ZERO), headers);
            keeping.is_of_use().then_some(keeping)
        }
        204 => {
            let keeping = Keeping::without_validators(control.fresh_for(EMPTY_FRESH));
            keeping.is_of_use().then_some(keeping)
        }
        304 => Some(Keeping::with_validators(
            control.fresh_for(Duration::ZERO),
            headers,
        )),
        301 | 308 | 404 | 410 | 451 => Some(Keeping::without_validators(REMEMBERED)),
        _ => None,
    }
}

impl Keeping {
    fn with_validators(fresh_for: Duration, headers: &HeaderMap) -> Self {
        Self {
            fresh_for,
            etag: validator(headers, &ETAG),
            last_modified: validator(headers, &LAST_MODIFIED),
        }
    }

    fn without_validators(fresh_for: Duration) -> Self {
        Self {
            fresh_for,
            etag: None,
            last_modified: None,
        }
    }

    fn is_of_use(&self) -> bool {
        !self.fresh_for.is_zero() || self.etag.is_some() || self.last_modified.is_some()
    }
}

/// What `Cache-Control` says, as far as it matters here.
#[derive(Debug, Default)]
struct Control {
    no_store: bool,
    no_cache: bool,
    /// The shortest `max-age`; zero for one that cannot be read.
    max_age: Option<Duration>,
}

impl Control {
    fn read(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let values = headers.get_all(CACHE_CONTROL).iter();
        for directive in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            control.add(&String::from_utf8_lossy(directive));
        }
        control
    }

    fn add(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "max-age" => {
                let age = max_age(value);
                self.max_age = Some(self.max_age.map_or(age, |other| other.min(age)));
            }
            _ => {}
        }
    }

    fn fresh_for(&self, unsaid: Duration) -> Duration {
        if self.no_cache {
            return Duration::ZERO;
        }
        self.max_age.unwrap_or(unsaid).min(FRESH_MAX)
    }
}

/// Zero for what is not a number of seconds, so that a broken answer is asked for
/// again (RFC 9111, section 4.2.1).
fn max_age(value: &str) -> Duration {
    let digits = value.trim().trim_matches('"');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    Duration::from_secs(digits.parse().unwrap_or(u64::MAX))
}

fn validator(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    let usable = (1..=VALIDATOR_BYTES_MAX).contains(&value.len())
        && value.iter().all(|byte| (b' '..=b'~').contains(byte));
    usable.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests;
