//! Everything that this API answers when it does not do what was asked.
//!
//! Each answer is `application/problem+json` (RFC 9457) and carries `code` and
//! `error`, the two members of Hookme's errors, in the same object. What kinds
//! there are, with their status and advice, stands in [`crate::problem_kinds`].

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookme_shared::job::{JobId, State};
use hookme_shared::keyless::Refusal;
use hookme_shared::queue::{Complaint, QueueError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answers::ComplaintAnswer;
use crate::problem_kinds::{self as kinds, ProblemKind};

/// The media type of every error (RFC 9457, section 4).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// How long to wait while Redis is away, in s. Reconnecting takes less.
const UNAVAILABLE_RETRY_S: u64 = 1;
/// How long to wait for room under the live limit, in s. Room comes when a task
/// ends, and nobody knows when that is; this keeps the refused from crowding.
const FULL_RETRY_S: u64 = 5;
/// How long to wait for the next token of a bucket, in s. It comes within one.
const TOO_FAST_RETRY_S: u64 = 1;

/// Why a request was not done.
#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    /// Something in the request is not what it must be; the text says what.
    Invalid(Cow<'static, str>),
    /// No key came with the request, or none that is known.
    KeyNeeded,
    /// The key is no operator's.
    OperatorsOnly,
    /// No key was asked for, and a stranger's page may have made a browser send it.
    Keyless(Refusal),
    /// No task has this id, or it is no id, or the task is another's.
    UnknownTask,
    /// No destination has this id.
    UnknownDestination,
    /// No route has this path.
    UnknownPath,
    /// The route exists, but not for this method.
    Method,
    /// The body did not come in time.
    SlowBody,
    /// It is too late to cancel: the task has ended, like this.
    Ended(State),
    /// Only a dead task can be retried; this one is in that state.
    NotDead(State),
    /// Another live task does the same.
    Held(JobId),
    /// The place that the result would go to, by its id, wants no more.
    Disabled(String),
    /// The body is longer than that many bytes.
    TooLarge(usize),
    /// The body is not declared to be JSON.
    ContentType,
    /// The idempotency key came before with another body.
    KeyReused,
    /// As many tasks are live as may be.
    Full(u64),
    /// The key's requests come too fast.
    TooFast,
    /// Data was met that this version cannot read.
    Unreadable,
    /// Redis is away.
    Unavailable,
    /// Redis is there, and does not do it now.
    Refused,
    /// Redis cannot be trusted with tasks, for these reasons.
    NotReady(Vec<Complaint>),
}

/// The body of an error: a problem of RFC 9457, with Hookme's members.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemAnswer {
    /// What kind of problem it is: a path that describes it.
    #[serde(rename = "type")]
    #[schema(example = "/problems/live-limit")]
    kind: String,
    /// The kind in a few words.
    #[schema(example = "Too many live tasks")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 429)]
    status: u16,
    /// What happened this time, and what can be done.
    #[schema(example = "1000 tasks are live, as many as may be. Try again later.")]
    detail: Cow<'static, str>,
    /// The HTTP status, as Hookme has it.
    #[schema(example = 429)]
    code: u16,
    /// What is wrong, as Hookme has it.
    #[schema(example = "max simultaneous jobs")]
    error: Cow<'static, str>,
    /// The live task that does the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    holder: Option<String>,
    /// What is wrong with this Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    complaints: Option<Vec<ComplaintAnswer>>,
}

impl Problem {
    /// What the caller can do about a failure of the queue.
    pub(crate) fn of_queue(error: &QueueError) -> Self {
        match error {
            QueueError::Unavailable { .. } => Self::Unavailable,
            QueueError::Refused { .. } => Self::Refused,
            // It works once an administrator of Redis has given the right.
            denied if denied.is_denied() => Self::Unavailable,
            QueueError::Failed { .. } | QueueError::Corrupt { .. } => Self::Unreadable,
        }
    }

