//! How this worker works: how much at once, for how long, how often again.

use std::net::SocketAddr;
use std::time::Duration;

use hookme_shared::keyless::AllowedHosts;
use hookme_shared::queue::Terms;
use hookme_shared::settings::{HostArguments, Mistakes};
use hookme_shared::span::whole_ms;

/// The most jobs that one worker runs at once.
const CONCURRENCY_MAX: u64 = 1_000;
/// The shortest lease: heartbeats and Redis need some time too.
const LEASE_MIN: Duration = Duration::from_millis(500);
const LEASE_MAX: Duration = Duration::from_secs(60 * 60);
/// The longest of all other spans: a year.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The most retries. With the longest waits that is over a month.
const RETRIES_MAX: u64 = 1_000;

/// A span as a setting has it.
fn ms(span: Duration) -> String {
    whole_ms(span).to_string()
}

/// How this worker works, as given.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkArguments {
    /// How many jobs this worker runs at once
    #[arg(long, env, value_name = "JOBS", default_value = "16")]
    worker_concurrency: String,

    /// How long a claim holds without renewal, in ms; the same for all workers
    #[arg(long, env, value_name = "MS", default_value_t = ms(Terms::default().lease))]
    lease: String,

    /// How long running jobs may finish after SIGTERM, in ms
    #[arg(long, env, value_name = "MS", default_value = "25000")]
    shutdown_grace: String,

    /// How old a job may get before it is given up, in ms
    #[arg(long, env, value_name = "MS", default_value_t = ms(Terms::default().job_max_age))]
    job_max_age: String,

    /// The wait after a job's first failure, in ms; it doubles with each further one
    #[arg(long, env, value_name = "MS", default_value = "5000")]
    reschedule_interval: String,

    /// How many tries follow the first one
    #[arg(long, env, value_name = "TRIES", default_value = "10")]
    retry_max_attempts: String,

    /// How long a fetched report is sent again before it is fetched anew, in ms
    #[arg(long, env, value_name = "MS", default_value_t = ms(Terms::default().report_max_age))]
    report_max_age: String,

    /// What all kept reports may take in Redis together, in bytes
    #[arg(long, env, value_name = "BYTES", default_value_t = Terms::default().reports_max_bytes.to_string())]
    reports_max_bytes: String,

    /// Where health and metrics are served, if anywhere: `127.0.0.1:4002`
    #[arg(long, env, value_name = "ADDRESS")]
    operator_listen: Option<String>,

    #[command(flatten)]
    hosts: HostArguments,
}

/// How this worker works.
#[derive(Debug, Clone)]
pub struct WorkSettings {
    /// Jobs at once.
    pub concurrency: u32,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How long running jobs may finish at shutdown.
    pub shutdown_grace: Duration,
    /// How old a job may get.
    pub job_max_age: Duration,
    /// The wait after the first failure.
    pub reschedule_interval: Duration,
    /// Tries after the first one.
    pub retry_max_attempts: u32,
    /// How long a kept report is good for.
    pub report_max_age: Duration,
    /// What all kept reports may take together.
    pub reports_max_bytes: u64,
    /// Where health and metrics are served.
    pub operator_listen: Option<SocketAddr>,
    /// The hosts that are answered to there.
    pub allowed_hosts: AllowedHosts,
}

impl WorkArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> WorkSettings {
        let count = |mistakes: &mut Mistakes, variable, text: &str, range| {
            u32::try_from(mistakes.parse_count(variable, text, range)).unwrap_or(u32::MAX)
        };
        let span = Duration::from_millis(1)..=SPAN_MAX;
        WorkSettings {
            concurrency: count(
                mistakes,
                "WORKER_CONCURRENCY",
                &self.worker_concurrency,
                1..=CONCURRENCY_MAX,
            ),
            lease: mistakes.parse_ms("LEASE", &self.lease, LEASE_MIN..=LEASE_MAX),
            shutdown_grace: mistakes.parse_ms(
                "SHUTDOWN_GRACE",
                &self.shutdown_grace,
                Duration::ZERO..=LEASE_MAX,
            ),
            job_max_age: mistakes.parse_ms("JOB_MAX_AGE", &self.job_max_age, span.clone()),
            reschedule_interval: mistakes.parse_ms(
                "RESCHEDULE_INTERVAL",
                &self.reschedule_interval,
                Duration::ZERO..=SPAN_MAX,
            ),
            retry_max_attempts: count(
                mistakes,
                "RETRY_MAX_ATTEMPTS",
                &self.retry_max_attempts,
                0..=RETRIES_MAX,
            ),
            report_max_age: mistakes.parse_ms("REPORT_MAX_AGE", &self.report_max_age, span),
            reports_max_bytes: mistakes.parse_count(
                "REPORTS_MAX_BYTES",
                &self.reports_max_bytes,
                0..=1 << 40,
            ),
            operator_listen: self
                .operator_listen
                .as_deref()
                .filter(|text| !text.is_empty())
                .map(|text| mistakes.parse_listen("OPERATOR_LISTEN", text)),
            allowed_hosts: self.hosts.check(mistakes),
        }
    }
}
