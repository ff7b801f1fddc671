//! `/tasks/{id}`: what became of a task, and the two things that a client can
//! still do about it.

use std::future::Future;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hookme_shared::job::{self, JobId};
use hookme_shared::queue::{Cancelled, QueueError, Revived};

use super::{Api, tasks};
use crate::answers::{CancelAnswer, TaskExplained, examples};
use crate::caller::Caller;
use crate::problem::{Problem, ProblemAnswer};

/// The `{id}` of a path. It is a text here because a word that cannot be an id
/// is the id of no task, which is 404 and not 400.
type IdPath = Result<Path<String>, PathRejection>;

fn read_id(path: IdPath) -> Result<JobId, Problem> {
    let Path(id) = path.map_err(|_| Problem::UnknownTask)?;
    id.parse().map_err(|_| Problem::UnknownTask)
}

/// Show a task
///
/// Where it is, why it is there and until when, and what happened to it so far.
#[utoipa::path(
    get,
    path = "/tasks/{id}",
    tag = "Tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task", body = TaskExplained, examples(
            ("report" = (summary = "A report", value = json!(examples::report_explained()))),
            ("feedback" = (summary = "Feedback", value = json!(examples::feedback_explained()))))),
        (status = 404, description = "No task has this id, or it is another's", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 500, description = "This version cannot read the task", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 503, description = "Redis is away", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: IdPath,
) -> Result<Json<TaskExplained>, Problem> {
    let id = read_id(path)?;
    let explanation = api.patience.wait("explain", api.queue.explain(id)).await?;
    let seen = explanation.filter(|explained| caller.sees(explained.job.owner.as_ref()));
    Ok(Json(seen.ok_or(Problem::UnknownTask)?.into()))
}

/// Cancel a task
///
/// A scheduled task is cancelled at once. The worker of a running one is asked
/// to stop; the task may still succeed.
#[utoipa::path(
    delete,
    path = "/tasks/{id}",
    tag = "Tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The task is cancelled", body = CancelAnswer),
        (status = 202, description = "Its worker was asked to stop", body = CancelAnswer),
        (status = 404, description = "No task has this id, or it is another's", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 409, description = "The task has ended", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 503, description = "Redis is away; repeating is safe", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: IdPath,
) -> Result<Response, Problem> {
    let id = read_id(path)?;
    let answer = |status, ok, state: job::State| {
        let answer = CancelAnswer {
            ok,
            id: id.to_string(),
            state: state.as_str(),
        };
        Ok((status, Json(answer)).into_response())
    };
    let cancel = if_seen(&api, &caller, id, api.queue.cancel(id), Cancelled::Unknown);
    match api.patience.wait("cancel", cancel).await? {
        Cancelled::Done => answer(StatusCode::OK, "task cancelled", job::State::Cancelled),
        Cancelled::Asked => answer(
            StatusCode::ACCEPTED,
            "the worker was asked to stop",
            job::State::Running,
        ),
        Cancelled::Ended(state) => Err(Problem::Ended(state)),
        Cancelled::Unknown => Err(Problem::UnknownTask),
    }
}

/// Retry a dead task
///
/// The task is due at once, with its failures forgotten.
#[utoipa::path(
    post,
    path = "/tasks/{id}/retry",
    tag = "Tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses(
        (status = 202, description = "The task is scheduled again", body = crate::answers::Taken,
            headers(("Location" = String, description = "The path of the task"))),
        (status = 404, description = "No task has this id, or it is another's", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 409, description = "The task is not dead, another live task does the same, or the place where the result would go wants no more", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 429, description = "As many tasks are live as may be, or requests come too fast", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
        (status = 503, description = "Redis is away; repeating is safe", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: IdPath,
) -> Result<Response, Problem> {
    let id = read_id(path)?;
    let revive = if_seen(&api, &caller, id, api.queue.revive(id), Revived::Unknown);
    match api.patience.wait("revive", revive).await? {
        Revived::Done(receipt) => Ok(tasks::taken(receipt)),
        Revived::Held { by } => Err(Problem::Held(by)),
        Revived::Full { limit } => Err(Problem::Full(limit)),
        Revived::NotDead(state) => Err(Problem::NotDead(state)),
        Revived::Disabled { destination } => Err(Problem::Disabled(destination)),
        Revived::Unknown => Err(Problem::UnknownTask),
    }
}

/// Makes a `call` about a task, unless the task is another's: then it is `unknown`. Both
/// fit into one wait; a task never changes hands between the look and the call.
async fn if_seen<T>(
    api: &Api,
    caller: &Caller,
    id: JobId,
    call: impl Future<Output = Result<T, QueueError>>,
    unknown: T,
) -> Result<T, QueueError> {
    if caller.confined_to().is_some() {
        let explanation = api.queue.explain(id).await?;
        if !explanation.is_some_and(|explained| caller.sees(explained.job.owner.as_ref())) {
            return Ok(unknown);
        }
    }
    call.await
}
