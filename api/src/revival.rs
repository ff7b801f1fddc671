//! Which dead tasks an operator wants retried: from a body's bytes to a rule that says
//! yes or no of each. Rules only; the queue says which of them can be.

use std::borrow::Cow;

use hookme_shared::job::{Job, Kind};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Cursor, PAGE_MAX};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::listing::read_cursor;
use crate::problem::Problem;

/// What an operator asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Revival {
    /// Which tasks.
    pub(crate) filter: Filter,
    /// How many are retried at most: 1 to [`PAGE_MAX`].
    pub(crate) limit: usize,
    /// Where to begin; `None` at the task that died last.
    pub(crate) after: Option<Cursor>,
}

/// What a dead task must be like; what is `None` does not matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    kind: Option<Kind>,
    username: Option<Username>,
    repository: Option<RepositoryName>,
    reason: Option<String>,
    /// In ms since the Unix epoch; that moment belongs to it.
    ended_after_ms: Option<u64>,
    /// In ms since the Unix epoch; that moment does not belong to it.
    ended_before_ms: Option<u64>,
}

/// The body's members, not judged yet. Unknown ones are refused: to ignore a filter
/// whose name is misspelt would retry tasks that nobody meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    kind: Option<Value>,
    username: Option<Value>,
    repository: Option<Value>,
    reason: Option<Value>,
    ended_after: Option<Value>,
    ended_before: Option<Value>,
    limit: Option<Value>,
    cursor: Option<Value>,
}

impl Revival {
    /// Reads a body. The first mistake is told, the members being looked at in the
    /// order of their declaration.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        // serde would also read an array.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let members = is_object
            .then(|| serde_json::from_slice(body).ok())
            .flatten();
        let members: Members = members.ok_or(invalid(
            "the body must be one JSON object with no fields but kind, username, repository, reason, ended_after, ended_before, limit and cursor, each once at most",
        ))?;
        Ok(Self {
            filter: Filter::parse(&members)?,
            limit: read(members.limit.as_ref(), limit, || {
                format!("field limit must be a whole number from 1 to {PAGE_MAX}")
            })?
            .unwrap_or(PAGE_MAX),
            after: read(
                members.cursor.as_ref(),
                |value| read_cursor(value.as_str()?),
                || "field cursor must be the next of the answer before",
            )?,
        })
    }
}

impl Filter {
    fn parse(members: &Members) -> Result<Self, Problem> {
        Ok(Self {
            kind: read(
                members.kind.as_ref(),
                |value| value.as_str()?.parse().ok(),
                || "field kind must be report or feedback",
            )?,
            username: name(members.username.as_ref(), Username::parse)?,
            repository: name(members.repository.as_ref(), RepositoryName::parse)?,
            reason: read(
                members.reason.as_ref(),
                |value| value.as_str().map(str::to_owned),
                || "field reason must be a text",
            )?,
            ended_after_ms: time(members.ended_after.as_ref(), "ended_after")?,
            ended_before_ms: time(members.ended_before.as_ref(), "ended_before")?,
        })
    }

    /// Whether this dead task is meant. Names differ in nothing but case for GitHub.
    pub(crate) fn means(&self, job: &Job) -> bool {
        let is = |wanted: Option<&str>, name: &str| {
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let ended_ms = job.ended_ms.unwrap_or_default();
        let reason = job.reason.as_deref().unwrap_or_default();
        self.kind.is_none_or(|kind| kind == job.kind)
            && is(self.username.as_ref().map(Username::as_str), &job.username)
            && is(
                self.repository.as_ref().map(RepositoryName::as_str),
                &job.repository,
            )
            && self
                .reason
                .as_deref()
                .is_none_or(|part| reason.contains(part))
            && self
                .ended_after_ms
                .is_none_or(|from_ms| ended_ms >= from_ms)
            && self.ended_before_ms.is_none_or(|to_ms| ended_ms < to_ms)
    }
}

/// The place of a dead task among all; `None` of a record without its time.
pub(crate) fn cursor_of(job: &Job) -> Option<Cursor> {
    let score = job.ended_ms?;
    Some(Cursor { score, id: job.id })
}

fn invalid(error: impl Into<Cow<'static, str>>) -> Problem {
    Problem::Invalid(error.into())
}

/// Reads a member, if there is one; `expected` says what it must be.
fn read<T, E: Into<Cow<'static, str>>>(
    value: Option<&Value>,
    parse: impl FnOnce(&Value) -> Option<T>,
    expected: impl FnOnce() -> E,
) -> Result<Option<T>, Problem> {
    match value {
        None => Ok(None),
        Some(value) => parse(value).map(Some).ok_or_else(|| invalid(expected())),
    }
}

fn name<T, E: ToString>(
    value: Option<&Value>,
    parse: fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let Some(value) = value else {
        return Ok(None);
    };
    // What is no text is no name either, and is told the same.
    let name = parse(value.as_str().unwrap_or_default());
    name.map(Some).map_err(|error| invalid(error.to_string()))
}

fn limit(value: &Value) -> Option<usize> {
    let limit = usize::try_from(value.as_u64()?).ok()?;
    (1..=PAGE_MAX).contains(&limit).then_some(limit)
}

fn time(value: Option<&Value>, field: &str) -> Result<Option<u64>, Problem> {
    let at_ms = |value: &Value| {
        let time: Timestamp = value.as_str()?.parse().ok()?;
        u64::try_from(time.as_millisecond()).ok()
    };
    read(value, at_ms, || {
        format!("field {field} must be a time of RFC 3339 since 1970, like 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests;
