//! What the worker serves for operators: whether it lives, whether it can work,
//! and its metrics. It serves nothing to clients.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hookme_shared::queue::{Queue, Role};
use hookme_shared::serve::{self, Bounds};
use hookme_shared::supervisor::Supervisor;
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

/// Serves until `done`. With `allow_unsafe` a Redis that can lose jobs is ready
/// too; what is wrong with it is told all the same.
pub async fn serve(
    listener: TcpListener,
    queue: Queue,
    metrics: Arc<Metrics>,
    allow_unsafe: bool,
    supervisor: Supervisor,
    done: CancellationToken,
) {
    let router = Router::new()
        .route("/livez", get(lives))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(Context {
            queue,
            metrics,
            allow_unsafe,
            supervisor,
        });
    serve::serve(listener, router, done, Bounds::default()).await;
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
    match context.queue.complaints(Role::Worker).await {
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        Ok(complaints) => {
            let unsafe_for_jobs = complaints.iter().any(|complaint| complaint.unsafe_for_jobs);
            let status = if unsafe_for_jobs && !context.allow_unsafe {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::OK
            };
            let lines = complaints.iter().fold(String::new(), |lines, complaint| {
                lines
                    + &complaint.text
                    + "
"
            });
            (
                status,
                if lines.is_empty() {
                    "ok\n".to_owned()
                } else {
                    lines
                },
            )
                .into_response()
        }
    }
}

async fn text(State(context): State<Context>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match context.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
