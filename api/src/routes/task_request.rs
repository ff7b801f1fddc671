//! The body of `POST /tasks`, for its description only:
//! [`Wish`](crate::admission::Wish) reads it.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What a task is to be made of.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskRequest {
    /// The owner of the repository: a user or an organization on GitHub.
    #[schema(example = "octocat", min_length = 1, max_length = 39)]
    username: String,
    /// The repository, without its owner.
    #[schema(example = "hello-world", min_length = 1, max_length = 100)]
    repository: String,
    /// How long the task waits before its first attempt, in ms. The default is the
    /// setting `SCHEDULE_INTERVAL` for a report, and 0 for feedback.
    #[schema(example = 10800, minimum = 0, maximum = 2_592_000_000_u64)]
    delay_ms: Option<u64>,
    /// What the task is for: report or feedback.
    #[schema(example = "report", default = "report")]
    kind: Option<String>,
    /// Where the result goes, if not to the operator's webhook: an https URL of a public
    /// host. A repository has a live report for each place. A commit has one live feedback
    /// wherever that goes: no other place hears of it.
    #[schema(example = "https://hooks.example.com/hookme", max_length = 2048)]
    webhook_url: Option<String>,
    /// The number of the pull request. Feedback needs it, a report has none.
    #[schema(minimum = 1, maximum = 2_147_483_647_u64)]
    pull_request: Option<u64>,
    /// The commit's whole SHA, 40 or 64 hexadecimal digits. Feedback needs it, a report
    /// has none.
    #[schema(pattern = "^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$")]
    commit: Option<String>,
    /// What an evaluator found, as it printed it, or in base64. Feedback needs it, a
    /// report has none.
    evaluation: Option<EvaluationRequest>,
}

/// An evaluator's output.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described, never made")]
enum EvaluationRequest {
    /// The output as it is.
    Object(EvaluationObject),
    /// The output, JSON in UTF-8, in base64: the standard alphabet, with or without
    /// padding. White space in it is ignored.
    Base64(String),
}

/// An evaluator's output as it is. Other members are ignored.
#[derive(Serialize, ToSchema)]
struct EvaluationObject {
    /// Whose work it is: a user of GitHub.
    #[schema(example = "octocat", min_length = 1, max_length = 39)]
    github_username: String,
    /// The task's own repository, as owner/repository, in any case. Anything else is
    /// refused.
    #[schema(example = "octocat/hello-world")]
    github_repository_name: Option<String>,
    /// The requirements, in the order in which they are shown.
    #[schema(max_items = 1000)]
    evaluations: Vec<RequirementObject>,
}

/// A requirement, and how well it is met.
#[derive(Serialize, ToSchema)]
struct RequirementObject {
    /// What is required.
    #[schema(example = "It greets whoever calls it")]
    description: String,
    /// The grade: 3 or more is met. The default is 0.
    #[schema(example = 3)]
    grade: Option<f64>,
}

/// The example of a report.
pub(super) fn report() -> Value {
    json!({"username": "octocat", "repository": "hello-world", "delay_ms": 10800})
}

/// The example of feedback.
pub(super) fn feedback() -> Value {
    json!({
        "kind": "feedback",
        "username": "octocat",
        "repository": "hello-world",
        "pull_request": 7,
        "commit": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        "evaluation": {
            "github_username": "octocat",
            "github_repository_name": "octocat/hello-world",
            "evaluations": [
                {"description": "It greets whoever calls it", "grade": 3},
                {"description": "It has tests", "grade": 1},
            ],
        },
    })
}

/// The example of feedback whose evaluation is in base64, as `base64` breaks its lines.
pub(super) fn feedback_in_base64() -> Value {
    let mut task = feedback();
    task["evaluation"] = "eyJnaXRodWJfdXNlcm5hbWUiOiJvY3RvY2F0IiwiZXZhbHVhdGlvbnMiOlt7ImRlc2NyaXB0aW9u\nIjoiSXQgaGFzIHRlc3RzIiwiZ3JhZGUiOjN9XX0=\n".into();
    task
}
