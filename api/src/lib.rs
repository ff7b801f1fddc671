//! The API: takes tasks over HTTP and puts them into the queue.
//!
//! It does the first two steps of a job's line, request and admission, and it
//! shows what became of a job. It holds no job and no state of its own: any
//! number of these processes can stand before one Redis, and each can die at
//! any time. Whether a task is taken is decided by the queue in one call.

mod admission;
mod answers;
mod headers;
mod listing;
mod metrics;
mod patience;
mod problem;
mod problem_kinds;
mod rfc3339;
mod routes;
pub mod settings;

use std::io;

use hookme_shared::queue::Queue;
use hookme_shared::serve::{Bounds, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use settings::ApiSettings;

/// Answers requests on `listener` until `shutdown` is cancelled and the open
/// requests are finished, or cut off after the grace. This is the one door: for
/// the binary, for tests and for the demo.
///
/// Fails only if the listener cannot say where it listens.
pub async fn run(
    listener: TcpListener,
    queue: Queue,
    settings: ApiSettings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "taking tasks");
    let bounds = Bounds {
        grace: settings.shutdown_grace,
        ..Bounds::default()
    };
    let router = routes::router(queue, settings);
    serve(listener, router, shutdown, bounds).await;
    tracing::info!("took the last task");
    Ok(())
}
