//! Admission, as far as it can be decided without the queue: from a body's bytes
//! to a [`Submission`]. Rules only; the queue decides whether there is room and
//! whether a live task does the same already.

mod feedback;

use std::borrow::Cow;
use std::time::Duration;

use hookme_shared::destination::Destination;
use hookme_shared::digest::sha256;
use hookme_shared::guard::{Guard, Refusal};
use hookme_shared::job::{JobId, Kind};
use hookme_shared::names::{NameError, RepositoryName, Username};
use hookme_shared::owner::KeyId;
use hookme_shared::queue::{Idempotency, Submission, Work};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Problem;

/// The longest a task may be put off.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a client asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Wish {
    username: Username,
    repository: RepositoryName,
    /// `None` if the client did not say.
    delay: Option<Duration>,
    destination: Option<Destination>,
    work: Work,
}

/// The body's members, not judged yet. Unknown ones are ignored, as Hookme did.
#[derive(Deserialize)]
struct Members {
    username: Option<Value>,
    repository: Option<Value>,
    delay_ms: Option<Value>,
    kind: Option<Value>,
    pull_request: Option<Value>,
    commit: Option<Value>,
    evaluation: Option<Value>,
    webhook_url: Option<Value>,
}

impl Wish {
    /// Reads a body. The first mistake is told, the members being looked at in
    /// the order of their declaration. `guard` says where results may go.
    pub(crate) fn parse(body: &[u8], guard: &Guard) -> Result<Self, Problem> {
        let members = Members::parse(body)?;
        let username = name(members.username.as_ref(), "username", Username::parse)?;
        let repository = name(
            members.repository.as_ref(),
            "repository",
            RepositoryName::parse,
        )?;
        let delay = members.delay_ms.as_ref().map(delay).transpose()?;
        let work = match members.kind.as_ref().map_or(Ok(Kind::Report), kind)? {
            Kind::Report => members.report()?,
            Kind::Feedback => members.feedback(&username, &repository)?,
        };
        let url = members.webhook_url.as_ref();
        let destination = url.map(|url| destination(url, guard)).transpose()?;
        Ok(Self {
            username,
            repository,
            delay,
            destination,
            work,
        })
    }

    /// The task for the queue.
    ///
    /// - `id`: the id it will have.
    /// - `owner`: the key that the client sent it with.
    /// - `key`: the client's `Idempotency-Key`.
    /// - `report_delay`: how long a report waits whose client did not say. Feedback
    ///   waits for nothing then: somebody looks at the pull request now.
    pub(crate) fn into_submission(
        self,
        id: JobId,
        owner: Option<KeyId>,
        key: Option<&str>,
        report_delay: Duration,
    ) -> Submission {
        let idempotency = key.map(|key| Idempotency {
            key_hash: match &owner {
                None => sha256(key),
                Some(owner) => sha256(&format!("{owner}\n{key}")),
            },
            body_hash: sha256(&self.canonical()),
        });
        let default_delay = match self.work {
            Work::Report => report_delay,
            Work::Feedback { .. } => Duration::ZERO,
        };
        Submission {
            id,
            username: self.username,
            repository: self.repository,
            work: self.work,
            delay: self.delay.unwrap_or(default_delay),
            owner,
            destination: self.destination,
            idempotency,
        }
    }

    /// One text for all bodies that ask for the same. Names differ in nothing
    /// but case for GitHub. A delay that was left to the settings stays that,
    /// so that a key survives a change of the settings. An evaluation counts as it
    /// is kept, so that its form and what nobody reads of it make no difference.
    fn canonical(&self) -> String {
        let delay = self
            .delay
            .map_or("default".to_owned(), |delay| delay.as_millis().to_string());
        let (username, repository) = (self.username.as_str(), self.repository.as_str());
        let asked =
            format!("{username}/{repository}\n{delay}\n{}", self.work.kind()).to_ascii_lowercase();
        let asked = match &self.destination {
            None => asked,
            Some(destination) => format!("{asked}\n{}", destination.url()),
        };
        match &self.work {
            Work::Report => asked,
            Work::Feedback {
                pull_request,
                commit,
                evaluation,
            } => format!(
                "{asked}\n{pull_request}\n{commit}\n{}",
                evaluation.to_json()
            ),
        }
    }
}

impl Members {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        // serde would also read an array, taking its values for the members in
        // the order of their declaration.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let members = is_object
            .then(|| serde_json::from_slice(body).ok())
            .flatten();
        members.ok_or(invalid(
            "the body must be one JSON object that names no field twice",
        ))
    }

    /// A report has no members of its own. Those of feedback are not ignored as
    /// others are: who sends one forgot the kind, and wants no report.
    fn report(&self) -> Result<Work, Problem> {
        let of_feedback = [&self.pull_request, &self.commit, &self.evaluation];
        if of_feedback.iter().any(|member| member.is_some()) {
            return Err(invalid(
                "field kind must be feedback where pull_request, commit or evaluation is given",
            ));
        }
        Ok(Work::Report)
    }
}

fn invalid(error: impl Into<Cow<'static, str>>) -> Problem {
    Problem::Invalid(error.into())
}

fn missing(field: &str) -> Problem {
    invalid(format!("field {field} is required"))
}

/// Reads a name by its rule. A text is required, whatever else is there.
fn name<T>(
    value: Option<&Value>,
    field: &str,
    parse: fn(&str) -> Result<T, NameError>,
) -> Result<T, Problem> {
    let text = value.and_then(Value::as_str);
    let text = text.ok_or_else(|| missing(field))?;
    parse(text).map_err(|error| invalid(error.to_string()))
}

fn delay(value: &Value) -> Result<Duration, Problem> {
    let delay = value
        .as_u64()
        .map(Duration::from_millis)
        .filter(|delay| *delay <= DELAY_MAX);
    delay.ok_or_else(|| {
        let most = DELAY_MAX.as_millis();
        invalid(format!(
            "field delay_ms must be a whole number of milliseconds from 0 to {most}"
        ))
    })
}

fn destination(value: &Value, guard: &Guard) -> Result<Destination, Problem> {
    let url = value.as_str().ok_or(Refusal::Unreadable);
    let judged = url.and_then(|url| guard.parse(url));
    judged.map_err(|refusal| invalid(format!("field webhook_url cannot be used: {refusal}")))
}

fn kind(value: &Value) -> Result<Kind, Problem> {
    let kind = value.as_str().and_then(|word| word.parse().ok());
    kind.ok_or_else(|| invalid("field kind must be report or feedback"))
}

#[cfg(test)]
mod tests;
