//! Feedback on a commit: what an evaluator found, in the form that clients send and
//! Redis keeps, and the grade that follows from it.
//!
//! The form is the evaluator's own, so that a CI step can pass it on as it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::Username;

/// The least grade of a requirement that is met. The evaluators give 3 to a
/// requirement whose tests pass and 1 to one whose tests fail.
pub const GRADE_MIN: f64 = 3.0;
/// The most requirements that one evaluation can have.
pub const REQUIREMENTS_MAX: usize = 1_000;
/// The largest number of a pull request: what 31 bits hold.
const PULL_REQUEST_MAX: u64 = i32::MAX as u64;

/// Why feedback was refused, in words for the client who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// Not a number that a pull request can have.
    #[error("field pull_request must be the number of a pull request, from 1")]
    PullRequest,
    /// Not the whole name of a commit.
    #[error("field commit must be a commit's whole SHA: 40 or 64 hexadecimal digits")]
    Commit,
    /// Not what an evaluator says; the text names the member.
    #[error("field evaluation must be {0}")]
    Evaluation(&'static str),
}

/// The number of a pull request, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PullRequest(u32);

impl PullRequest {
    /// Checks `number`.
    pub fn new(number: u64) -> Result<Self, FeedbackError> {
        let fits = (1..=PULL_REQUEST_MAX).contains(&number);
        let number = u32::try_from(number).ok().filter(|_| fits);
        number.map(Self).ok_or(FeedbackError::PullRequest)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PullRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The whole SHA of a commit, in lower case: SHA-1, or SHA-256 where Git uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commit(String);

impl Commit {
    /// Checks `sha`, in either case. A short one could name two commits.
    pub fn parse(sha: &str) -> Result<Self, FeedbackError> {
        let fits = matches!(sha.len(), 40 | 64) && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(sha.to_ascii_lowercase()))
            .ok_or(FeedbackError::Commit)
    }

    /// The SHA.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an evaluator found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Whose work it is: a name of GitHub.
    #[serde(rename = "github_username")]
    pub username: String,
    /// The requirements, in the evaluator's order.
    #[serde(rename = "evaluations")]
    pub requirements: Vec<Requirement>,
}

/// One requirement, and how well it is met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is required. Anybody's words: nothing in it can be trusted.
    pub description: String,
    /// The evaluator's grade; 0 if it gave none.
    #[serde(default)]
    pub grade: f64,
}

impl Requirement {
    /// Whether it is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.grade >= GRADE_MIN
    }
}

impl Evaluation {
    /// Reads an evaluator's output about the repository `full_name`
    /// (`owner/repository`). Members that nobody knows are left out.
    ///
    /// # Errors
    ///
    /// [`FeedbackError::Evaluation`] names the first member that is not what it
    /// must be.
    pub fn parse(value: &Value, full_name: &str) -> Result<Self, FeedbackError> {
        let wrong = |what| Err(FeedbackError::Evaluation(what));
        let Some(object) = value.as_object() else {
            return wrong("the evaluator's output: a JSON object, or that object in base64");
        };
        let username = object.get("github_username").and_then(Value::as_str);
        let Some(username) = username.filter(|name| Username::parse(name).is_ok()) else {
            return wrong("an object whose github_username is a GitHub user");
        };
        // Feedback must not end up where it does not belong.
        let of_another = match object.get("github_repository_name") {
            None | Some(Value::Null) => false,
            Some(name) => !name
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(full_name)),
        };
        if of_another {
            return wrong(
                "about the task's own repository: its github_repository_name must be username/repository",
            );
        }
        let Some(list) = object.get("evaluations").and_then(Value::as_array) else {
            return wrong("an object whose evaluations is a list");
        };
        if list.len() > REQUIREMENTS_MAX {
            return wrong("an object with at most 1000 evaluations");
        }
        Ok(Self {
            username: username.to_owned(),
            requirements: list.iter().map(requirement).collect::<Result<_, _>>()?,
        })
    }

    /// The form in which it is kept: the evaluator's own, without what nobody knows.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The grade of the whole.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let met = self.requirements.iter().filter(|one| one.is_met());
        Grade {
            passed: count(met.count()),
            total: count(self.requirements.len()),
        }
    }
}

fn requirement(value: &Value) -> Result<Requirement, FeedbackError> {
    let description = value.get("description").and_then(Value::as_str);
    let description = description.ok_or(FeedbackError::Evaluation(
        "an object each of whose evaluations has a description",
    ))?;
    let grade = match value.get("grade") {
        None | Some(Value::Null) => Some(0.0),
        Some(grade) => grade.as_f64(),
    };
    let grade = grade.ok_or(FeedbackError::Evaluation(
        "an object each of whose evaluations has a number as its grade, or none",
    ))?;
    Ok(Requirement {
        description: description.to_owned(),
        grade,
    })
}

