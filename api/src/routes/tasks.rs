//! `/tasks`: the first step of a job's line, and the list of all tasks.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hookme_shared::job::JobId;
use hookme_shared::owner::KeyId;
use hookme_shared::queue::{Receipt, Submission, Submitted};

use super::task_request::{TaskRequest, feedback, feedback_in_base64, report};
use super::{Api, body};
use crate::admission::Wish;
use crate::answers::{Taken, TaskPage, examples};
use crate::caller::Caller;
use crate::headers::{check_content_type, idempotency_key};
use crate::listing::{Listing, ListingQuery};
use crate::problem::{Problem, ProblemAnswer};

/// Take a task
///
/// After a *report*, a while later, the webhook gets the repository's open issues and
/// contributors. After *feedback* the pull request gets a comment that says which of
/// the evaluation's requirements the commit meets, and the webhook hears of it.
///
/// Of a client a repository has one live report for each place at most, and a commit of a
/// pull request one live feedback: while it is scheduled or running, another request for the same is
/// answered with that task. Feedback on another commit takes the place of what waits
/// for the same pull request, which is then cancelled unless its comment is begun. A task that was answered with
/// 202 is stored.
#[utoipa::path(
    post,
    path = "/tasks",
    tag = "Tasks",
    request_body(content = TaskRequest, examples(
        ("report" = (summary = "A report", value = json!(report()))),
        ("feedback" = (summary = "Feedback", value = json!(feedback()))),
        ("base64" = (summary = "Feedback whose evaluation is in base64", value = json!(feedback_in_base64()))),
    )),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
        description = "A text of your own for this request, remembered for 24 hours. With the same key and body the first answer's id comes again, also after the task has ended.")),
    responses(
        (status = 202, description = "The task is stored", body = Taken,
            headers(("Location" = String, description = "The path of the task"))),
        (status = 200, description = "A live task does the same already; this is that one", body = Taken),
        (status = 400, description = "A field or the Idempotency-Key is missing or not what it must be", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 409, description = "The place where the result would go wants no more", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 408, description = "The body did not come in time, or waited too long behind other large ones", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared to be JSON", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key came before with another body", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 429, description = "As many tasks are live as may be, or requests come too fast; nothing was stored", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
        (status = 503, description = "Redis is away; repeating is safe", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn submit(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let most_bytes = body::most_bytes(&request);
    let _room = api.bodies.enter(most_bytes).await?;
    let submission = read_submission(&api, &caller, request).await?;
    match api
        .patience
        .wait("submit", api.queue.submit(&submission))
        .await?
    {
        Submitted::Accepted(receipt) => Ok(taken(receipt)),
        Submitted::Duplicate(receipt) => {
            let kind = submission.work.kind();
            Ok(Json(Taken::duplicate(kind, receipt)).into_response())
        }
        Submitted::Full { limit } => Err(Problem::Full(limit)),
        Submitted::KeyReused => Err(Problem::KeyReused),
        Submitted::Disabled { destination } => Err(Problem::Disabled(destination)),
    }
}

/// Reads and checks a request, and gives the task an id.
async fn read_submission(
    api: &Api,
    caller: &Caller,
    request: Request,
) -> Result<Submission, Problem> {
    check_content_type(request.headers())?;
    let key = idempotency_key(request.headers())?.map(str::to_owned);
    let wish = Wish::parse(&body::read(request).await?, &api.settings.guard)?;
    Ok(wish.into_submission(
        JobId::random(),
        caller.owner().cloned(),
        key.as_deref(),
        api.settings.schedule_interval,
    ))
}

/// Says that a task is in the queue, and where to look after it.
pub(super) fn taken(receipt: Receipt) -> Response {
    let location = [(header::LOCATION, format!("/tasks/{}", receipt.id))];
    let taken = Taken::new("task successfully scheduled", receipt);
    (StatusCode::ACCEPTED, location, Json(taken)).into_response()
}

/// List tasks
///
/// Those in a state: scheduled tasks come by due time, running ones by the end of their
/// lease, and ended ones with the newest first. Tasks move while one lists them: a task
/// can be missed or be shown twice.
///
/// Or, with `username`, `repository` and `pull_request`, the feedback on that pull
/// request, the newest first: the newest 100 at most, and no page after it.
#[utoipa::path(
    get,
    path = "/tasks",
    tag = "Tasks",
    params(ListingQuery),
    responses(
        (status = 200, description = "A page of tasks", body = TaskPage, examples(
            ("state" = (summary = "Tasks in a state", value = json!(examples::page_of_state()))),
            ("pull_request" = (summary = "Feedback on a pull request", value = json!(examples::page_of_pull_request()))))),
        (status = 400, description = "A parameter is not what it must be", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 503, description = "Redis is away", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListingQuery>, QueryRejection>,
) -> Result<Json<TaskPage>, Problem> {
    let Query(query) = query.map_err(|_| Problem::Invalid("the query cannot be read".into()))?;
    let page = match Listing::parse(&query)? {
        Listing::OfState(listing) => {
            let (state, after, limit) = (listing.state, listing.after, listing.limit);
            let page = api.queue.list(state, caller.confined_to(), after, limit);
            let page = api.patience.wait("list", page).await?;
            let next = page.next.map(|cursor| listing.path_after(cursor));
            TaskPage::new(page.jobs, next)
        }
        Listing::OfPullRequest(listing) => {
            let owners = owners_seen(&api, &caller);
            let jobs = api.queue.find_feedback(
                &listing.username,
                &listing.repository,
                listing.pull_request,
                &owners,
                listing.limit,
            );
            TaskPage::new(api.patience.wait("find", jobs).await?, None)
        }
    };
    Ok(Json(page))
}

/// Whose feedback is to be looked for: lists of pull requests stand in Redis by owner.
fn owners_seen(api: &Api, caller: &Caller) -> Vec<Option<KeyId>> {
    if let Some(own) = caller.confined_to() {
        return vec![Some(own.clone())];
    }
    let keys = api.settings.doors.keys.ids().cloned().map(Some);
    keys.chain([None]).collect()
}
