//! What GitHub says in the body of a refusal.
//!
//! Only refusals are searched, never data: an issue may well be about a secondary
//! rate limit.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use crate::policy::excerpt::excerpt;

/// How much of GitHub's words a reason carries, in characters.
const SAID_MAX: usize = 200;

/// What tells a secondary limit, in lower case: the message, its older wording,
/// the ban on new content, and the ends that the documentation's address has had.
const SECONDARY_MARKS: [&str; 6] = [
    "secondary rate limit",
    "abuse detection",
    "have been temporarily blocked",
    "#about-secondary-rate-limits",
    "#secondary-rate-limits",
    "#abuse-rate-limits",
];

/// What tells the limit of requests per hour, in lower case.
const PRIMARY_MARKS: [&str; 2] = ["api rate limit exceeded", "api rate limit already exceeded"];

/// What tells in a 422 that content came too fast, in lower case. GitHub's
/// description of its API says of this 422: "Validation failed, or the endpoint has been spammed."
const HASTE_MARKS: [&str; 2] = ["too quickly", "spammed"];

/// What GitHub says about a request that it does not serve.
#[derive(Debug, Default, Deserialize)]
struct Complaint {
    message: Option<String>,
    #[serde(default)]
    errors: Value,
}

/// What a text is about, as far as it is about a limit or the token. What concerns
/// more requests comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    Secondary,
    Content,
    Token,
    Primary,
}

/// What `text` is about; `None` if none of the known words is in it. The words of
/// a secondary limit win over all others.
pub(super) fn matter(text: &str) -> Option<Matter> {
    let text = text.to_ascii_lowercase();
    let says = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if says(&SECONDARY_MARKS) {
        let content = text.contains("content creation");
        return Some(if content {
            Matter::Content
        } else {
            Matter::Secondary
        });
    }
    if says(&["number of login attempts exceeded"]) {
        return Some(Matter::Token);
    }
    says(&PRIMARY_MARKS).then_some(Matter::Primary)
}

pub(super) fn say_too_large(body_start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body_start).to_ascii_lowercase();
    text.contains("too large to list contributors")
}

/// Whether the messages of a 422 say that content came too fast. Only the messages
/// are looked at, because a validation error may quote what was sent.
pub(super) fn say_too_quick(body_start: &[u8]) -> bool {
    let complaint: Complaint = serde_json::from_slice(body_start).unwrap_or_default();
    let details = complaint.errors.as_array().into_iter().flatten();
    let details = details.filter_map(|detail| detail.get("message").unwrap_or(detail).as_str());
    let mut messages = complaint.message.as_deref().into_iter().chain(details);
    messages.any(|message| {
        let message = message.to_ascii_lowercase();
        HASTE_MARKS.iter().any(|mark| message.contains(mark))
    })
}

/// Whether the body is a web page, which GitHub's API does not send on its own.
pub(super) fn are_a_page(headers: &HeaderMap, body_start: &[u8]) -> bool {
    let html = headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    html || body_start.trim_ascii_start().starts_with(b"<")
}

/// `: ` and GitHub's message, or nothing if there is none to read.
pub(super) fn said(body_start: &[u8]) -> String {
    let complaint: Complaint = serde_json::from_slice(body_start).unwrap_or_default();
    complaint.message.as_deref().map(quoted).unwrap_or_default()
}

/// `: ` and the start of `message`, safe to show.
pub(super) fn quoted(message: &str) -> String {
    format!(": {}", excerpt(message.as_bytes(), SAID_MAX))
}
