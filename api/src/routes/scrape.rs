//! `/metrics`, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Api;
use crate::problem::Problem;

/// The media type of the answer.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Show numbers for Prometheus
///
/// What this process answered, and what the queue holds. While Redis is away,
/// `hookme_redis_up` is 0 and the queue's numbers are left out.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operations",
    responses((status = 200, description = "OpenMetrics 1.0", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<impl IntoResponse, Problem> {
    // The cause is in the log already, and a scrape should still see the rest.
    let counts = api.patience.wait("counts", api.queue.counts()).await.ok();
    let text = api.metrics.render(counts.as_ref()).map_err(|error| {
        tracing::error!(%error, "cannot write the metrics");
        Problem::Unreadable
    })?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}
