//! Whether this process should be restarted, and whether it should be sent
//! requests. The two are apart on purpose: a restart does not bring Redis back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hookme_shared::queue::{Complaint, Role};

use super::Api;
use crate::answers::{Alive, ComplaintAnswer, Ready};
use crate::problem::{Problem, ProblemAnswer};

/// Say that the process runs
///
/// For whoever restarts processes. Always 200, also while Redis is away; but a program
/// that waits for Redis at its start, up to a minute, does not listen yet.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "Operations",
    responses((status = 200, description = "The process runs", body = Alive)),
)]
pub(super) async fn livez() -> Json<Alive> {
    Json(Alive { alive: true })
}

/// Say whether tasks can be taken
///
/// For load balancers. 200 only if Redis answers, takes writes, and no task in it is
/// unsafe, or if the setting `ALLOW_UNSAFE_REDIS` says that it may be.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operations",
    responses(
        (status = 200, description = "Tasks can be taken; what should be mended is told", body = Ready),
        (status = 503, description = "Redis is away, takes no writes, or cannot be trusted with tasks", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Result<Json<Ready>, Problem> {
    let looked = api
        .patience
        .ask("complaints", api.queue.complaints(Role::Api));
    let complaints = looked
        .await
        .unwrap_or_else(|error| vec![Complaint::of(&error)]);
    let allow_unsafe = api.settings.allow_unsafe_redis;
    let mut reasons = complaints.iter();
    if reasons.any(|reason| reason.forbids_ready(allow_unsafe)) {
        return Err(Problem::NotReady(complaints));
    }
    Ok(Json(Ready {
        ready: true,
        complaints: ComplaintAnswer::all(complaints),
    }))
}
