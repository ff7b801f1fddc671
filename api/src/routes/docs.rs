//! The API's description of itself, for programs and for people.

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Header, ObjectBuilder, Ref, RefOr, Response, Type};
use utoipa_swagger_ui::SwaggerUi;

use super::door::{is_open, is_operators};
use crate::problem::{PROBLEM_JSON, Problem, ProblemAnswer};
use crate::problem_kinds::{self as kinds, ProblemKind, find};

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

/// What the description calls the key.
const KEY: &str = "key";

/// The description with what [`super::door`] adds to every route that it closes, the key
/// and what is answered without one, and with what is refused where no key is asked for.
pub(super) fn with_refusals(mut description: openapi::OpenApi) -> openapi::OpenApi {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key that whoever runs this API gives out. Where no keys are set, none is needed.",
        ));
    let components = description.components.get_or_insert_default();
    let scheme = SecurityScheme::Http(scheme.build());
    components
        .security_schemes
        .insert(KEY.to_owned(), scheme.into());
    for (path, item) in &mut description.paths.paths {
        if !is_open(path) {
            operations(item).for_each(|operation| close(operation, is_operators(path)));
        }
        operations(item).for_each(|operation| add(operation, refusal(&kinds::HOST, None)));
        changing(item).for_each(|operation| add(operation, refusal(&kinds::CROSS_ORIGIN, None)));
    }
    description
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let (get, post, delete) = (&mut item.get, &mut item.post, &mut item.delete);
    [get, post, delete].into_iter().flatten()
}

/// The operations that change something.
fn changing(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let (post, delete) = (&mut item.post, &mut item.delete);
    [post, delete].into_iter().flatten()
}

fn close(operation: &mut Operation, to_clients: bool) {
    let without_scopes = SecurityRequirement::new::<_, [&str; 0], _>(KEY, []);
    operation.security = Some(vec![without_scopes]);
    let mut answers = vec![
        refusal(&kinds::KEY_NEEDED, Some("WWW-Authenticate")),
        refusal(&kinds::TOO_FAST, Some("Retry-After")),
    ];
    if to_clients {
        answers.push(refusal(&kinds::OPERATORS_ONLY, None));
    }
    for (status, answer) in answers {
        // A route may say more of a status itself.
        let responses = &mut operation.responses.responses;
        responses.entry(status).or_insert(answer.into());
    }
}

/// Adds an answer; where its status has one of another kind already, both are told.
fn add(operation: &mut Operation, (status, answer): (String, Response)) {
    let responses = &mut operation.responses.responses;
    match responses.get_mut(&status) {
        Some(RefOr::T(known)) => {
            known.description = format!("{}. {}", known.description, answer.description);
        }
        Some(RefOr::Ref(_)) | None => drop(responses.insert(status, answer.into())),
    }
}

fn refusal(kind: &ProblemKind, header: Option<&str>) -> (String, Response) {
    let mut answer = Response::new(kind.title);
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let content = (PROBLEM_JSON.to_owned(), content.build().into());
    answer.content.extend([content]);
    if let Some(header) = header {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let header = (header.to_owned(), Header::new(text).into());
        answer.headers.extend([header]);
    }
    (kind.status.as_str().to_owned(), answer)
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