    fn kind(&self) -> &'static ProblemKind {
        match self {
            Self::Invalid(_) => &kinds::INVALID,
            Self::KeyNeeded => &kinds::KEY_NEEDED,
            Self::OperatorsOnly => &kinds::OPERATORS_ONLY,
            Self::Keyless(Refusal::Host) => &kinds::HOST,
            Self::Keyless(Refusal::CrossOrigin) => &kinds::CROSS_ORIGIN,
            Self::UnknownTask => &kinds::UNKNOWN_TASK,
            Self::UnknownDestination => &kinds::UNKNOWN_DESTINATION,
            Self::UnknownPath => &kinds::UNKNOWN_PATH,
            Self::Method => &kinds::METHOD,
            Self::SlowBody => &kinds::SLOW_BODY,
            Self::Ended(_) => &kinds::ENDED,
            Self::NotDead(_) => &kinds::NOT_DEAD,
            Self::Held(_) => &kinds::HELD,
            Self::Disabled(_) => &kinds::DISABLED,
            Self::TooLarge(_) => &kinds::TOO_LARGE,
            Self::ContentType => &kinds::CONTENT_TYPE,
            Self::KeyReused => &kinds::KEY_REUSED,
            Self::Full(_) => &kinds::FULL,
            Self::TooFast => &kinds::TOO_FAST,
            Self::Unreadable => &kinds::UNREADABLE,
            Self::Unavailable => &kinds::UNAVAILABLE,
            Self::Refused => &kinds::REFUSED,
            Self::NotReady(_) => &kinds::NOT_READY,
        }
    }

    /// What is wrong, in the few words of Hookme's `error`.
    pub(crate) fn error(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(error) => error.clone(),
            Self::KeyNeeded => "a key is needed".into(),
            Self::OperatorsOnly => "the key is no operator's".into(),
            Self::Keyless(Refusal::Host) => "ALLOWED_HOSTS does not name this host".into(),
            Self::Keyless(Refusal::CrossOrigin) => "a page of another origin sent this".into(),
            Self::UnknownTask => "no such task".into(),
            Self::UnknownDestination => "no such destination".into(),
            Self::UnknownPath => "route not found".into(),
            Self::Method => "method not allowed".into(),
            Self::SlowBody => "the body took too long".into(),
            Self::Ended(state) => format!("the task is {state} already").into(),
            Self::NotDead(state) => format!("the task is {state}, not dead").into(),
            Self::Held(by) => format!("task {by} does the same").into(),
            Self::Disabled(id) => format!("destination {id} wants no more deliveries").into(),
            Self::TooLarge(most) => format!("the body is longer than {most} bytes").into(),
            Self::ContentType => "the content type must be application/json".into(),
            Self::KeyReused => "this Idempotency-Key came with another body".into(),
            Self::Full(_) => "max simultaneous jobs".into(),
            Self::TooFast => "too many requests".into(),
            Self::Unreadable => "unreadable data".into(),
            Self::Unavailable => "the queue is not available".into(),
            Self::Refused => "the queue takes nothing now".into(),
            Self::NotReady(_) => "not ready".into(),
        }
    }

    /// What happened this time, and what can be done.
    fn detail(&self) -> Cow<'static, str> {
        if let Self::Invalid(error) = self {
            error.clone()
        } else if let Self::Full(limit) = self {
            format!("{limit} tasks are live, as many as may be. Try again later.").into()
        } else {
            self.kind().advice.into()
        }
    }

    fn into_answer(self) -> ProblemAnswer {
        let kind = self.kind();
        let (error, detail) = (self.error(), self.detail());
        let holder = if let Self::Held(by) = &self {
            Some(by.to_string())
        } else {
            None
        };
        let complaints = if let Self::NotReady(complaints) = self {
            Some(ComplaintAnswer::all(complaints))
        } else {
            None
        };
        ProblemAnswer {
            kind: format!("/problems/{}", kind.name),
            title: kind.title,
            status: kind.status.as_u16(),
            detail,
            code: kind.status.as_u16(),
            error,
            holder,
            complaints,
        }
    }
}

