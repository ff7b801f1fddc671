//! The settings that the API and the worker have in common, read and judged.
//!
//! Each group comes in two types. The *arguments* are what the command line or
//! the environment gave, as text; the *settings* are what the program works
//! with. `check` makes one from the other and writes down every [`Mistakes`]
//! on the way, so that a person sees all of them at the first start and not one
//! at a time. Nothing here opens a connection or has a default that another
//! file repeats.

mod guard;
mod hosts;
mod mistakes;

use std::path::Path;
use std::time::Duration;

pub use guard::GuardArguments;
pub use hosts::HostArguments;
pub use mistakes::Mistakes;

use crate::queue::{CertificateAuthority, Limits, is_redis_url};
use crate::secret::Secret;

/// The longest namespace, in characters.
const NAMESPACE_MAX: usize = 64;
/// The shortest and the longest `JOBS_INTERVAL`.
const JOBS_INTERVAL_MIN: Duration = Duration::from_millis(1);
const JOBS_INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Where Redis is, as given.
#[derive(Debug, Clone, clap::Args)]
pub struct RedisArguments {
    /// Where Redis is: `redis://[user:password@]host[:port][/database]`, or that of its
    /// Sentinels: `redis+sentinel://[user:password@]host[:port][,host[:port]]/service[/database]`.
    /// `rediss` and `rediss+sentinel` are the same with TLS.
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    redis_url: Secret,

    /// A file with the certificates, in PEM, of who vouches for a Redis with TLS; the
    /// system's list without it
    #[arg(long, env = "REDIS_CA_FILE", value_name = "FILE")]
    redis_ca_file: Option<String>,

    /// The first part of every key in Redis; one queue is one namespace.
    #[arg(long, env = "REDIS_NAMESPACE", default_value = "hookme")]
    redis_namespace: String,

    /// Whether to start with a Redis that can lose or evict jobs.
    #[arg(long, env = "ALLOW_UNSAFE_REDIS", default_value = "false")]
    allow_unsafe_redis: String,
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The address, which may hold a password.
    pub url: Secret,
    /// Who vouches for it, if not the system's list.
    pub certificate_authority: Option<CertificateAuthority>,
    /// The first part of every key.
    pub namespace: String,
    /// Whether a Redis that can lose or evict jobs is taken all the same.
    pub allow_unsafe: bool,
}

impl RedisArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> RedisSettings {
        if !is_redis_url(self.redis_url.expose()) {
            mistakes.add(
                "REDIS_URL",
                "an address like redis://[user:password@]host[:port][/database], or redis+sentinel://[user:password@]host[:port][,host[:port]]/service[/database]; rediss and rediss+sentinel are the same with TLS",
            );
        }
        if !is_namespace(&self.redis_namespace) {
            mistakes.add(
                "REDIS_NAMESPACE",
                format_args!("1 to {NAMESPACE_MAX} of the characters A-Z a-z 0-9 : _ -"),
            );
        }
        RedisSettings {
            url: self.redis_url.clone(),
            certificate_authority: self.check_authority(mistakes),
            namespace: self.redis_namespace.clone(),
            allow_unsafe: mistakes.parse_bool("ALLOW_UNSAFE_REDIS", &self.allow_unsafe_redis),
        }
    }

    fn check_authority(&self, mistakes: &mut Mistakes) -> Option<CertificateAuthority> {
        let file = self.redis_ca_file.as_deref();
        let file = file.filter(|file| !file.is_empty())?;
        let is_tls = self.redis_url.expose().starts_with("rediss");
        if !is_tls {
            mistakes.add("REDIS_CA_FILE", "left out where REDIS_URL has no TLS");
        }
        match CertificateAuthority::read(Path::new(file)) {
            Ok(authority) => Some(authority),
            Err(error) => {
                let expected = "the path of certificates in PEM";
                mistakes.add("REDIS_CA_FILE", format_args!("{expected}; {error}"));
                None
            }
        }
    }
}

/// Whether `text` can stand between the braces of a key's hash tag.
fn is_namespace(text: &str) -> bool {
    (1..=NAMESPACE_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte))
}

/// The limits of the whole queue, as given.
///
/// Every process of one namespace should be given the same.
#[derive(Debug, Clone, clap::Args)]
pub struct LimitArguments {
    /// How many jobs may be scheduled or running at once; 0 or less is no limit.
    #[arg(
        long,
        env = "RATE_LIMIT_MAX_SIMULTANEOUS_JOBS",
        default_value = "-1",
        allow_hyphen_values = true
    )]
    rate_limit_max_simultaneous_jobs: String,

    /// How many jobs may be running at once, over all workers; 0 or less is no
    /// limit.
    #[arg(
        long,
        env = "MAX_RUNNING_JOBS",
        default_value = "-1",
        allow_hyphen_values = true
    )]
    max_running_jobs: String,

    /// How many jobs may start in any `JOBS_INTERVAL`, over all workers; 0 or
    /// less is no limit.
    #[arg(
        long,
        env = "JOBS_PER_INTERVAL",
        default_value = "-1",
        allow_hyphen_values = true
    )]
    jobs_per_interval: String,

    /// The span that `JOBS_PER_INTERVAL` counts over, in ms.
    #[arg(long, env = "JOBS_INTERVAL", default_value = "1000")]
    jobs_interval: String,
}

