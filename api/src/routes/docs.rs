//! The API's description of itself, for programs and for people.

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa_swagger_ui::SwaggerUi;

use crate::problem::{Problem, ProblemAnswer};
use crate::problem_kinds::find;

/// The description without its routes; those add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookme",
        description = "Takes tasks and keeps them in Redis. A report sends a repository's open issues and contributors to a webhook; feedback comments on a pull request how well a commit meets its requirements. Every error is a problem of RFC 9457.",
    ),
    tags(
        (name = "Tasks", description = "Take, show, list, cancel and retry"),
        (name = "Operations", description = "For whoever runs it"),
        (name = "Problems", description = "What the errors mean"),
    ),
)]
struct About;

/// See [`About`].
pub(super) fn about() -> openapi::OpenApi {
    About::openapi()
}

/// `/openapi.json` and the pages under `/docs`, all from this binary.
pub(super) fn router<S: Clone + Send + Sync + 'static>(description: openapi::OpenApi) -> Router<S> {
    SwaggerUi::new("/docs")
        .url("/openapi.json", description)
        .into()
}

/// Describe a kind of problem
///
/// The `type` of every error leads here.
#[utoipa::path(
    get,
    path = "/problems/{name}",
    tag = "Problems",
    params(("name" = String, Path, description = "The last segment of the type", example = "live-limit")),
    responses(
        (status = 200, description = "The kind, its status and what to do", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such kind", body = ProblemAnswer, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn problem(name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = name.map_err(|_| Problem::UnknownPath)?;
    let kind = find(&name).ok_or(Problem::UnknownPath)?;
    Ok(format!(
        "{} ({})\n\n{}\n",
        kind.title, kind.status, kind.advice
    ))
}
