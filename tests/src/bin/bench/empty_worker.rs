//! A worker whose handler does nothing: what the queue costs, without the work.
//!
//! It is made of the real worker's settings and parts; only the handler differs.

use std::env;
use std::io::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use hookme_shared::queue::{QueueError, Role, Settlement};
use hookme_shared::supervisor::Supervisor;
use hookme_shared::{start, telemetry};
use hookme_worker::handle::{Attempt, Handle};
use hookme_worker::launcher::Launch;
use hookme_worker::policy::retry::RetryPolicy;
use hookme_worker::settings::Arguments;
use tokio_util::sync::CancellationToken;

/// If set, each start is told with how late it is.
pub(crate) const TELL_LATENESS: &str = "BENCH_TELL_LATENESS";
/// Before the lateness in a line, in µs.
pub(crate) const LATE: &str = "late_us ";

/// The part [`crate::part::Part::EmptyWorker`].
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
    let launch = Launch {
        queue,
        address,
        worker: format!("empty-{}", std::process::id()),
        concurrency: settings.work.concurrency,
        shutdown_grace: settings.work.shutdown_grace,
        retry: RetryPolicy::new(settings.work.reschedule_interval, 0),
        allow_unsafe: true,
        metrics: Arc::default(),
        operator: None,
    };
    let handler = Empty {
        tells_lateness: env::var_os(TELL_LATENESS).is_some(),
    };
    Ok(launch.run(handler, Supervisor::new(shutdown)).await?)
}

struct Empty {
    tells_lateness: bool,
}

impl Handle for Empty {
    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        if self.tells_lateness {
            let late_us = now_us().saturating_sub(attempt.job.due_ms * 1_000);
            if writeln!(std::io::stdout().lock(), "{LATE}{late_us}").is_err() {
                tracing::error!("nobody reads how late a job was");
            }
        }
        Ok(Some(Settlement::Finish))
    }
}

/// µs since the Unix epoch; Redis runs on the same machine and reads the same
/// clock.
#[expect(
    clippy::disallowed_methods,
    reason = "how late a start is shows only against Redis's wall clock"
)]
fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
}