/// Seconds after which another try may go better, for what passes by itself.
fn retry_after_s(problem: &Problem) -> Option<u64> {
    match problem.kind().status {
        StatusCode::TOO_MANY_REQUESTS if *problem == Problem::TooFast => Some(TOO_FAST_RETRY_S),
        StatusCode::TOO_MANY_REQUESTS => Some(FULL_RETRY_S),
        StatusCode::SERVICE_UNAVAILABLE => Some(UNAVAILABLE_RETRY_S),
        _ => None,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after_s) = (self.kind().status, retry_after_s(&self));
        let mut response = (status, Json(self.into_answer())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use hookme_shared::queue::Severity;
    use serde_json::{Value, json};

    use super::*;

    async fn shown(problem: Problem) -> (Response<()>, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = to_bytes(body, 1 << 16).await.unwrap();
        (
            Response::from_parts(parts, ()),
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    fn every_problem() -> Vec<Problem> {
        let complaint = Complaint {
            text: "x".to_owned(),
            severity: Severity::Unsafe,
        };
        vec![
            Problem::Invalid("field username is required".into()),
            Problem::KeyNeeded,
            Problem::OperatorsOnly,
            Problem::Keyless(Refusal::Host),
            Problem::Keyless(Refusal::CrossOrigin),
            Problem::UnknownTask,
            Problem::UnknownDestination,
            Problem::UnknownPath,
            Problem::Method,
            Problem::SlowBody,
            Problem::Ended(State::Dead),
            Problem::NotDead(State::Running),
            Problem::Held(JobId::random()),
            Problem::Disabled("default".to_owned()),
            Problem::TooLarge(1),
            Problem::ContentType,
            Problem::KeyReused,
            Problem::Full(3),
            Problem::TooFast,
            Problem::Unreadable,
            Problem::Unavailable,
            Problem::Refused,
            Problem::NotReady(vec![complaint]),
        ]
    }

    #[tokio::test]
    async fn an_error_is_a_problem_and_hookme_s_error_in_one_object() {
        let (response, body) = shown(Problem::Invalid("field username is required".into())).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        assert_eq!(
            body,
            json!({
                "type": "/problems/invalid-request",
                "title": "The request is not valid",
                "status": 400,
                "detail": "field username is required",
                "code": 400,
                "error": "field username is required",
            })
        );
    }

    #[tokio::test]
    async fn every_problem_has_both_sets_of_members_and_a_kind_of_its_own() {
        let mut types = std::collections::BTreeSet::new();
        for problem in every_problem() {
            let shape = format!("{problem:?}");
            let (response, body) = shown(problem).await;
            assert_eq!(response.headers()["content-type"], PROBLEM_JSON, "{shape}");
            assert_eq!(body["status"], response.status().as_u16(), "{shape}");
            assert_eq!(body["code"], body["status"], "{shape}");
            for member in ["type", "title", "detail", "error"] {
                assert!(
                    body[member].as_str().is_some_and(|text| !text.is_empty()),
                    "{shape}: {member}"
                );
            }
            assert!(
                types.insert(body["type"].to_string()),
                "{shape} shares its type"
            );
        }
        assert_eq!(types.len(), kinds::ALL.len());
    }

    #[tokio::test]
    async fn what_passes_by_itself_says_when_to_come_back() {
        for (problem, seconds) in [
            (Problem::Full(1), Some("5")),
            (Problem::TooFast, Some("1")),
            (Problem::Unavailable, Some("1")),
            (Problem::NotReady(vec![]), Some("1")),
            (Problem::UnknownTask, None),
            (Problem::KeyReused, None),
        ] {
            let (response, _) = shown(problem).await;
            let retry_after = response
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap());
            assert_eq!(retry_after, seconds);
        }
    }

    #[tokio::test]
    async fn who_shows_no_key_is_told_in_which_way_to() {
        let (response, _) = shown(Problem::KeyNeeded).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let (response, _) = shown(Problem::OperatorsOnly).await;
        assert!(!response.headers().contains_key("www-authenticate"));
    }

    #[tokio::test]
    async fn what_is_refused_without_a_key_has_the_status_that_goes_with_it() {
        for refusal in [Refusal::Host, Refusal::CrossOrigin] {
            let (response, body) = shown(Problem::Keyless(refusal)).await;
            assert_eq!(response.status(), refusal.status());
            assert_eq!(body["detail"], refusal.detail());
        }
    }

    #[tokio::test]
    async fn a_full_queue_speaks_hookme_s_words() {
        let (response, body) = shown(Problem::Full(2)).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            (&body["code"], &body["error"]),
            (&json!(429), &json!("max simultaneous jobs"))
        );
    }

    #[tokio::test]
    async fn without_redis_the_client_hears_that_repeating_is_safe() {
        let (response, body) = shown(Problem::Unavailable).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body["detail"]
                .as_str()
                .unwrap()
                .contains("Repeating the request is safe"),
            "{body}"
        );
    }
}
