//! Whole examples of tasks, for the API's description: put together from examples of
//! single members, a task would be report and feedback at once.

use serde_json::{Value, json};

const REPORT_ID: &str = "3f2b8c0e9d4a4b6f8e1c2d3a4b5c6d7e";
const FEEDBACK_ID: &str = "9b1c6f0e2a7d4c58b3e4f5a697081c2d";

/// A report that waits for another try.
pub(crate) fn report() -> Value {
    let own = json!({
        "id": REPORT_ID, "kind": "report", "stage": "deliver",
        "created_at": "2025-11-21T20:36:49.250Z", "due_at": "2025-11-21T20:37:06.120Z",
        "started_at": "2025-11-21T20:37:00.051Z", "failures": 1, "bodies": 1,
        "reason": "the webhook answered 503",
    });
    merged(common(), own)
}

/// Feedback that is graded, and whose comment waits for its turn.
pub(crate) fn feedback() -> Value {
    let own = json!({
        "id": FEEDBACK_ID, "kind": "feedback", "stage": "comment",
        "created_at": "2025-11-21T20:36:49.250Z", "due_at": "2025-11-21T20:36:49.290Z",
        "started_at": "2025-11-21T20:36:49.271Z", "failures": 0, "bodies": 0,
        "reason": "2 of 3 requirements are met",
        "status": "processing", "pull_request": 7,
        "commit": "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
        "grade": {"passed": 2, "total": 3, "percentage": 66.67},
        "comment_url": null, "superseded_by": null,
    });
    merged(common(), own)
}

fn common() -> Value {
    json!({
        "username": "octocat", "repository": "hello-world", "state": "scheduled",
        "webhook_url": null, "ended_at": null, "attempts": 1, "crashes": 0, "truncated": [],
        "worker": "host-1-0a1b2c3d", "cancel_requested": false, "owner": "ci",
    })
}

/// The report with why it waits.
pub(crate) fn report_explained() -> Value {
    let own = json!({
        "why": "waits until 20:37:06 UTC to try again: the webhook answered 503",
        "until": "2025-11-21T20:37:06.120Z", "ahead": 0,
        "as_of": "2025-11-21T20:37:02.000Z",
        "history": [{
            "at": "2025-11-21T20:37:01.090Z", "attempt": 1, "event": "retry",
            "stage": "deliver", "worker": "host-1-0a1b2c3d", "duration_ms": 1039, "status": 503,
            "text": "the webhook answered 503",
        }],
    });
    merged(report(), own)
}

/// The feedback with why it waits.
pub(crate) fn feedback_explained() -> Value {
    let own = json!({
        "why": "waits for its turn: comments are made at the pace that GitHub allows, with 4 before it",
        "until": null, "ahead": 4,
        "as_of": "2025-11-21T20:36:51.000Z",
        "history": [{
            "at": "2025-11-21T20:36:49.290Z", "attempt": 1, "event": "grade",
            "stage": "grade", "worker": "host-1-0a1b2c3d", "duration_ms": 19, "status": null,
            "text": "2 of 3 requirements are met",
        }],
    });
    merged(feedback(), own)
}

/// A page of the list by state, with the way to the next.
pub(crate) fn page_of_state() -> Value {
    let next = format!("/tasks?state=scheduled&limit=2&cursor=1763757426120-{REPORT_ID}");
    json!({"tasks": [feedback(), report()], "next": next})
}

/// The list of a pull request's feedback.
pub(crate) fn page_of_pull_request() -> Value {
    json!({"tasks": [feedback()], "next": null})
}

/// The members of both objects.
fn merged(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hookme_shared::job::{FeedbackRecord, Job, JobId, Kind, Stage, State, Truncated};
    use hookme_shared::queue::Explanation;

    use super::super::TaskExplained;
    use super::*;

    fn members(of: &Value) -> BTreeSet<String> {
        of.as_object().unwrap().keys().cloned().collect()
    }

    fn told(kind: Kind) -> Value {
        let job = Job {
            id: JobId::random(),
            kind,
            username: String::new(),
            repository: String::new(),
            state: State::Scheduled,
            stage: Stage::Fetch,
            due_ms: 0,
            created_ms: 0,
            started_ms: None,
            ended_ms: None,
            attempt: 0,
            failures: 0,
            crashes: 0,
            bodies: 0,
            truncated: Truncated::default(),
            has_report: false,
            worker: None,
            reason: None,
            cancel_requested: false,
            owner: None,
            destination: None,
            feedback: (kind == Kind::Feedback).then(FeedbackRecord::default),
        };
        let explanation = Explanation {
            job,
            why: String::new(),
            until_ms: None,
            ahead: 0,
            now_ms: 0,
            history: vec![],
        };
        serde_json::to_value(TaskExplained::from(explanation)).unwrap()
    }

    #[test]
    fn the_examples_have_the_members_that_clients_get() {
        assert_eq!(members(&report_explained()), members(&told(Kind::Report)));
        assert_eq!(
            members(&feedback_explained()),
            members(&told(Kind::Feedback))
        );
    }
}
