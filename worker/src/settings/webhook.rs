//! Where reports go.

use std::fmt;
use std::time::Duration;

use hookme_shared::guard::Guard;
use hookme_shared::secret::Secret;
use hookme_shared::settings::{GuardArguments, Mistakes};
use url::Url;

use super::TIMEOUTS;
use crate::signature::{EXPECTED, Signer};

/// The largest value that Redis stores in one key, in bytes.
const REDIS_VALUE_MAX: u64 = 512 * 1024 * 1024;

/// The most deliveries at once that can be asked for.
const IN_FLIGHT_MAX: u64 = 100_000;

/// What `WEBHOOK_URL` is where there is no webhook. To leave it out is a mistake, as
/// reports would have nowhere to go.
const NO_WEBHOOK: &str = "none";

/// The variables about the webhook, as they were given.
#[derive(Debug, Clone, clap::Args)]
pub struct WebhookArguments {
    /// Where reports are sent, and word of feedback (required); none: nowhere, and
    /// tasks of feedback only
    #[arg(long, env, value_name = "URL", hide_env_values = true)]
    pub webhook_url: Option<Secret>,

    /// The secrets that deliveries are signed with, with commas between: the new one and
    /// the old one while they are changed; none given: unsigned
    #[arg(long, env, value_name = "SECRETS", hide_env_values = true)]
    pub webhook_secrets: Option<Secret>,

    /// What of the places that tasks name may be reached
    #[command(flatten)]
    pub guard: GuardArguments,

    /// The longest that one delivery may take, in ms
    #[arg(long, env, value_name = "MS", default_value = "15000")]
    pub webhook_timeout: String,

    /// How many deliveries may be under way to one origin, over all workers; 0 is no limit
    #[arg(long, env, value_name = "DELIVERIES", default_value = "32")]
    pub webhook_in_flight: String,

    /// The largest report, in bytes
    #[arg(long, env, value_name = "BYTES", default_value = "16777216")]
    pub report_max_bytes: String,
}

/// Checked settings about the webhook. `Debug` shows only the URL's origin.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where reports are sent, and word of feedback; `None`: nowhere. Its query may hold
    /// a secret.
    pub url: Option<Url>,
    /// What of the places that tasks name may be reached.
    pub guard: Guard,
    /// Signs deliveries; `None`: they are not signed.
    pub signer: Option<Signer>,
    /// The longest that one delivery may take, with the answer's body.
    pub timeout: Duration,
    /// Deliveries at once to one origin, over all workers; 0 is no limit.
    pub in_flight: u32,
    /// The largest report, in bytes of its body.
    pub report_max_bytes: usize,
}

impl WebhookArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> Option<WebhookSettings> {
        let given = self.webhook_url.as_ref().map_or("", Secret::expose);
        let guard = self.guard.check(mistakes);
        let url = match given {
            NO_WEBHOOK => Some(None),
            "" => {
                let either = "where reports are sent, an http or https URL; or none, if only feedback is to be done";
                mistakes.add("WEBHOOK_URL", either);
                None
            }
            url => mistakes.parse_http_url("WEBHOOK_URL", url).map(Some),
        };
        let secrets = self.webhook_secrets.as_ref().map_or("", Secret::expose);
        let signer = Signer::parse(secrets);
        if signer.is_none() && !secrets.is_empty() {
            mistakes.add("WEBHOOK_SECRETS", EXPECTED);
        }
        let timeout = mistakes.parse_ms("WEBHOOK_TIMEOUT", &self.webhook_timeout, TIMEOUTS);
        let in_flight = mistakes.parse_count(
            "WEBHOOK_IN_FLIGHT",
            &self.webhook_in_flight,
            0..=IN_FLIGHT_MAX,
        );
        let bytes = mistakes.parse_count(
            "REPORT_MAX_BYTES",
            &self.report_max_bytes,
            1..=REDIS_VALUE_MAX,
        );
        let report_max_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Some(WebhookSettings {
            url: url?,
            guard,
            signer,
            timeout,
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            report_max_bytes,
        })
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("WebhookSettings");
        let origin = |url: &Url| url.origin().ascii_serialization();
        shown.field("url", &self.url.as_ref().map(origin));
        shown.field("guard", &self.guard);
        shown.field("signer", &self.signer);
        shown.field("timeout", &self.timeout);
        shown.field("in_flight", &self.in_flight);
        shown
            .field("report_max_bytes", &self.report_max_bytes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: Option<&str>, timeout: &str, bytes: &str) -> WebhookArguments {
        WebhookArguments {
            webhook_url: url.map(|url| Secret::from(url.to_owned())),
            webhook_secrets: Some(Secret::from(String::new())),
            guard: GuardArguments::default(),
            webhook_timeout: timeout.to_owned(),
            webhook_in_flight: "32".to_owned(),
            report_max_bytes: bytes.to_owned(),
        }
    }

    fn checked(args: &WebhookArguments) -> Result<WebhookSettings, Mistakes> {
        let mut mistakes = Mistakes::default();
        let settings = args.check(&mut mistakes);
        mistakes.judge(settings).map(Option::unwrap)
    }

    #[test]
    fn a_private_address_and_a_query_are_the_operators_choice() {
        let settings = checked(&args(
            Some("http://10.0.0.1:8080/hook?key=1"),
            "250",
            "1024",
        ))
        .unwrap();
        let url = settings.url.unwrap();
        assert_eq!(url.as_str(), "http://10.0.0.1:8080/hook?key=1");
        assert_eq!(settings.timeout, Duration::from_millis(250));
        assert_eq!(settings.report_max_bytes, 1024);
    }

    #[test]
    fn that_there_is_no_webhook_is_said_and_not_left_out() {
        let checked = |url| checked(&args(url, "250", "1024"));
        assert_eq!(checked(Some("none")).unwrap().url, None);
        for left_out in [Some(""), None] {
            let told = checked(left_out).unwrap_err().to_string();
            assert!(told.contains("or none, if only feedback"), "{told}");
        }
    }

    #[test]
    fn a_secret_in_the_urls_query_is_not_shown() {
        let args = args(Some("http://10.0.0.1/hook?key=canary"), "250", "1024");
        let shown = format!("{args:?} {:?}", checked(&args).unwrap());
        assert!(
            shown.contains("http://10.0.0.1") && !shown.contains("canary"),
            "{shown}"
        );
    }

    #[test]
    fn all_mistakes_are_told_together_and_no_secret_with_them() {
        let mut args = args(None, "soon", "0");
        args.webhook_secrets = Some(Secret::from("canary".to_owned()));
        let mistakes = checked(&args).unwrap_err().to_string();
        assert!(!mistakes.contains("canary") && !format!("{args:?}").contains("canary"));
        for variable in [
            "WEBHOOK_URL",
            "WEBHOOK_SECRETS",
            "WEBHOOK_TIMEOUT",
            "REPORT_MAX_BYTES",
        ] {
            assert!(
                mistakes.contains(&format!("\n  {variable} must be")),
                "{mistakes}"
            );
        }
    }
}
