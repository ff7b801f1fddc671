//! The program `worker`: settings, signals and logs around [`hookme_worker::run`].

use anyhow::Context;
use clap::Parser;
use hookme_shared::{healthcheck, shutdown::Signals, telemetry};
use hookme_worker::settings::Arguments;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let settings = arguments.check()?;
    if arguments.healthcheck {
        let listen = settings
            .work
            .operator_listen
            .context("OPERATOR_LISTEN is not set: there is nobody to ask")?;
        anyhow::ensure!(
            healthcheck::is_healthy(listen, "/livez").await?,
            "the worker is not healthy"
        );
        return Ok(());
    }
    telemetry::start(&settings.telemetry)?;
    let shutdown = CancellationToken::new();
    let signals = TaskTracker::new();
    drop(signals.spawn(Signals::listen()?.forward_to(shutdown.clone())));
    let operator = match settings.work.operator_listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?,
        ),
        None => None,
    };
    hookme_worker::run(operator, &settings, shutdown).await?;
    Ok(())
}
