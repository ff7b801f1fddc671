//! The API's process: reads the settings, connects, listens, and ends on a
//! signal. Everything else is in the library.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use hookme_api::settings::{Arguments, Settings};
use hookme_shared::healthcheck::is_healthy;
use hookme_shared::queue::{Role, Terms};
use hookme_shared::serve::Bounds;
use hookme_shared::shutdown::{Signals, block_on};
use hookme_shared::supervisor::Supervisor;
use hookme_shared::{descriptors, start, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// After how long without an answer a call to Redis has failed. A request waits
/// a little longer than this for the queue, so that the cause is known.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
/// The same while the functions are loaded, which nobody waits for.
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    block_on(work())
}

async fn work() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.healthcheck {
        let healthy = is_healthy(arguments.check_listen()?, "/livez").await;
        return Ok(if healthy.context("nobody answers")? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let settings = arguments.check()?;
    telemetry::start(&settings.telemetry)?;
    if arguments.load_functions {
        start::load_functions(&start::address(&settings.redis, LOAD_TIMEOUT)).await?;
        tracing::info!("the queue's functions are loaded");
        return Ok(ExitCode::SUCCESS);
    }
    descriptors::make_room(Bounds::default().connections);
    let signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let supervisor = Supervisor::new(shutdown.clone());
    signals
        .during(serve(settings, supervisor), shutdown)
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// Makes sure of Redis first: what is not ready for tasks does not listen.
async fn serve(settings: Settings, supervisor: Supervisor) -> anyhow::Result<()> {
    let address = start::address(&settings.redis, RESPONSE_TIMEOUT);
    let terms = Terms {
        limits: settings.limits,
        ..Terms::default()
    };
    let ending = supervisor.ending();
    let queue = start::ready_queue(
        &address,
        Role::Api,
        terms,
        settings.redis.allow_unsafe,
        &ending,
    );
    let Some(queue) = queue.await? else {
        return Ok(());
    };
    let listener = listen("LISTEN", settings.listen).await?;
    let operator = match settings.operator_listen {
        Some(address) => Some(listen("OPERATOR_LISTEN", address).await?),
        None => None,
    };
    hookme_api::run(listener, operator, queue, settings.api, supervisor).await?;
    Ok(())
}

/// Listens where that variable says.
async fn listen(variable: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {variable}={address}"))
}
