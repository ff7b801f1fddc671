//! The body of `POST /tasks/retry`, for its description only:
//! [`Revival`](crate::revival::Revival) reads it.

use serde::Serialize;
use utoipa::ToSchema;

/// Which dead tasks are to be retried. Any other member is refused.
#[derive(Serialize, ToSchema)]
pub(super) struct RevivalRequest {
    /// Only tasks of this kind: report or feedback.
    #[schema(nullable = false, example = "report")]
    kind: Option<String>,
    /// Only tasks for repositories of this owner, in any case.
    #[schema(nullable = false, example = "octocat")]
    username: Option<String>,
    /// Only tasks for repositories of this name, in any case.
    #[schema(nullable = false, example = "hello-world")]
    repository: Option<String>,
    /// Only tasks whose reason, as lists show it, holds this text.
    #[schema(nullable = false, example = "the webhook answered 503")]
    reason: Option<String>,
    /// Only tasks that died at this time or later.
    #[schema(nullable = false, format = DateTime, example = "2026-01-31T12:00:00Z")]
    ended_after: Option<String>,
    /// Only tasks that died before this time.
    #[schema(nullable = false, format = DateTime, example = "2026-01-31T13:00:00Z")]
    ended_before: Option<String>,
    /// How many tasks are retried at most.
    #[schema(nullable = false, default = 100, minimum = 1, maximum = 100)]
    limit: Option<u64>,
    /// Where to go on: the `next` of the answer before.
    #[schema(nullable = false)]
    cursor: Option<String>,
}
