//! The refusals that are about the client and not about what it asked for.

use std::time::Duration;

use hookme_shared::queue::Outcome;
use reqwest::header::HeaderMap;

use super::budget::{is_used_up, resource, until_reset};
use super::words::{self, Matter};
use crate::policy::retry_after::{RETRY_AFTER_MAX, retry_after};

/// The least wait after a refusal that does not say how long. GitHub Docs, "Rate
/// limits for the REST API": "wait for at least one minute before retrying".
pub const PAUSE_MIN: Duration = Duration::from_secs(60);

/// The least wait that a refusal can name; a shorter one is none.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest id of a request that is taken over, in bytes; GitHub's have some
/// forty.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// A refusal that concerns every request of this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was met, and so who has to wait.
    pub limit: Limit,
    /// The wait that GitHub named, from the answer's `Date` on; between one second
    /// and [`RETRY_AFTER_MAX`].
    ///
    /// `None` if it named none: then whoever waits begins with [`PAUSE_MIN`] and
    /// doubles it with each further refusal.
    pub wait: Option<Duration>,
    /// Why, in a few words for people.
    pub reason: String,
    /// GitHub's name for the request, which its support asks for: at most 64
    /// letters, digits, `:` and `-`.
    pub request_id: Option<String>,
}

/// What a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// The requests of the hour are used up; other budgets are not touched.
    Primary {
        /// Which budget; the same letters as in [`Budget`](super::Budget).
        resource: String,
    },
    /// A secondary limit: all requests have to stop.
    Secondary,
    /// The secondary limit of new content, like comments.
    Content,
    /// The token is not accepted, or GitHub refuses all logins for a while after
    /// too many bad ones.
    Token,
}

impl From<&Refusal> for Outcome {
    /// What all workers are to know of a refusal.
    fn from(refusal: &Refusal) -> Self {
        let scope = match &refusal.limit {
            Limit::Primary { resource } => resource.clone(),
            Limit::Secondary => "all".to_owned(),
            Limit::Content => "content".to_owned(),
            Limit::Token => "token".to_owned(),
        };
        Self::Refused {
            scope,
            wait: refusal.wait,
            request_id: refusal.request_id.clone().unwrap_or_default(),
        }
    }
}

/// Reads a 401, 403 or 429.
///
/// `None` if it is neither a limit nor about the token. `resource_unnamed` is the
/// budget that is used up if the answer does not name one.
///
/// Words come first, because a secondary limit may be met with nothing remaining,
/// and too many bad logins are answered from the budget of the caller's address.
pub(super) fn refusal(
    code: u16,
    headers: &HeaderMap,
    body_start: &[u8],
    resource_unnamed: &str,
) -> Option<Refusal> {
    if code == 401 {
        return Some(bad_token(code, headers, body_start));
    }
    let marked = headers.contains_key("gh-limited-by");
    let matter = match words::matter(&String::from_utf8_lossy(body_start)) {
        Some(Matter::Content) => Some(Matter::Content),
        _ if marked => Some(Matter::Secondary),
        matter => matter,
    };
    let resource = || resource(headers).unwrap_or_else(|| resource_unnamed.to_owned());
    let refusal = match matter {
        Some(Matter::Secondary) => secondary(code, headers),
        Some(Matter::Content) => content(code, headers),
        Some(Matter::Token) => too_many_logins(code, headers),
        Some(Matter::Primary) => used_up(code, headers, resource()),
        None if is_used_up(headers) => used_up(code, headers, resource()),
        None if code == 429 || retry_after(headers).is_some() => pause(code, headers, body_start),
        None => return None,
    };
    Some(refusal)
}

/// A 422 that means haste.
pub(super) fn too_quick(code: u16, headers: &HeaderMap, body_start: &[u8]) -> Refusal {
    let said = words::said(body_start);
    let reason = format!("GitHub wants new content to come more slowly ({code}){said}");
    Refusal::new(Limit::Content, reason, headers)
}

pub(super) fn secondary(code: u16, headers: &HeaderMap) -> Refusal {
    let reason = format!("GitHub's secondary rate limit was met ({code})");
    Refusal::new(Limit::Secondary, reason, headers)
}

pub(super) fn content(code: u16, headers: &HeaderMap) -> Refusal {
    let reason = format!("GitHub's limit of new content was met ({code})");
    Refusal::new(Limit::Content, reason, headers)
}

pub(super) fn too_many_logins(code: u16, headers: &HeaderMap) -> Refusal {
    let reason = format!(
        "GitHub refuses all logins after too many bad ones, so API_TOKEN needs a valid token ({code})"
    );
    Refusal::new(Limit::Token, reason, headers)
}

pub(super) fn used_up(code: u16, headers: &HeaderMap, resource: String) -> Refusal {
    let reason = format!("GitHub's hourly rate limit is used up ({code})");
    Refusal::new(Limit::Primary { resource }, reason, headers)
}

fn bad_token(code: u16, headers: &HeaderMap, body_start: &[u8]) -> Refusal {
    let said = words::said(body_start);
    let reason = format!(
        "GitHub does not accept the credentials, so API_TOKEN needs a valid token ({code}){said}"
    );
    Refusal::new(Limit::Token, reason, headers)
}

fn pause(code: u16, headers: &HeaderMap, body_start: &[u8]) -> Refusal {
    let said = words::said(body_start);
    let reason = format!("GitHub asks for a pause ({code}){said}");
    Refusal::new(Limit::Secondary, reason, headers)
}

impl Refusal {
    fn new(limit: Limit, reason: String, headers: &HeaderMap) -> Self {
        Self {
            wait: named_wait(&limit, headers),
            limit,
            reason,
            request_id: request_id(headers),
        }
    }
}

/// The wait that the answer names: what `Retry-After` says or, if nothing remains
/// of the hour's requests, the time to their reset, whichever is longer.
fn named_wait(limit: &Limit, headers: &HeaderMap) -> Option<Duration> {
    let asked = retry_after(headers);
    let reset = until_reset(headers);
    let named = match limit {
        // Of the secondary limit itself nothing is said, so its least wait stays.
        Limit::Secondary | Limit::Content if asked.is_none() => {
            reset.map(|reset| reset.max(PAUSE_MIN))
        }
        Limit::Primary { .. } | Limit::Secondary | Limit::Content => asked.max(reset),
        // The budget is that of the caller's address, and a good token has another.
        Limit::Token => asked,
    };
    named.map(|wait| wait.clamp(WAIT_MIN, RETRY_AFTER_MAX))
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-github-request-id")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-');
    let usable = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain);
    usable.then(|| id.to_owned())
}
