//! The settings of the worker, one file per concern.
//!
//! Each group takes its variables as text and checks them itself, so that all
//! mistakes of one start can be shown together.

pub mod feedback;
pub mod github;
pub mod pace;
pub mod webhook;
pub mod work;

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Parser;
use hookme_shared::queue::{Limits, Terms};
use hookme_shared::settings::{LimitArguments, Mistakes, RedisArguments, RedisSettings};
use hookme_shared::telemetry::{TelemetryArguments, TelemetrySettings};

use self::feedback::{FeedbackArguments, FeedbackSettings};
use self::github::{GithubArguments, GithubSettings};
use self::webhook::{WebhookArguments, WebhookSettings};
use self::work::{WorkArguments, WorkSettings};

/// What a time limit for one HTTP request can be: up to 10 minutes.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);

/// Claims due jobs, fetches from GitHub, delivers to the webhook, and settles.
///
/// Every flag can be given as the environment variable that stands beside it.
#[derive(Debug, Parser)]
#[command(name = "worker", version)]
pub struct Arguments {
    #[command(flatten)]
    redis: RedisArguments,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    github: GithubArguments,
    #[command(flatten)]
    webhook: WebhookArguments,
    #[command(flatten)]
    feedback: FeedbackArguments,
    #[command(flatten)]
    work: WorkArguments,
    #[command(flatten)]
    telemetry: TelemetryArguments,
    /// Asks the worker that serves `OPERATOR_LISTEN` on this machine whether it lives.
    #[arg(long)]
    pub healthcheck: bool,
}

/// The settings of the worker, judged.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Redis is.
    pub redis: RedisSettings,
    /// The limits over all workers.
    pub limits: Limits,
    /// Where GitHub is.
    pub github: GithubSettings,
    /// Where reports go.
    pub webhook: WebhookSettings,
    /// How comments look.
    pub feedback: FeedbackSettings,
    /// How this worker works.
    pub work: WorkSettings,
    /// How logs look.
    pub telemetry: TelemetrySettings,
}

impl Arguments {
    /// Judges all that was given.
    ///
    /// # Errors
    ///
    /// Every mistake, each with the variable's name and what it should be.
    pub fn check(&self) -> Result<Settings, Mistakes> {
        let mut mistakes = Mistakes::default();
        let (redis, limits) = (
            self.redis.check(&mut mistakes),
            self.limits.check(&mut mistakes),
        );
        let (github, webhook) = (
            self.github.check(&mut mistakes),
            self.webhook.check(&mut mistakes),
        );
        let (feedback, work, telemetry) = (
            self.feedback.check(&mut mistakes),
            self.work.check(&mut mistakes),
            self.telemetry.check(&mut mistakes),
        );
        match (github, webhook) {
            (Some(github), Some(webhook)) => mistakes.judge(Settings {
                redis,
                limits,
                github,
                webhook,
                feedback,
                work,
                telemetry,
            }),
            _ => Err(mistakes),
        }
    }
}

impl Settings {
    /// The terms that jobs live under.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            limits: self.limits,
            lease: self.work.lease,
            job_max_age: self.work.job_max_age,
            report_max_age: self.work.report_max_age,
            reports_max_bytes: self.work.reports_max_bytes,
        }
    }
}
