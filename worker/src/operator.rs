//! What the worker serves for operators: whether it lives, whether it can work,
//! and its metrics. It serves nothing to clients.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use hookme_shared::keyless::{self, AllowedHosts, Refusal};
use hookme_shared::queue::{Complaint, Queue, Role};
use hookme_shared::serve::{self, Bounds};
use hookme_shared::supervisor::Supervisor;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

#[derive(Clone)]
struct Context {
    queue: Queue,
    metrics: Arc<Metrics>,
    allow_unsafe: bool,
    supervisor: Supervisor,
}

/// The place where operators are served.
#[derive(Debug)]
pub struct Operator {
    /// The socket.
    pub listener: TcpListener,
    /// The hosts that are answered to.
    pub allowed_hosts: AllowedHosts,
}

impl Operator {
    /// Serves until `done`. With `allow_unsafe` a Redis that can lose jobs is ready
    /// too; what is wrong with it is told all the same.
    pub async fn serve(
        self,
        queue: Queue,
        metrics: Arc<Metrics>,
        allow_unsafe: bool,
        supervisor: Supervisor,
        done: CancellationToken,
    ) {
        let context = Context {
            queue,
            metrics,
            allow_unsafe,
            supervisor,
        };
        let router = router(context, self.allowed_hosts);
        serve::serve(self.listener, router, done, Bounds::default()).await;
    }
}

/// Every path, each with what answers it.
fn routes() -> [(&'static str, MethodRouter<Context>); 3] {
    [
        ("/livez", get(lives)),
        ("/readyz", get(ready)),
        ("/metrics", get(text)),
    ]
}

fn router(context: Context, allowed_hosts: AllowedHosts) -> Router {
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, answer)| {
            router.route(path, answer)
        });
    keyless::protect(router, allowed_hosts, refuse).with_state(context)
}

/// The refusal as a problem of RFC 9457, of which no page here says more.
fn refuse(refusal: Refusal) -> Response {
    const PROBLEM_JSON: &str = "application/problem+json";
    let status = refusal.status();
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": refusal.detail(),
    });
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response
}

/// Whether every part of the process works. Where one does not, the process ends as soon as
/// it has given back what it can.
async fn lives(State(context): State<Context>) -> Response {
    match context.supervisor.failure() {
        None => "ok\n".into_response(),
        Some(failure) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n")).into_response(),
    }
}

async fn ready(State(context): State<Context>) -> Response {
    let looked = context.queue.complaints(Role::Worker).await;
    let complaints = looked.unwrap_or_else(|error| vec![Complaint::of(&error)]);
    if complaints.is_empty() {
        return "ok\n".into_response();
    }
    let mut reasons = complaints.iter();
    let status = if reasons.any(|reason| reason.forbids_ready(context.allow_unsafe)) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let lines = complaints.iter().fold(String::new(), |lines, complaint| {
        lines + &complaint.text + "\n"
    });
    (status, lines).into_response()
}

async fn text(State(context): State<Context>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match context.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use hookme_shared::queue::{Address, Clock, Terms};
    use hookme_shared::secret::Secret;
    use tower::ServiceExt;

    use super::*;

    /// The status of the answer to a request for that path and host.
    async fn status(method: &str, path: &str, host: &str) -> StatusCode {
        let address = Address {
            url: Secret::from("redis://127.0.0.1:9".to_owned()),
            certificate_authority: None,
            namespace: "hookme".to_owned(),
            response_timeout: Duration::from_millis(1),
            clock: Clock::Redis,
        };
        let context = Context {
            queue: Queue::new(&address, Terms::default()).unwrap(),
            metrics: Arc::default(),
            allow_unsafe: false,
            supervisor: Supervisor::new(CancellationToken::new()),
        };
        let router = router(context, "worker".parse().unwrap());
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("host", host)
            .header("origin", "http://evil.example");
        let response = router.oneshot(request.body(Body::empty()).unwrap());
        response.await.unwrap().status()
    }

    /// `tests/tests/keyless` tries many more requests, at the routes that are known there.
    #[tokio::test]
    async fn no_route_answers_another_host_or_a_page_of_another_origin() {
        let paths = routes().map(|(path, _)| path);
        for path in paths.into_iter().chain(["/nowhere"]) {
            let other_host = status("GET", path, "evil.example:4002").await;
            assert_eq!(other_host, StatusCode::MISDIRECTED_REQUEST, "{path}");
            let changing = status("POST", path, "worker:4002").await;
            assert_eq!(changing, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(paths, ["/livez", "/readyz", "/metrics"]);
        assert_eq!(status("GET", "/livez", "worker:4002").await, StatusCode::OK);
    }
}
