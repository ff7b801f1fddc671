//! What clients may make the workers reach, as given.

use super::Mistakes;
use crate::guard::Guard;

/// The variables about places that clients name.
#[derive(Debug, Clone, clap::Args)]
pub struct GuardArguments {
    /// Networks that a task's `webhook_url` may lead to though they are not public, with
    /// commas between, as in `10.1.0.0/16,fd00:1::/32`
    #[arg(long, env, value_name = "NETWORKS", default_value = "")]
    webhook_allowed_cidrs: String,

    /// Whether a task's `webhook_url` may begin with http://
    #[arg(long, env, value_name = "BOOL", default_value = "false")]
    webhook_allow_http: String,
}

impl GuardArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> Guard {
        let given = self.webhook_allowed_cidrs.split(',').map(str::trim);
        let given = given.filter(|net| !net.is_empty());
        let allowed: Result<_, _> = given.map(str::parse).collect();
        Guard {
            allowed: allowed.unwrap_or_else(|_| {
                mistakes.add(
                    "WEBHOOK_ALLOWED_CIDRS",
                    "networks with commas between, like 10.1.0.0/16,fd00:1::/32",
                );
                Vec::new()
            }),
            allow_http: mistakes.parse_bool("WEBHOOK_ALLOW_HTTP", &self.webhook_allow_http),
        }
    }
}

impl Default for GuardArguments {
    fn default() -> Self {
        Self {
            webhook_allowed_cidrs: String::new(),
            webhook_allow_http: "false".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cidrs: &str, http: &str) -> (Guard, Mistakes) {
        let mut mistakes = Mistakes::default();
        let arguments = GuardArguments {
            webhook_allowed_cidrs: cidrs.to_owned(),
            webhook_allow_http: http.to_owned(),
        };
        (arguments.check(&mut mistakes), mistakes)
    }

    #[test]
    fn nothing_is_allowed_that_was_not_named() {
        let (guard, mistakes) = check("", "false");
        assert_eq!((guard, mistakes.is_empty()), (Guard::default(), true));
        let (guard, mistakes) = check("10.1.0.0/16, fd00:1::/32", "true");
        assert!(mistakes.is_empty() && guard.allow_http);
        assert_eq!(guard.allowed.len(), 2);
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        for cidrs in [
            "10.1.0.0",
            "10.1.0.0/33",
            "10.1/16",
            "internal",
            "10.1.0.0/16 10.2.0.0/16",
        ] {
            assert!(!check(cidrs, "false").1.is_empty(), "{cidrs}");
        }
        assert!(!check("", "perhaps").1.is_empty());
    }
}
