//! What an answer to a GraphQL query means.
//!
//! GraphQL reports most trouble with status 200, in a list of errors beside the
//! data. Only that list and the message of a refusal are read for limits, never
//! the data.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::refusal::{self, PAUSE_MIN, Refusal};
use super::words::{self, Matter};
use super::{could_not_answer, page};
use crate::policy::retry_after::retry_after;

/// The budget that queries are counted on.
const RESOURCE: &str = "graphql";

/// What an answer to a GraphQL query means for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphqlReading {
    /// Data came. Entries may be null, with a `NOT_FOUND` or `FORBIDDEN` among the
    /// errors for each, which is normal: users are deleted and tokens restricted.
    Data,
    /// The query asked for too much at once, so ask for less: limits of resources,
    /// of nodes or of ids were met, or time ran out (502, 504). Data may be
    /// partial, and is not to be used. With a single id it will not get better:
    /// fall back to REST then.
    TooHeavy,
    /// This token or this GitHub cannot use GraphQL for this: fall back to REST.
    Unusable {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// The job tries again later, and that counts as a failure of it.
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if the answer or GitHub's rules say one; at
        /// most [`RETRY_AFTER_MAX`](crate::policy::retry_after::RETRY_AFTER_MAX).
        retry_after: Option<Duration>,
    },
}

/// The part of an answer that is read here.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<IgnoredAny>,
    errors: Option<Vec<Trouble>>,
    message: Option<String>,
}

/// An entry in the list of errors.
#[derive(Debug, Deserialize)]
struct Trouble {
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

impl Trouble {
    fn matter(&self) -> Option<Matter> {
        let matter = self.message.as_deref().and_then(words::matter);
        // The first is documented, the second comes too: githubkit, pull request 272.
        let primary = matches!(self.kind.as_deref(), Some("RATE_LIMITED" | "RATE_LIMIT"));
        matter.or(primary.then_some(Matter::Primary))
    }

    fn is_too_heavy(&self) -> bool {
        let kinds = [
            "RESOURCE_LIMITS_EXCEEDED",
            "MAX_NODE_LIMIT_EXCEEDED",
            "ARGUMENT_LIMIT",
        ];
        let kind = self.kind.as_deref().unwrap_or_default();
        let message = self.message.as_deref().unwrap_or_default();
        // The sentence goes on: "This may be the result of a timeout, or …".
        kinds.contains(&kind)
            || message.starts_with("Something went wrong while executing your query")
    }
}

/// Reads an answer to a query about `subject`, which is put into the reasons as it
/// is.
///
/// `body` is the whole body if the status is 200, and may be cut anywhere
/// otherwise. A limit among the errors wins over everything else, and of limits
/// the one that concerns most requests.
///
/// Source: GitHub Docs, "Rate limits and query limits for the GraphQL API".
///
/// # Errors
///
/// A limit was met, or the token is not accepted: everybody waits, and it is no
/// failure of the job.
pub fn read_graphql(
    subject: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<GraphqlReading, Refusal> {
    let code = status.as_u16();
    let reading = match code {
        200 => return answered(subject, headers, body),
        401 | 403 | 429 => return refused(subject, code, headers, body),
        400 => unless_page(subject, code, headers, body),
        502 | 504 => GraphqlReading::TooHeavy,
        408 | 425 => later(subject, code, headers, body),
        300..=499 => unusable(subject, code, body),
        _ => later(subject, code, headers, body),
    };
    Ok(reading)
}

/// A 200, which may be anything.
fn answered(subject: &str, headers: &HeaderMap, body: &[u8]) -> Result<GraphqlReading, Refusal> {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Ok(unreadable(subject, headers));
    };
    let troubles = answer.errors.unwrap_or_default();
    if let Some(refusal) = limit(&troubles, answer.message.as_deref(), headers) {
        return Err(refusal);
    }
    if troubles.iter().any(Trouble::is_too_heavy) {
        return Ok(GraphqlReading::TooHeavy);
    }
    let reading = match (answer.data, troubles.first()) {
        (Some(_), _) => GraphqlReading::Data,
        (None, Some(trouble)) => {
            let message = trouble.message.as_deref();
            let said = message.map(words::quoted).unwrap_or_default();
            GraphqlReading::Unusable {
                reason: format!("GitHub's GraphQL does not answer for {subject}{said}"),
            }
        }
        (None, None) => unreadable(subject, headers),
    };
    Ok(reading)
}

/// The limit that the answer's messages name.
fn limit(troubles: &[Trouble], message: Option<&str>, headers: &HeaderMap) -> Option<Refusal> {
    let matters = troubles.iter().filter_map(Trouble::matter);
    let refusal = match matters.chain(message.and_then(words::matter)).min()? {
        Matter::Secondary => refusal::secondary(200, headers),
        Matter::Content => refusal::content(200, headers),
        Matter::Token => refusal::too_many_logins(200, headers),
        Matter::Primary => refusal::used_up(200, headers, RESOURCE.to_owned()),
    };
    Some(refusal)
}

fn refused(
    subject: &str,
    code: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<GraphqlReading, Refusal> {
    match refusal::refusal(code, headers, body, RESOURCE) {
        Some(refusal) => Err(refusal),
        None => Ok(unless_page(subject, code, headers, body)),
    }
}

fn unless_page(subject: &str, code: u16, headers: &HeaderMap, body: &[u8]) -> GraphqlReading {
    if words::are_a_page(headers, body) {
        return GraphqlReading::Later {
            reason: page(subject, code),
            retry_after: Some(retry_after(headers).unwrap_or(PAUSE_MIN)),
        };
    }
    unusable(subject, code, body)
}

fn unusable(subject: &str, code: u16, body: &[u8]) -> GraphqlReading {
    let said = words::said(body);
    GraphqlReading::Unusable {
        reason: format!("GitHub's GraphQL cannot be used for {subject} ({code}){said}"),
    }
}

fn later(subject: &str, code: u16, headers: &HeaderMap, body: &[u8]) -> GraphqlReading {
    GraphqlReading::Later {
        reason: could_not_answer(subject, code, body),
        retry_after: retry_after(headers),
    }
}

fn unreadable(subject: &str, headers: &HeaderMap) -> GraphqlReading {
    GraphqlReading::Later {
        reason: format!("GitHub's GraphQL answered for {subject} with something unreadable"),
        retry_after: retry_after(headers),
    }
}
