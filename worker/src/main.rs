//! The program `worker`: settings, signals and logs around [`hookme_worker::run`].

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use hookme_shared::shutdown::{Signals, block_on};
use hookme_shared::supervisor::Supervisor;
use hookme_shared::{healthcheck, telemetry};
use hookme_worker::settings::Arguments;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    block_on(work())
}

async fn work() -> anyhow::Result<ExitCode> {
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
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::start(&settings.telemetry)?;
    let signals = Signals::listen()?;
    let operator = match settings.work.operator_listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?,
        ),
        None => None,
    };
    let shutdown = CancellationToken::new();
    let supervisor = Supervisor::new(shutdown.clone());
    let work = hookme_worker::run(operator, &settings, supervisor);
    signals.during(work, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
