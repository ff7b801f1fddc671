//! The settings that say who may come in, where, and how often.

use std::net::SocketAddr;

use hookme_shared::keyless::AllowedHosts;
use hookme_shared::secret::Secret;
use hookme_shared::settings::{HostArguments, Mistakes};

use crate::bucket::Rate;
use crate::keys::Keys;

/// Who may come in, as given.
#[derive(Debug, Clone, clap::Args)]
pub struct DoorArguments {
    /// The keys of the API's clients, with commas between them: `<id>:<SHA-256 of the
    /// key>`, or `<id>:<SHA-256>:operator` for a key that may do everything.
    #[arg(
        long,
        env = "API_KEYS",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    api_keys: Secret,

    /// Whether anybody may do everything where no `API_KEYS` are set, though LISTEN is
    /// no loopback address.
    #[arg(long, env = "ALLOW_ANONYMOUS", default_value = "false")]
    allow_anonymous: String,

    /// How many requests there may be with one key in a second, and at once after a
    /// quiet second; 0 or less is no limit. Each process counts for itself.
    #[arg(
        long,
        env = "REQUESTS_PER_KEY",
        default_value = "1000",
        allow_hyphen_values = true
    )]
    requests_per_key: String,

    /// The address and port that only operators reach: everything is served there
    /// without a key, and `/metrics` and the operator's routes nowhere else.
    #[arg(long, env = "OPERATOR_LISTEN")]
    operator_listen: Option<String>,

    #[command(flatten)]
    hosts: HostArguments,
}

/// The rules by which requests come in.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// The keys that are known. Without any, nobody is asked for one at LISTEN.
    pub keys: Keys,
    /// How fast the requests of one key may come; `None` is no limit.
    pub rate: Option<Rate>,
    /// The hosts that are answered to where no key is asked for.
    pub allowed_hosts: AllowedHosts,
}

impl DoorArguments {
    /// Judges what was given for an API that is to listen at `listen`. The result
    /// counts only if `mistakes` stays empty.
    pub(super) fn check(&self, listen: SocketAddr, mistakes: &mut Mistakes) -> Doors {
        let keys = self.api_keys.expose().parse().unwrap_or_else(|error| {
            mistakes.add("API_KEYS", error);
            Keys::default()
        });
        let allow_anonymous = mistakes.parse_bool("ALLOW_ANONYMOUS", &self.allow_anonymous);
        let is_given = !self.api_keys.expose().trim().is_empty();
        if !is_given && !allow_anonymous && !listen.ip().to_canonical().is_loopback() {
            mistakes.add(
                "API_KEYS",
                "set, as others can reach LISTEN (README.md, \"Keys\", shows how to make one); or listen on 127.0.0.1; or set ALLOW_ANONYMOUS=true if whoever reaches LISTEN may do everything",
            );
        }
        Doors {
            keys,
            rate: self.check_rate(mistakes),
            allowed_hosts: self.hosts.check(mistakes),
        }
    }

    fn check_rate(&self, mistakes: &mut Mistakes) -> Option<Rate> {
        let per_second = mistakes.parse_limit("REQUESTS_PER_KEY", &self.requests_per_key)?;
        let rate = u32::try_from(per_second).ok().and_then(Rate::new);
        if rate.is_none() {
            mistakes.add(
                "REQUESTS_PER_KEY",
                format_args!("at most {}; 0 or less is no limit", Rate::MAX),
            );
        }
        rate
    }

    /// Where only operators come in; `None` if nothing is given.
    pub(super) fn check_operator_listen(&self, mistakes: &mut Mistakes) -> Option<SocketAddr> {
        let given = self.operator_listen.as_deref()?;
        // What an environment file leaves empty is not set.
        let given = Some(given.trim()).filter(|given| !given.is_empty())?;
        Some(mistakes.parse_listen("OPERATOR_LISTEN", given))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::settings::{Arguments, Settings};

    const HASH: &str = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";

    fn check(arguments: &[&str]) -> Result<Settings, String> {
        let arguments = Arguments::try_parse_from(["api"].iter().chain(arguments)).unwrap();
        arguments.check().map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn without_keys_nothing_but_this_machine_is_listened_to_unless_that_is_wanted() {
        for listen in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            let settings = check(&["--listen", listen]).unwrap();
            assert!(settings.api.doors.keys.is_empty(), "{listen}");
        }
        for listen in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            let told = check(&["--listen", listen]).unwrap_err();
            for word in ["API_KEYS must be set", "127.0.0.1", "ALLOW_ANONYMOUS=true"] {
                assert!(told.contains(word), "{listen}: {told}");
            }
            check(&["--listen", listen, "--allow-anonymous=true"]).unwrap();
            let keys = format!("--api-keys=ci:{HASH}");
            check(&["--listen", listen, &keys]).unwrap();
        }
    }

    #[test]
    fn where_there_are_keys_they_are_asked_for_though_anybody_was_allowed() {
        let keys = format!(
            "--api-keys=ci:{HASH},ops:{}:operator",
            HASH.replace('1', "2")
        );
        let settings = check(&[&keys, "--allow-anonymous=true"]).unwrap();
        assert_eq!(settings.api.doors.keys.len(), 2);
    }

    #[test]
    fn a_key_in_the_place_of_its_hash_is_refused_once_and_not_shown() {
        let told = check(&["--api-keys=ci:canary", "--listen=0.0.0.0:1"]).unwrap_err();
        assert_eq!(told.matches("API_KEYS must be").count(), 1, "{told}");
        assert!(!told.contains("canary"), "{told}");
        let arguments = Arguments::try_parse_from(["api", "--api-keys=ci:canary"]).unwrap();
        assert!(!format!("{arguments:?}").contains("canary"));
    }

    #[test]
    fn a_rate_of_zero_or_less_is_none_and_one_that_is_too_high_is_a_mistake() {
        for none in ["0", "-1"] {
            let settings = check(&["--requests-per-key", none]).unwrap();
            assert_eq!(settings.api.doors.rate, None);
        }
        assert!(check(&[]).unwrap().api.doors.rate.is_some());
        for wrong in ["1000001", "many", "1.5"] {
            let told = check(&["--requests-per-key", wrong]).unwrap_err();
            assert!(told.contains("REQUESTS_PER_KEY must be"), "{told}");
        }
    }

    #[test]
    fn an_operator_s_address_that_is_left_empty_is_none() {
        assert_eq!(check(&[]).unwrap().operator_listen, None);
        assert_eq!(
            check(&["--operator-listen="]).unwrap().operator_listen,
            None
        );
        let settings = check(&["--operator-listen=127.0.0.1:7"]).unwrap();
        assert_eq!(settings.operator_listen.unwrap().port(), 7);
        let told = check(&["--operator-listen=here"]).unwrap_err();
        assert!(told.contains("OPERATOR_LISTEN must be"), "{told}");
    }
}
