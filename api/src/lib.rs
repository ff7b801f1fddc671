//! The API: takes tasks over HTTP and puts them into the queue.
//!
//! It does the first two steps of a job's line, request and admission, and it
//! shows what became of a job. It holds no job, and no state of its own but how fast
//! each key asks: any number of these processes can stand before one Redis, and each
//! can die at any time. Whether a task is taken is decided by the queue in one call.

mod admission;
mod answers;
mod bucket;
mod caller;
mod headers;
mod keys;
mod listing;
mod metrics;
mod patience;
mod problem;
mod problem_kinds;
mod rate_limit;
mod revival;
mod rfc3339;
mod routes;
pub mod settings;

use std::sync::Arc;

use hookme_shared::queue::Queue;
use hookme_shared::serve::{Bounds, serve};
use hookme_shared::supervisor::{Supervisor, TaskFailure};
use tokio::net::TcpListener;

use routes::{Api, Listener};
use settings::ApiSettings;

/// Why the API does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A listener cannot say where it listens.
    #[error("the system refused a socket")]
    System(#[from] std::io::Error),
    /// A part of it failed; the process is to be started anew.
    #[error("the API cannot go on, and must be started anew")]
    Part(#[from] TaskFailure),
}

/// Answers requests on `listener`, and those of operators on `operator` if there is
/// one, until the shutdown of the `supervisor`; then the open requests are finished, or
/// cut off after the grace. This is the one entrance: for the binary, for tests and for
/// the demo.
///
/// # Errors
///
/// [`RunError`] says what to mend. Once it serves, it only ends by a shutdown, or because
/// a part of it failed.
pub async fn run(
    listener: TcpListener,
    operator: Option<TcpListener>,
    queue: Queue,
    settings: ApiSettings,
    supervisor: Supervisor,
) -> Result<(), RunError> {
    tracing::info!(address = %listener.local_addr()?, "taking tasks");
    if let Some(operator) = &operator {
        tracing::info!(address = %operator.local_addr()?, "serving operators");
    }
    if settings.doors.keys.is_empty() {
        tracing::info!("no key is asked for: whoever reaches the API may do everything");
    }
    let bounds = Bounds {
        grace: settings.shutdown_grace,
        ..Bounds::default()
    };
    let api = Api::new(queue, settings);
    let apart = operator.is_some();
    let clients = routes::router(Arc::clone(&api), Listener::Clients { apart });
    let clients = serve(listener, clients, supervisor.ending(), bounds);
    supervisor.spawn("clients' server", clients);
    if let Some(operator) = operator {
        let router = routes::router(api, Listener::Operators);
        let operators = serve(operator, router, supervisor.ending(), bounds);
        supervisor.spawn("operators' server", operators);
    }
    supervisor.all_ended().await;
    tracing::info!("took the last task");
    Ok(supervisor.outcome()?)
}
