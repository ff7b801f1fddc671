//! What a client gets to read of a task of feedback beside what every task has.

use hookme_shared::feedback::Grade;
use hookme_shared::job::{FeedbackRecord, JobId, State};
use serde::Serialize;
use utoipa::ToSchema;

/// What only feedback has, and has whole; a report has none of these members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedbackAnswer {
    /// How far it is: waiting, until it is graded; processing, until it has ended;
    /// finished, whichever way, which the state says.
    #[schema(example = "processing", required = false)]
    status: &'static str,
    /// The number of the pull request.
    #[schema(example = 7, required = false)]
    pull_request: u32,
    /// The commit's SHA, in lower case.
    #[schema(example = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d", required = false)]
    commit: String,
    /// What the commit came to; null until it is graded.
    grade: Option<GradeAnswer>,
    /// Where the comment is; null until it is made.
    #[schema(example = "https://github.com/octocat/hello-world/pull/7#issuecomment-1")]
    comment_url: Option<String>,
    /// The task on a newer commit that took its place; null if none did.
    superseded_by: Option<String>,
}

impl FeedbackAnswer {
    /// What is told of a task in this state with this record.
    pub(super) fn new(state: State, record: FeedbackRecord) -> Self {
        Self {
            status: status(state, record.grade.is_some()),
            pull_request: record.pull_request,
            commit: record.commit,
            grade: record.grade.map(GradeAnswer::from),
            comment_url: record.comment_url,
            superseded_by: record.superseded_by.as_ref().map(JobId::to_string),
        }
    }
}

/// How far feedback is, in one word.
fn status(state: State, is_graded: bool) -> &'static str {
    match state {
        State::Scheduled if !is_graded => "waiting",
        State::Scheduled | State::Running => "processing",
        State::Succeeded | State::Dead | State::Cancelled => "finished",
    }
}

/// What a commit came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GradeAnswer {
    /// How many requirements are met.
    #[schema(example = 2)]
    passed: u32,
    /// How many there are.
    #[schema(example = 3)]
    total: u32,
    /// The share that is met, in percent with two decimals.
    #[schema(example = 66.67)]
    percentage: f64,
}

impl From<Grade> for GradeAnswer {
    fn from(grade: Grade) -> Self {
        Self {
            passed: grade.passed,
            total: grade.total,
            percentage: grade.percentage(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn feedback_waits_until_it_is_graded_and_is_finished_however_it_ended() {
        for (state, is_graded, expected) in [
            (State::Scheduled, false, "waiting"),
            (State::Scheduled, true, "processing"),
            (State::Running, false, "processing"),
            (State::Running, true, "processing"),
            (State::Succeeded, true, "finished"),
            (State::Dead, false, "finished"),
            (State::Cancelled, false, "finished"),
        ] {
            assert_eq!(status(state, is_graded), expected, "{state}, {is_graded}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_null_and_not_absent() {
        let record = FeedbackRecord {
            pull_request: 7,
            commit: "f".repeat(40),
            ..FeedbackRecord::default()
        };
        let answer = serde_json::to_value(FeedbackAnswer::new(State::Scheduled, record)).unwrap();
        let expected = json!({
            "status": "waiting", "pull_request": 7, "commit": "f".repeat(40),
            "grade": null, "comment_url": null, "superseded_by": null,
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_grade_has_its_share_in_percent() {
        let grade = GradeAnswer::from(Grade {
            passed: 2,
            total: 3,
        });
        let expected = json!({"passed": 2, "total": 3, "percentage": 66.67});
        assert_eq!(serde_json::to_value(grade).unwrap(), expected);
    }
}
