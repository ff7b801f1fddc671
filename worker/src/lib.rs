//! The worker: claims due jobs, does what each is for, and settles.
//!
//! On the line, in this order: [`claimer`], [`runner`] with [`kinds`](mod@kinds), [`settler`]. A
//! report's story is [`reporter`] ([`fetch`] through [`github`], [`deliver`]), that of
//! feedback [`commenter`] ([`feedback`] through [`github`], [`deliver`]). Beside it: [`heartbeat`], [`reaper`], [`hints`].
//! The rules stand in [`policy`]; nothing there touches the world.

pub mod claimer;
pub mod commenter;
pub mod courier;
pub mod deliver;
pub mod destinations;
pub mod feedback;
pub mod fetch;
pub mod github;
pub mod handle;
pub mod heartbeat;
pub mod hints;
pub mod http;
pub mod kinds;
mod last_answer;
pub mod launcher;
pub mod leases;
pub mod metrics;
pub mod operator;
mod pack;
pub mod policy;
pub mod reaper;
pub mod report;
pub mod reporter;
pub mod runner;
pub mod settings;
pub mod settler;
pub mod signature;
pub mod vetting;

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::destination::Destination;
use hookme_shared::queue::{Queue, Role};
use hookme_shared::start::{StartError, address, ready_queue};
use hookme_shared::supervisor::{Supervisor, TaskFailure};
use hookme_shared::trouble::Trouble;
use tokio::net::TcpListener;

use crate::commenter::Commenter;
use crate::courier::Courier;
use crate::fetch::Fetcher;
use crate::github::Github;
use crate::http::ClientError;
use crate::kinds::Kinds;
use crate::launcher::Launch;
use crate::metrics::Metrics;
use crate::operator::Operator;
use crate::policy::retry::RetryPolicy;
use crate::reporter::Reporter;
use crate::settings::Settings;
use crate::settings::webhook::WebhookSettings;

/// After how long without an answer a call to Redis has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a worker does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Redis is not fit for jobs.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No HTTP client can be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] ClientError),
    /// The system refused a thread or a socket.
    #[error("the system refused a thread or a socket")]
    System(#[from] std::io::Error),
    /// A part of it failed. What could be given back is; the process is to be started anew.
    #[error("the worker cannot go on, and must be started anew")]
    Part(#[from] TaskFailure),
}

/// Works on jobs until the shutdown of the `supervisor`: the one door to this crate, for
/// the program and for tests. Serves health and metrics on `operator`, if given.
///
/// # Errors
///
/// [`RunError`] says what to mend. Once it has started, it only ends by a shutdown, or
/// because a part of it failed.
pub async fn run(
    operator: Option<TcpListener>,
    settings: &Settings,
    supervisor: Supervisor,
) -> Result<(), RunError> {
    let address = address(&settings.redis, RESPONSE_TIMEOUT);
    let ending = supervisor.ending();
    let queue = ready_queue(
        &address,
        Role::Worker,
        settings.terms(),
        settings.redis.allow_unsafe,
        &ending,
    );
    let Some(queue) = queue.await? else {
        return Ok(());
    };
    let retry = RetryPolicy::new(
        settings.work.reschedule_interval,
        settings.work.retry_max_attempts,
    );
    let worker = worker_id();
    let metrics = Arc::<Metrics>::default();
    let github = Github::shared(
        &settings.github,
        queue.clone(),
        worker.clone(),
        Arc::clone(&metrics),
        supervisor.clone(),
    );
    let github = Arc::new(github.await?);
    if settings.webhook.signer.is_none() {
        tracing::warn!(
            "WEBHOOK_SECRETS is not set: deliveries are not signed, and receivers cannot tell them from anybody else's"
        );
    }
    declare(&queue, &settings.webhook).await;
    let courier = Courier::new(&settings.webhook, queue.clone(), retry, &supervisor)?;
    if settings.webhook.url.is_none() {
        tracing::info!(
            "there is no webhook: reports are made, and comments told, only where a task names a webhook_url"
        );
    }
    let handler = handler(settings, &queue, github, courier, retry);
    let launch = Launch {
        queue,
        address,
        worker,
        concurrency: settings.work.concurrency,
        shutdown_grace: settings.work.shutdown_grace,
        retry,
        allow_unsafe: settings.redis.allow_unsafe,
        metrics,
        operator: operator.map(|listener| Operator {
            listener,
            allowed_hosts: settings.work.allowed_hosts.clone(),
        }),
    };
    launch.run(handler, supervisor).await
}

/// What is done with each kind of job.
fn handler(
    settings: &Settings,
    queue: &Queue,
    github: Arc<Github>,
    courier: Courier,
    retry: RetryPolicy,
) -> Kinds {
    let reporter = Reporter {
        queue: queue.clone(),
        fetcher: Fetcher::new(Arc::clone(&github), settings.github.include_pull_requests),
        courier: courier.clone(),
        retry,
        report_max_bytes: settings.webhook.report_max_bytes,
        room: Trouble::default(),
    };
    let commenter = Commenter {
        queue: queue.clone(),
        github,
        template: settings.feedback.template.clone(),
        courier,
        retry,
    };
    Kinds {
        reporter,
        commenter,
    }
}

/// Says where the operator's webhook is: another URL than before was refused by nobody.
async fn declare(queue: &Queue, webhook: &WebhookSettings) {
    let Some(url) = &webhook.url else {
        return;
    };
    match queue
        .declare_destination(&Destination::new(url.clone()))
        .await
    {
        Ok(None) => {}
        Ok(Some(reason)) => {
            tracing::warn!(
                reason,
                "WEBHOOK_URL is disabled, as its receiver wants no more; POST /destinations/default/enable lets deliveries go there again"
            );
        }
        Err(error) => {
            tracing::warn!(%error, "whether WEBHOOK_URL may be sent to is not known until the first delivery");
        }
    }
}

/// The longest part of a host's name that a worker's id carries, in characters:
/// Redis keeps values of up to 64 bytes in little room.
const HOST_MAX: usize = 32;

/// An id that no other worker has, and that tells an operator where to look:
/// `<host>-<process id>-<random>`.
fn worker_id() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .take(HOST_MAX)
        .collect();
    let host = if host.is_empty() { "worker" } else { &host };
    format!(
        "{host}-{}-{:04x}",
        std::process::id(),
        rand::random::<u16>()
    )
}
