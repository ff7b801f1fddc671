//! What an answer's headers say about the requests of the hour.

use std::time::{Duration, UNIX_EPOCH};

use hookme_shared::queue::BudgetLeft;
use reqwest::header::HeaderMap;

use crate::policy::retry_after::{RETRY_AFTER_MAX, answered};

/// The longest name of a resource that is taken over, in bytes.
const RESOURCE_BYTES_MAX: usize = 32;
/// Numbers of more digits are taken for unreadable, so that each stays exact
/// where numbers are 64-bit floats, as in Redis's Lua.
const DIGITS_MAX: usize = 15;

/// What is left of an hour's requests, as an answer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Which of GitHub's budgets it is ("core", "graphql"): 1 to 32 of `a` to `z`
    /// and `_`, so that it can be part of a key or a field.
    pub resource: String,
    /// Requests (GraphQL: points) per hour; below 10¹⁵.
    pub limit: u64,
    /// Requests (GraphQL: points) left until the reset; below 10¹⁵.
    pub remaining: u64,
    /// From the answer's `Date` to the start of the next hour's budget, in whole
    /// seconds. Zero if it has started; at most [`RETRY_AFTER_MAX`].
    pub reset_in: Duration,
}

impl Budget {
    /// What is left, `elapsed` after the answer said it.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> BudgetLeft {
        BudgetLeft {
            resource: self.resource,
            limit: self.limit,
            remaining: self.remaining,
            reset_in: self.reset_in.saturating_sub(elapsed),
        }
    }
}

/// The budget that an answer tells.
///
/// `None` if one of the headers is missing or unreadable, or if the answer has no
/// `Date`. A missing one says nothing: GitHub Enterprise Server sends none with its
/// limits switched off.
///
/// To be asked of answers to an accepted token only: GitHub counts a wrong token
/// on the 60 requests of the caller's address, and its 401 tells that budget under
/// the same names.
///
/// Source: GitHub Docs, "Rate limits for the REST API", section "Checking the
/// status of your rate limit".
#[must_use]
pub fn budget(headers: &HeaderMap) -> Option<Budget> {
    let reset =
        UNIX_EPOCH.checked_add(Duration::from_secs(number(headers, "x-ratelimit-reset")?))?;
    let reset_in = reset.duration_since(answered(headers)?).unwrap_or_default();
    Some(Budget {
        resource: resource(headers)?,
        limit: number(headers, "x-ratelimit-limit")?,
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset_in: reset_in.min(RETRY_AFTER_MAX),
    })
}

/// Whether GitHub says that nothing remains. A missing header says nothing.
pub(super) fn is_used_up(headers: &HeaderMap) -> bool {
    number(headers, "x-ratelimit-remaining") == Some(0)
}

/// The time from the answer's `Date` to a second after the reset, because the
/// reset is told in whole seconds.
///
/// `None` unless nothing remains: with requests remaining the reset says nothing
/// about the refusal. `None` as well if the reset has passed or cannot be read.
pub(super) fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    if !is_used_up(headers) {
        return None;
    }
    let reset =
        UNIX_EPOCH.checked_add(Duration::from_secs(number(headers, "x-ratelimit-reset")?))?;
    let span = reset.duration_since(answered(headers)?).ok()?;
    Some(span.saturating_add(Duration::from_secs(1)))
}

/// The budget's name, if it is one that can be part of a key.
pub(super) fn resource(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("x-ratelimit-resource")?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let usable = (1..=RESOURCE_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    usable.then(|| name.to_owned())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let value = headers.get(name)?.to_str().ok()?;
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    (digits && value.len() <= DIGITS_MAX)
        .then(|| value.parse().ok())
        .flatten()
}