/// How many requirements are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grade {
    /// Those that are met.
    pub passed: u32,
    /// All of them.
    pub total: u32,
}

impl Grade {
    /// The share that is met, in percent with two decimals: 0 to 100. Of none
    /// nothing is met.
    #[must_use]
    pub fn percentage(self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let percent = 100.0 * f64::from(self.passed) / f64::from(self.total);
        (percent * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str = "octocat/hello-world";

    fn parse(value: &Value) -> Result<Evaluation, FeedbackError> {
        Evaluation::parse(value, NAME)
    }

    #[test]
    fn three_or_more_passes_and_a_missing_grade_is_zero() {
        let value = json!({
            "github_username": "student",
            "github_repository_name": "Octocat/Hello-World",
            "evaluations": [
                {"description": "a", "grade": 3}, {"description": "b", "grade": 1},
                {"description": "c"}, {"description": "d", "grade": 4.5},
                {"description": "e", "grade": 2.99}, {"description": "f", "grade": null},
            ],
            "more": {},
        });
        let evaluation = parse(&value).unwrap();
        let grades: Vec<f64> = evaluation
            .requirements
            .iter()
            .map(|one| one.grade)
            .collect();
        assert_eq!(grades, [3.0, 1.0, 0.0, 4.5, 2.99, 0.0]);
        let grade = evaluation.grade();
        assert_eq!((grade.passed, grade.total), (2, 6));
        let kept = evaluation.to_json();
        assert_eq!(
            serde_json::from_str::<Evaluation>(&kept).unwrap(),
            evaluation
        );
    }

    #[test]
    fn a_percentage_has_two_decimals_and_of_none_nothing_is_met() {
        for (passed, total, percentage) in
            [(2, 3, 66.67), (1, 3, 33.33), (0, 0, 0.0), (7, 7, 100.0)]
        {
            let percent = Grade { passed, total }.percentage();
            assert!((percent - percentage).abs() < 1e-9, "{percent}");
        }
    }

    #[test]
    fn what_is_no_evaluation_is_told_by_its_member() {
        let one = |evaluation: Value| json!({"github_username": "a", "evaluations": [evaluation]});
        for (value, named) in [
            (json!([]), "JSON object"),
            (json!({}), "github_username"),
            (json!({"github_username": "a b"}), "github_username"),
            (json!({"github_username": "a"}), "evaluations"),
            (
                json!({"github_username": "a", "evaluations": {}}),
                "evaluations",
            ),
            (
                json!({"github_username": "a", "github_repository_name": "o/other", "evaluations": []}),
                "github_repository_name",
            ),
            (
                json!({"github_username": "a", "github_repository_name": 7, "evaluations": []}),
                "github_repository_name",
            ),
            (one(json!({"grade": 3})), "description"),
            (one(json!("text")), "description"),
            (one(json!({"description": "a", "grade": "3"})), "grade"),
        ] {
            let error = parse(&value).unwrap_err().to_string();
            assert!(error.starts_with("field evaluation must be"), "{error}");
            assert!(error.contains(named), "{value}: {error}");
        }
        let many = vec![json!({"description": "a"}); REQUIREMENTS_MAX];
        let evaluations = |list: &[Value]| json!({"github_username": "a", "evaluations": list});
        assert!(parse(&evaluations(&many)).is_ok());
        let more = [&many[..], &many[..1]].concat();
        assert!(
            parse(&evaluations(&more))
                .unwrap_err()
                .to_string()
                .contains("1000")
        );
    }

    #[test]
    fn a_commit_is_whole_and_a_pull_request_has_a_number() {
        let sha = "0123456789ABCDEF0123456789abcdef01234567";
        assert_eq!(Commit::parse(sha).unwrap().as_str(), sha.to_lowercase());
        assert!(Commit::parse(&"f".repeat(64)).is_ok());
        for sha in [
            "",
            "0123456",
            &"f".repeat(41),
            &"g".repeat(40),
            &"é".repeat(20),
        ] {
            assert_eq!(Commit::parse(sha), Err(FeedbackError::Commit), "{sha}");
        }
        for number in [1, 7, 2_147_483_647] {
            assert_eq!(u64::from(PullRequest::new(number).unwrap().get()), number);
        }
        for number in [0, 2_147_483_648, u64::MAX] {
            assert_eq!(PullRequest::new(number), Err(FeedbackError::PullRequest));
        }
    }
}
