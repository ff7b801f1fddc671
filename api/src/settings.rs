//! The API's settings, as given and as judged.

mod doors;

use std::net::SocketAddr;
use std::time::Duration;

use hookme_shared::guard::Guard;
use hookme_shared::queue::Limits;
use hookme_shared::settings::{
    GuardArguments, LimitArguments, Mistakes, RedisArguments, RedisSettings,
};
use hookme_shared::telemetry::{TelemetryArguments, TelemetrySettings};

pub use self::doors::{DoorArguments, Doors};
use crate::admission::DELAY_MAX;
use crate::patience::BUDGET;

/// The longest `SHUTDOWN_GRACE`. A request takes seconds at most; more would
/// only delay whoever waits for the process to end.
const SHUTDOWN_GRACE_MAX: Duration = Duration::from_secs(10 * 60);

/// Takes tasks over HTTP and puts them into the queue.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "api", version)]
pub struct Arguments {
    /// Ask the API that listens on LISTEN whether it is alive, and exit with 0
    /// if it is and 1 if not.
    #[arg(long)]
    pub healthcheck: bool,

    /// Load the queue's functions into Redis and exit: for the URL of a user who
    /// may, where the user of the running programs may not.
    #[arg(long)]
    pub load_functions: bool,

    /// The address and port to listen on.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:4001")]
    listen: String,

    /// How long a report waits before its first attempt, in ms, unless its client
    /// says otherwise.
    #[arg(long, env = "SCHEDULE_INTERVAL", default_value = "10800")]
    schedule_interval: String,

    /// How long open requests may take to finish at shutdown, in ms.
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "25000")]
    shutdown_grace: String,

    #[command(flatten)]
    doors: DoorArguments,

    #[command(flatten)]
    guard: GuardArguments,

    #[command(flatten)]
    redis: RedisArguments,

    #[command(flatten)]
    limits: LimitArguments,

    #[command(flatten)]
    telemetry: TelemetryArguments,
}

/// All settings of the API's process.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to listen for operators alone.
    pub operator_listen: Option<SocketAddr>,
    /// How to serve.
    pub api: ApiSettings,
    /// Where Redis is.
    pub redis: RedisSettings,
    /// The limits of the queue.
    pub limits: Limits,
    /// What and how to log.
    pub telemetry: TelemetrySettings,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Who may come in, and how often.
    pub doors: Doors,
    /// What of the places that clients name may be reached.
    pub guard: Guard,
    /// How long a report waits before its first attempt, unless its client says
    /// otherwise.
    pub schedule_interval: Duration,
    /// How long a request waits for the queue. No variable sets it, because clients
    /// are promised an answer in time; tests do, on machines that are too busy.
    pub patience: Duration,
    /// How long open requests may take to finish at shutdown.
    pub shutdown_grace: Duration,
    /// Whether a Redis that can lose or evict jobs counts as ready.
    pub allow_unsafe_redis: bool,
}

impl Arguments {
    /// Judges everything that was given, and returns all mistakes at once.
    pub fn check(&self) -> Result<Settings, Mistakes> {
        let mut mistakes = Mistakes::default();
        let redis = self.redis.check(&mut mistakes);
        let listen = mistakes.parse_listen("LISTEN", &self.listen);
        let settings = Settings {
            listen,
            operator_listen: self.doors.check_operator_listen(&mut mistakes),
            api: self.check_api(listen, redis.allow_unsafe, &mut mistakes),
            redis,
            limits: self.limits.check(&mut mistakes),
            telemetry: self.telemetry.check(&mut mistakes),
        };
        mistakes.judge(settings)
    }

    /// Judges nothing but where to listen, which is all that asking a running
    /// API needs.
    pub fn check_listen(&self) -> Result<SocketAddr, Mistakes> {
        let mut mistakes = Mistakes::default();
        let listen = mistakes.parse_listen("LISTEN", &self.listen);
        mistakes.judge(listen)
    }

    fn check_api(
        &self,
        listen: SocketAddr,
        allow_unsafe_redis: bool,
        mistakes: &mut Mistakes,
    ) -> ApiSettings {
        ApiSettings {
            doors: self.doors.check(listen, mistakes),
            guard: self.guard.check(mistakes),
            schedule_interval: mistakes.parse_ms(
                "SCHEDULE_INTERVAL",
                &self.schedule_interval,
                Duration::ZERO..=DELAY_MAX,
            ),
            patience: BUDGET,
            shutdown_grace: mistakes.parse_ms(
                "SHUTDOWN_GRACE",
                &self.shutdown_grace,
                Duration::ZERO..=SHUTDOWN_GRACE_MAX,
            ),
            allow_unsafe_redis,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    fn check(arguments: &[&str]) -> Result<Settings, Mistakes> {
        Arguments::try_parse_from(["api"].iter().chain(arguments))
            .unwrap()
            .check()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_setting_the_api_is_hookme_s_on_loopback() {
        let settings = check(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:4001");
        assert_eq!(
            settings.api.schedule_interval,
            Duration::from_millis(10_800)
        );
        assert_eq!(settings.limits.live_jobs, None);
        assert_eq!(settings.redis.namespace, "hookme");
    }

    #[test]
    fn the_mistakes_of_one_start_are_shown_together() {
        let mistakes = check(&[
            "--listen=localhost",
            "--schedule-interval=3s",
            "--shutdown-grace=-1",
            "--redis-url=ftp://:canary@x",
            "--jobs-interval=0",
            "--rate-limit-max-simultaneous-jobs=lots",
            "--log-format=xml",
        ]);
        let shown = mistakes.unwrap_err().to_string();
        for variable in [
            "LISTEN",
            "SCHEDULE_INTERVAL",
            "SHUTDOWN_GRACE",
            "REDIS_URL",
            "JOBS_INTERVAL",
            "RATE_LIMIT_MAX_SIMULTANEOUS_JOBS",
            "LOG_FORMAT",
        ] {
            assert!(
                shown.contains(&format!("\n  {variable} must be ")),
                "{variable}: {shown}"
            );
        }
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_negative_limit_can_be_given_as_a_word_of_its_own() {
        let settings = check(&["--max-running-jobs", "-1", "--jobs-per-interval", "3"]).unwrap();
        assert_eq!(
            (settings.limits.running_jobs, settings.limits.starts),
            (None, Some(3))
        );
    }
}
