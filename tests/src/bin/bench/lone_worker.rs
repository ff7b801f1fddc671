//! A worker that asks GitHub as if it were the only one: what the governor costs
//! shows against it.
//!
//! It is the real worker, but for the door to GitHub, behind which nothing is
//! shared.

use std::sync::Arc;

use clap::Parser;
use hookme_shared::queue::Role;
use hookme_shared::supervisor::Supervisor;
use hookme_shared::trouble::Trouble;
use hookme_shared::{start, telemetry};
use hookme_worker::courier::Courier;
use hookme_worker::fetch::Fetcher;
use hookme_worker::github::Github;
use hookme_worker::launcher::Launch;
use hookme_worker::policy::retry::RetryPolicy;
use hookme_worker::reporter::Reporter;
use hookme_worker::settings::Arguments;
use tokio_util::sync::CancellationToken;

/// The part [`crate::part::Part::LoneWorker`].
pub(crate) async fn run() -> anyhow::Result<()> {
    let settings = Arguments::parse_from(["worker"]).check()?;
    telemetry::start(&settings.telemetry)?;
    let address = start::address(&settings.redis, std::time::Duration::from_secs(2));
    // It is killed when it has been measured.
    let shutdown = CancellationToken::new();
    let queue = start::ready_queue(
        &address,
        Role::Worker,
        settings.terms(),
        settings.redis.allow_unsafe,
        &shutdown,
    );
    let Some(queue) = queue.await? else {
        return Ok(());
    };
    let supervisor = Supervisor::new(shutdown);
    let retry = RetryPolicy::new(settings.work.reschedule_interval, 0);
    let reporter = Reporter {
        queue: queue.clone(),
        fetcher: Fetcher::new(Arc::new(Github::alone(&settings.github)?), false),
        courier: Courier::new(&settings.webhook, queue.clone(), retry, &supervisor)?,
        retry,
        report_max_bytes: settings.webhook.report_max_bytes,
        room: Trouble::default(),
    };
    let launch = Launch {
        queue,
        address,
        worker: format!("lone-{}", std::process::id()),
        concurrency: settings.work.concurrency,
        shutdown_grace: settings.work.shutdown_grace,
        retry,
        allow_unsafe: true,
        metrics: Arc::default(),
        operator: None,
    };
    Ok(launch.run(reporter, supervisor).await?)
}
