//! `/destinations`: the places that results go to, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use hookme_shared::queue::Enabled;

use super::Api;
use crate::answers::destinations::{DestinationEnabled, DestinationList};
use crate::problem::{Problem, ProblemAnswer};

/// List destinations
///
/// The places that results went to lately, the last used first, 1000 at most: whether
/// their receivers want more, and whether their origins work. The operator's own webhook
/// is the one with the id `default`.
#[utoipa::path(
    get,
    path = "/destinations",
    tag = "Operations",
    responses(
        (status = 200, description = "The destinations", body = DestinationList),
        (status = 503, description = "Redis is away", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<DestinationList>, Problem> {
    let known = api.patience.wait("destinations", api.queue.destinations());
    Ok(Json(DestinationList::new(known.await?)))
}

/// Enable a destination
///
/// Lets results go again to a place whose receiver answered 410 Gone. Tasks that died of
/// it stay dead until they are retried.
#[utoipa::path(
    post,
    path = "/destinations/{id}/enable",
    tag = "Operations",
    params(("id" = String, Path, description = "The destination's id, as the list has it")),
    responses(
        (status = 200, description = "Results go there", body = DestinationEnabled),
        (status = 404, description = "No destination has this id", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 503, description = "Redis is away; repeating is safe", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn enable(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<DestinationEnabled>, Problem> {
    // Nothing else is an id, and whatever is in a path must not become part of a key.
    if id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Problem::UnknownDestination);
    }
    let enabled = api
        .patience
        .wait("enable", api.queue.enable_destination(&id));
    let ok = match enabled.await? {
        Enabled::Done => "destination enabled",
        Enabled::Already => "the destination was enabled already",
        Enabled::Unknown => return Err(Problem::UnknownDestination),
    };
    Ok(Json(DestinationEnabled { ok, id }))
}
