//! What a task of feedback says beside its repository: the pull request, the commit,
//! and what an evaluator found, as an object or in base64. Whether these are what
//! they must be is decided in [`hookme_shared::feedback`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use hookme_shared::feedback::{Commit, Evaluation, FeedbackError, PullRequest};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::Work;
use serde_json::Value;

use super::{Members, invalid, missing};
use crate::problem::Problem;

const NOT_BASE64: &str = "field evaluation must be the evaluator's output: a JSON object, or a string that is base64 of it in the standard alphabet";
const NOT_JSON: &str = "field evaluation must be the evaluator's output: as a string it must be base64 of one JSON object in UTF-8";

impl Members {
    /// Reads the members of feedback, the first mistake being told.
    pub(super) fn feedback(
        &self,
        username: &Username,
        repository: &RepositoryName,
    ) -> Result<Work, Problem> {
        Ok(Work::Feedback {
            pull_request: pull_request(required(self.pull_request.as_ref(), "pull_request")?)?,
            commit: commit(required(self.commit.as_ref(), "commit")?)?,
            evaluation: evaluation(
                required(self.evaluation.as_ref(), "evaluation")?,
                &format!("{username}/{repository}"),
            )?,
        })
    }
}

fn required<'a>(value: Option<&'a Value>, field: &str) -> Result<&'a Value, Problem> {
    value.ok_or_else(|| missing(field))
}

fn pull_request(value: &Value) -> Result<PullRequest, Problem> {
    let number = value.as_u64().ok_or(FeedbackError::PullRequest);
    number
        .and_then(PullRequest::new)
        .map_err(|error| refused(&error))
}

fn commit(value: &Value) -> Result<Commit, Problem> {
    let sha = value.as_str().ok_or(FeedbackError::Commit);
    sha.and_then(Commit::parse).map_err(|error| refused(&error))
}

fn evaluation(value: &Value, full_name: &str) -> Result<Evaluation, Problem> {
    let parsed = match value {
        Value::String(packed) => Evaluation::parse(&unpacked(packed)?, full_name),
        object => Evaluation::parse(object, full_name),
    };
    parsed.map_err(|error| refused(&error))
}

/// The JSON that `packed` is base64 of. White space in it is passed over: the
/// `base64` of coreutils breaks its lines. Padding may be there or not.
fn unpacked(packed: &str) -> Result<Value, Problem> {
    let digits: Vec<u8> = packed
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let json = STANDARD_PAD_INDIFFERENT.decode(digits);
    let json = json.map_err(|_| invalid(NOT_BASE64))?;
    serde_json::from_slice(&json).map_err(|_| invalid(NOT_JSON))
}

fn refused(error: &FeedbackError) -> Problem {
    invalid(error.to_string())
}

#[cfg(test)]
mod tests;
