//! What an answer from GitHub means.
//!
//! The order of the questions matters. A secondary limit is known by its words,
//! and its answer may still carry a `remaining` of 0 or of 4,000, so the words
//! are looked at first. A 403 that is neither limit is a refusal that will not
//! change by asking again.
//!
//! Sources: GitHub Docs, "Rate limits for the REST API", "Best practices for
//! using the REST API" and "Troubleshooting the REST API".

use std::time::{Duration, UNIX_EPOCH};

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde::Deserialize;

use super::excerpt::excerpt;
use super::retry_after::{RETRY_AFTER_MAX, retry_after, wait_until};

/// The least wait after a refusal that does not say how long. GitHub Docs, "Rate
/// limits for the REST API": "wait for at least one minute before retrying".
pub const PAUSE_MIN: Duration = Duration::from_secs(60);

/// How much of GitHub's words a reason carries, in characters.
const WORDS_MAX: usize = 200;

/// What tells a secondary limit, in lower case: the message, its older wording,
/// and the ends that the documentation's address has had.
const SECONDARY_MARKS: [&str; 5] = [
    "secondary rate limit",
    "abuse detection",
    "#about-secondary-rate-limits",
    "#secondary-rate-limits",
    "#abuse-rate-limits",
];

/// What an answer means for the fetch that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The body is what was asked for.
    Body,
    /// There is nothing, and that is the answer (the contributors of an empty
    /// repository).
    Empty,
    /// It is elsewhere now. The address is as GitHub sent it, not yet judged.
    Moved(String),
    /// GitHub will not list this repository's contributors, because they are too
    /// many. Nothing is wrong, and asking again will not help.
    TooLarge,
    /// Asking again will not help.
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Ask again later.
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if GitHub's answer or its rules say one.
        retry_after: Option<Duration>,
    },
}

/// What GitHub says about a request that it does not serve.
#[derive(Debug, Default, Deserialize)]
struct Complaint {
    message: Option<String>,
}

/// Reads an answer about `subject`, which is put into the reasons as it is:
/// "repository octocat/hello-world", "user octocat".
///
/// `body_start` is looked at only if the status is not 200, and may be cut
/// anywhere.
#[must_use]
pub fn read(subject: &str, status: StatusCode, headers: &HeaderMap, body_start: &[u8]) -> Reading {
    let code = status.as_u16();
    match code {
        200 => Reading::Body,
        204 => Reading::Empty,
        301 | 302 | 307 | 308 => moved(subject, code, headers),
        401 => Reading::Later {
            reason: format!(
                "GitHub does not accept the credentials, so API_TOKEN needs a valid token (401){}",
                said(body_start)
            ),
            retry_after: Some(PAUSE_MIN),
        },
        403 | 429 => refused(subject, code, headers, body_start),
        404 => Reading::Final {
            reason: format!("GitHub has no {subject}, or the token may not see it (404)"),
        },
        410 => ended(subject, "has removed or switched off", code, body_start),
        422 => ended(subject, "cannot process the request for", code, body_start),
        451 => ended(subject, "has blocked, for legal reasons,", code, body_start),
        _ => Reading::Later {
            reason: format!(
                "GitHub could not answer for {subject} ({code}){}",
                said(body_start)
            ),
            retry_after: retry_after(headers),
        },
    }
}

fn ended(subject: &str, verb: &str, code: u16, body_start: &[u8]) -> Reading {
    Reading::Final {
        reason: format!("GitHub {verb} {subject} ({code}){}", said(body_start)),
    }
}

fn moved(subject: &str, code: u16, headers: &HeaderMap) -> Reading {
    match headers.get(LOCATION).and_then(|value| value.to_str().ok()) {
        Some(location) => Reading::Moved(location.to_owned()),
        None => Reading::Later {
            reason: format!("GitHub says that {subject} moved, but not where to ({code})"),
            retry_after: None,
        },
    }
}

/// A 403 or 429: a limit, or a refusal.
fn refused(subject: &str, code: u16, headers: &HeaderMap, body_start: &[u8]) -> Reading {
    let words = String::from_utf8_lossy(body_start).to_ascii_lowercase();
    let secondary = SECONDARY_MARKS.iter().any(|mark| words.contains(mark));
    if secondary || headers.contains_key("gh-limited-by") {
        return limited(
            format!("GitHub's secondary rate limit was met ({code})"),
            headers,
        );
    }
    if words.contains("too large to list contributors") {
        return Reading::TooLarge;
    }
    if remaining_is_zero(headers) {
        return limited(
            format!("GitHub's hourly rate limit is used up ({code})"),
            headers,
        );
    }
    if words.contains("number of login attempts exceeded") {
        let reason = format!(
            "GitHub refuses all logins after too many bad ones, so API_TOKEN needs a valid token ({code})"
        );
        return limited(reason, headers);
    }
    if code == 429 || retry_after(headers).is_some() {
        return limited(
            format!("GitHub asks for a pause ({code}){}", said(body_start)),
            headers,
        );
    }
    // GitHub's own refusals are JSON. A page comes from a proxy, or from GitHub in trouble.
    if is_html(headers, &words) {
        let reason = format!("a web page came in place of GitHub's answer for {subject} ({code})");
        return limited(reason, headers);
    }
    ended(subject, "refuses access to", code, body_start)
}

fn limited(reason: String, headers: &HeaderMap) -> Reading {
    Reading::Later {
        reason,
        retry_after: Some(pause(headers)),
    }
}

/// How long to stay away after a limit was met.
///
/// What `Retry-After` says, else [`PAUSE_MIN`]; and if nothing remains of the
/// hour's requests, not before their reset and a second more, because the reset
/// is told in whole seconds. With requests remaining the reset says nothing about
/// a secondary limit, and a reset that has passed says nothing at all.
fn pause(headers: &HeaderMap) -> Duration {
    let least = retry_after(headers).unwrap_or(PAUSE_MIN);
    let reset = if remaining_is_zero(headers) {
        until_reset(headers)
    } else {
        None
    };
    least.max(reset.unwrap_or_default()).min(RETRY_AFTER_MAX)
}

/// The time from the answer's `Date` to a second after the reset that it names.
fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    let epoch_seconds: u64 = headers
        .get("x-ratelimit-reset")?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    let reset = UNIX_EPOCH.checked_add(Duration::from_secs(epoch_seconds))?;
    Some(wait_until(reset, headers)?.saturating_add(Duration::from_secs(1)))
}

/// Whether GitHub says that nothing remains. A missing header says nothing:
/// GitHub Enterprise Server sends none with its limits switched off.
fn remaining_is_zero(headers: &HeaderMap) -> bool {
    headers
        .get("x-ratelimit-remaining")
        .is_some_and(|value| value.as_bytes() == b"0")
}

fn is_html(headers: &HeaderMap, words: &str) -> bool {
    let html = |value: &reqwest::header::HeaderValue| value.as_bytes().starts_with(b"text/html");
    headers.get(CONTENT_TYPE).is_some_and(html) || words.trim_start().starts_with('<')
}

/// `: ` and GitHub's message, or nothing if there is none to read.
fn said(body_start: &[u8]) -> String {
    let complaint: Complaint = serde_json::from_slice(body_start).unwrap_or_default();
    match complaint.message {
        Some(message) => format!(": {}", excerpt(message.as_bytes(), WORDS_MAX)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
