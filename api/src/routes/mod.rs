//! The paths of the API, and what all answers have in common.

mod body;
mod destinations;
mod docs;
mod door;
mod health;
mod revival;
mod revival_request;
mod scrape;
mod task;
mod task_request;
mod tasks;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hookme_shared::keyless;
use hookme_shared::queue::Queue;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics::{HttpLabels, HttpMetrics};
use crate::patience::Patience;
use crate::problem::Problem;
use crate::rate_limit::RateLimit;
use crate::settings::ApiSettings;
use door::Door;
pub(crate) use door::Listener;

/// What every route needs.
pub(crate) struct Api {
    queue: Queue,
    patience: Patience,
    bodies: body::BodyRoom,
    metrics: HttpMetrics,
    rate_limit: RateLimit,
    settings: ApiSettings,
}

impl Api {
    /// What the routes of all listeners share.
    pub(crate) fn new(queue: Queue, settings: ApiSettings) -> Arc<Self> {
        let doors = &settings.doors;
        Arc::new(Self {
            queue,
            patience: Patience::new(settings.patience),
            bodies: body::BodyRoom::default(),
            metrics: HttpMetrics::default(),
            rate_limit: RateLimit::new(doors.rate, doors.keys.len()),
            settings,
        })
    }
}

/// Every path of the API, as it is at that listener.
pub(crate) fn router(api: Arc<Api>, listener: Listener) -> Router {
    let (router, description) = described().split_for_parts();
    let door = Door {
        api: Arc::clone(&api),
        listener,
    };
    let asks_for_keys = door.asks_for_keys();
    let mut router = router
        .merge(docs::router(docs::with_refusals(description)))
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::Method)
        .layer(from_fn_with_state(door, door::enter));
    if !asks_for_keys {
        let hosts = api.settings.doors.allowed_hosts.clone();
        router = keyless::protect(router, hosts, |refusal| {
            Problem::Keyless(refusal).into_response()
        });
    }
    router
        .layer(from_fn_with_state(Arc::clone(&api), around))
        .with_state(api)
}

/// The routes that the description of the API covers.
fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(docs::about())
        .routes(routes!(tasks::submit, tasks::list))
        .routes(routes!(task::show, task::cancel))
        .routes(routes!(task::retry))
        .routes(routes!(revival::retry_all))
        .routes(routes!(destinations::list))
        .routes(routes!(destinations::enable))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(scrape::metrics))
        .routes(routes!(docs::problem))
}

/// Counts and times a request, and guards its answer: it is never stored by a
/// cache, and a browser never guesses its type.
async fn around(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(String::new, |path| path.as_str().to_owned());
    let started = Instant::now();
    let mut response = next.run(request).await;
    let labels = HttpLabels {
        method,
        route,
        status: response.status().as_u16(),
    };
    api.metrics.observe(&labels, started.elapsed());
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The method, as one of a few words: a client may send any, and each label
/// takes memory for good.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests;
