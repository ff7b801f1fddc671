//! What an answer from GitHub means.
//!
//! All workers are one client in GitHub's eyes. So a refusal that is about the
//! client, which is a limit or the token, is told apart from one that is about
//! this request: the first makes everybody wait and is no failure of the job.
//!
//! The order of the questions matters. Words say more than numbers: a secondary
//! limit is known by its words, and its answer may still carry a `remaining` of 0
//! or of 4,000, so the words are looked at first. A 403 that is no limit is a
//! refusal that will not change by asking again.
//!
//! How long to stay away if GitHub does not say, how waits grow, and who may ask
//! when, is not decided here.
//!
//! Sources: GitHub Docs, "Rate limits for the REST API", "Best practices for
//! using the REST API", "Troubleshooting the REST API" and "Rate limits and query
//! limits for the GraphQL API".

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};

mod budget;
mod graphql;
mod refusal;
mod words;

pub use budget::{Budget, budget};
pub use graphql::{GraphqlReading, read_graphql};
pub use refusal::{Limit, PAUSE_MIN, Refusal};

use super::retry_after::retry_after;

/// What an answer means for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The body is what was asked for (200).
    Body,
    /// It was created (201).
    Created,
    /// There is nothing, and that is the answer (204: the contributors of an empty
    /// repository).
    Empty,
    /// The stored answer still holds (304).
    Unchanged,
    /// It is elsewhere now.
    Moved {
        /// The address as GitHub sent it, not yet judged.
        location: String,
        /// Whether it moved for good (301, 308), so that the new address may be
        /// remembered, or for now (302, 307).
        permanent: bool,
    },
    /// GitHub will not list this repository's contributors, because they are too
    /// many. Nothing is wrong, and asking again will not help.
    TooLarge,
    /// Asking again will not help.
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// The job tries again later, and that counts as a failure of it.
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if the answer or GitHub's rules say one; at
        /// most [`RETRY_AFTER_MAX`](super::retry_after::RETRY_AFTER_MAX).
        retry_after: Option<Duration>,
    },
}

/// What kind of request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It changes nothing.
    Read,
    /// It creates content that people are told about, like a comment. Only then
    /// does a 422 about haste mean a limit.
    Create,
}

/// Reads an answer about `subject`, which is put into the reasons as it is:
/// "repository octocat/hello-world", "user octocat".
///
/// `body_start` is looked at only if the status is 400 or above, and may be cut
/// anywhere; 16 KiB are more than any refusal of GitHub's needs. A reason holds
/// nothing of the headers, and of the body at most 200 characters of GitHub's
/// message.
///
/// # Errors
///
/// A limit was met, or the token is not accepted: everybody waits, and it is no
/// failure of the job.
pub fn read(
    subject: &str,
    call: Call,
    status: StatusCode,
    headers: &HeaderMap,
    body_start: &[u8],
) -> Result<Reading, Refusal> {
    let code = status.as_u16();
    let reading = match code {
        200 => Reading::Body,
        201 => Reading::Created,
        204 => Reading::Empty,
        301 | 302 | 307 | 308 => moved(subject, code, headers),
        304 => Reading::Unchanged,
        400 => unless_page(
            subject,
            "cannot read the request for",
            code,
            headers,
            body_start,
        ),
        401 | 403 | 429 => return refused(subject, code, headers, body_start),
        404 => Reading::Final {
            reason: format!("GitHub has no {subject}, or the token may not see it (404)"),
        },
        410 => ended(subject, "has removed or switched off", code, body_start),
        422 if call == Call::Create && words::say_too_quick(body_start) => {
            return Err(refusal::too_quick(code, headers, body_start));
        }
        422 => ended(subject, "cannot process the request for", code, body_start),
        451 => ended(subject, "has blocked, for legal reasons,", code, body_start),
        _ => Reading::Later {
            reason: could_not_answer(subject, code, body_start),
            retry_after: retry_after(headers),
        },
    };
    Ok(reading)
}

fn moved(subject: &str, code: u16, headers: &HeaderMap) -> Reading {
    match headers.get(LOCATION).and_then(|value| value.to_str().ok()) {
        Some(location) => Reading::Moved {
            location: location.to_owned(),
            permanent: matches!(code, 301 | 308),
        },
        None => Reading::Later {
            reason: format!("GitHub says that {subject} moved, but not where to ({code})"),
            retry_after: None,
        },
    }
}

/// A 401, 403 or 429: a limit, the token, or a refusal of this request.
fn refused(
    subject: &str,
    code: u16,
    headers: &HeaderMap,
    body_start: &[u8],
) -> Result<Reading, Refusal> {
    if code == 403 && words::say_too_large(body_start) {
        return Ok(Reading::TooLarge);
    }
    match refusal::refusal(code, headers, body_start, "core") {
        Some(refusal) => Err(refusal),
        None => Ok(unless_page(
            subject,
            "refuses access to",
            code,
            headers,
            body_start,
        )),
    }
}

/// GitHub's own refusals are JSON and final. A page comes from a proxy, or from
/// GitHub in trouble, and says nothing about what was asked for.
fn unless_page(
    subject: &str,
    verb: &str,
    code: u16,
    headers: &HeaderMap,
    body_start: &[u8],
) -> Reading {
    if words::are_a_page(headers, body_start) {
        return Reading::Later {
            reason: page(subject, code),
            retry_after: Some(retry_after(headers).unwrap_or(PAUSE_MIN)),
        };
    }
    ended(subject, verb, code, body_start)
}

fn ended(subject: &str, verb: &str, code: u16, body_start: &[u8]) -> Reading {
    let said = words::said(body_start);
    Reading::Final {
        reason: format!("GitHub {verb} {subject} ({code}){said}"),
    }
}

fn page(subject: &str, code: u16) -> String {
    format!("a web page came in place of GitHub's answer for {subject} ({code})")
}

fn could_not_answer(subject: &str, code: u16, body_start: &[u8]) -> String {
    let said = words::said(body_start);
    format!("GitHub could not answer for {subject} ({code}){said}")
}

#[cfg(test)]
mod tests;
