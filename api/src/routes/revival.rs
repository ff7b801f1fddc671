//! `/tasks/retry`: many dead tasks are retried, a bounded batch at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Request, State};
use hookme_shared::job;
use hookme_shared::queue::{PAGE_MAX, Revived};

use super::revival_request::RevivalRequest;
use super::{Api, body};
use crate::answers::{LeftAnswer, RevivalAnswer};
use crate::headers::check_content_type;
use crate::listing::write_cursor;
use crate::problem::{Problem, ProblemAnswer};
use crate::revival::{Revival, cursor_of};

/// How many dead tasks one call looks at.
const LOOKS_MAX: usize = PAGE_MAX;
/// How long one call goes on: a client that waits longer may have gone.
const SPAN_MAX: Duration = Duration::from_secs(2);

/// Retry dead tasks
///
/// For operators. Looks at the 100 tasks that died last, or last before the cursor,
/// and retries those that fit every member of the body; one that is left out fits all.
/// Repeat it with `cursor` set to `next` until that is null. A batch may be empty
/// though there is a next.
#[utoipa::path(
    post,
    path = "/tasks/retry",
    tag = "Operations",
    request_body(content = RevivalRequest),
    responses(
        (status = 200, description = "What became of the tasks that fit", body = RevivalAnswer),
        (status = 400, description = "A field is not what it must be", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 408, description = "The body did not come in time, or waited too long behind other large ones", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared to be JSON", body = ProblemAnswer, content_type = "application/problem+json"),
        (status = 503, description = "Redis is away; repeating is safe", body = ProblemAnswer, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds to wait"))),
    ),
)]
pub(super) async fn retry_all(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Json<RevivalAnswer>, Problem> {
    let most_bytes = body::most_bytes(&request);
    let _room = api.bodies.enter(most_bytes).await?;
    check_content_type(request.headers())?;
    let revival = Revival::parse(&body::read(request).await?)?;
    let page = api
        .queue
        .list(job::State::Dead, None, revival.after, LOOKS_MAX);
    let page = api.patience.wait("list", page).await?;

    let (began, mut answer) = (Instant::now(), RevivalAnswer::default());
    let mut seen = revival.after;
    for job in &page.jobs {
        if answer.retried.len() == revival.limit || began.elapsed() > SPAN_MAX {
            return Ok(Json(answer.continued_at(seen.map(write_cursor))));
        }
        if revival.filter.means(job) {
            match revive(&api, job.id).await {
                Ok(None) => answer.retried.push(job.id.to_string()),
                Ok(Some(why)) => answer.left.push(LeftAnswer::new(job.id, &why)),
                Err(problem) if answer.is_empty() => return Err(problem),
                // What was done must be told, and what was not comes again.
                Err(_) => return Ok(Json(answer.continued_at(seen.map(write_cursor)))),
            }
        }
        seen = cursor_of(job).or(seen);
    }
    Ok(Json(answer.continued_at(page.next.map(write_cursor))))
}

/// Retries a task; or says why it cannot be.
async fn revive(api: &Api, id: job::JobId) -> Result<Option<Problem>, Problem> {
    Ok(
        match api.patience.wait("revive", api.queue.revive(id)).await? {
            Revived::Done(_) => None,
            Revived::Held { by } => Some(Problem::Held(by)),
            Revived::Full { limit } => Some(Problem::Full(limit)),
            Revived::NotDead(state) => Some(Problem::NotDead(state)),
            Revived::Disabled { destination } => Some(Problem::Disabled(destination)),
            Revived::Unknown => Some(Problem::UnknownTask),
        },
    )
}
