//! What the webhook hears of a comment that was made.

use bytes::Bytes;
use hookme_shared::job::{FeedbackRecord, Job};
use serde_json::json;

/// The body: the commit's grade and where its comment is. Every part of it stands in
/// the job's record, so that each attempt sends the same bytes.
#[must_use]
pub fn news(job: &Job, feedback: &FeedbackRecord, comment_url: &str) -> Bytes {
    let grade = feedback.grade.map(|grade| {
        json!({
            "passed": grade.passed,
            "percentage": grade.percentage(),
            "total": grade.total,
        })
    });
    let body = json!({
        "comment_url": comment_url,
        "commit": feedback.commit,
        "grade": grade,
        "id": job.id.to_string(),
        "kind": job.kind.as_str(),
        "pull_request": feedback.pull_request,
        "repository": job.repository,
        "username": job.username,
    });
    body.to_string().into()
}