impl LimitArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> Limits {
        Limits {
            live_jobs: mistakes.parse_limit(
                "RATE_LIMIT_MAX_SIMULTANEOUS_JOBS",
                &self.rate_limit_max_simultaneous_jobs,
            ),
            running_jobs: mistakes.parse_limit("MAX_RUNNING_JOBS", &self.max_running_jobs),
            starts: mistakes.parse_limit("JOBS_PER_INTERVAL", &self.jobs_per_interval),
            interval: mistakes.parse_ms(
                "JOBS_INTERVAL",
                &self.jobs_interval,
                JOBS_INTERVAL_MIN..=JOBS_INTERVAL_MAX,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(url: &str, namespace: &str, allow_unsafe: &str) -> RedisArguments {
        RedisArguments {
            redis_url: Secret::from(url.to_owned()),
            redis_ca_file: None,
            redis_namespace: namespace.to_owned(),
            allow_unsafe_redis: allow_unsafe.to_owned(),
        }
    }

    fn limits(simultaneous: &str, running: &str, starts: &str, interval: &str) -> LimitArguments {
        LimitArguments {
            rate_limit_max_simultaneous_jobs: simultaneous.to_owned(),
            max_running_jobs: running.to_owned(),
            jobs_per_interval: starts.to_owned(),
            jobs_interval: interval.to_owned(),
        }
    }

    #[test]
    fn zero_and_less_are_no_limit() {
        let mut mistakes = Mistakes::default();
        let checked = limits("0", "-1", "7", "250").check(&mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes}");
        assert_eq!(
            (checked.live_jobs, checked.running_jobs, checked.starts),
            (None, None, Some(7))
        );
        assert_eq!(checked.interval, Duration::from_millis(250));
    }

    #[test]
    fn the_mistakes_of_all_groups_are_shown_together() {
        let mut mistakes = Mistakes::default();
        let _settings = redis("http://x", "a b", "perhaps").check(&mut mistakes);
        let _limits = limits("many", "", "1.5", "0").check(&mut mistakes);
        let shown = mistakes.to_string();
        for variable in [
            "REDIS_URL",
            "REDIS_NAMESPACE",
            "ALLOW_UNSAFE_REDIS",
            "RATE_LIMIT_MAX_SIMULTANEOUS_JOBS",
            "MAX_RUNNING_JOBS",
            "JOBS_PER_INTERVAL",
            "JOBS_INTERVAL",
        ] {
            assert!(
                shown.contains(&format!("{variable} must be ")),
                "{variable}: {shown}"
            );
        }
    }

    #[test]
    fn a_password_in_the_address_is_never_shown() {
        let arguments = redis("redis://:canary@[", "hookme", "false");
        let mut mistakes = Mistakes::default();
        let settings = arguments.check(&mut mistakes);
        let shown = format!("{mistakes} {mistakes:?} {arguments:?} {settings:?}");
        assert!(!mistakes.is_empty());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_file_that_vouches_for_nothing_and_a_url_that_looks_at_no_certificate_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        let file = file.display().to_string();
        for (url, file) in [
            ("rediss://x", &*file),
            ("rediss://x", "no-such-file"),
            ("redis://x", &*file),
            ("rediss://x/#insecure", ""),
        ] {
            let mut arguments = redis(url, "hookme", "false");
            arguments.redis_ca_file = Some(file.to_owned());
            let mut mistakes = Mistakes::default();
            let _settings = arguments.check(&mut mistakes);
            let shown = mistakes.to_string();
            let variable = if file.is_empty() {
                "REDIS_URL"
            } else {
                "REDIS_CA_FILE"
            };
            assert!(
                shown.contains(&format!("{variable} must be ")),
                "{url} {file}: {shown}"
            );
        }
    }

    #[test]
    fn a_namespace_cannot_bend_a_key() {
        for namespace in ["hookme", "a:b_c-D9", &"x".repeat(64)] {
            assert!(is_namespace(namespace), "{namespace}");
        }
        for namespace in ["", "{a}", "a b", "a\n", "é", "*", &"x".repeat(65)] {
            assert!(!is_namespace(namespace), "{namespace:?}");
        }
    }
}
