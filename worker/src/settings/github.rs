//! Where GitHub is, and how we ask it.

use std::time::Duration;

use hookme_shared::queue::Pace;
use hookme_shared::secret::Secret;
use hookme_shared::settings::Mistakes;
use reqwest::header::HeaderValue;
use url::Url;

use super::TIMEOUTS;
use super::pace::PaceArguments;

/// The variables about GitHub, as they were given.
#[derive(Debug, Clone, clap::Args)]
pub struct GithubArguments {
    /// GitHub's API; for GitHub Enterprise Server with its base path, as in
    /// <https://github.example.org/api/v3>
    #[arg(
        long,
        env,
        value_name = "URL",
        default_value = "https://api.github.com"
    )]
    pub api_url: String,

    /// GitHub's access token; without one GitHub allows 60 requests an hour
    #[arg(long, env, value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<Secret>,

    /// Whether pull requests, which GitHub lists among the issues, are reported
    /// as issues: true or false
    #[arg(long, env, value_name = "BOOL", default_value = "false")]
    pub include_pull_requests: String,

    /// The longest that one request to GitHub may take, in ms
    #[arg(long, env, value_name = "MS", default_value = "30000")]
    pub github_timeout: String,

    /// What GitHub's answers may take in Redis, for all workers to use again, in
    /// bytes; 0 keeps none
    #[arg(long, env, value_name = "BYTES", default_value = "67108864")]
    pub github_cache_max_bytes: String,

    #[command(flatten)]
    pace: PaceArguments,
}

/// Checked settings about GitHub.
#[derive(Debug, Clone)]
pub struct GithubSettings {
    /// The API's address; no query. Nothing is requested outside of its origin.
    pub api_url: Url,
    /// The `Authorization` header, marked as sensitive; `None` without a token.
    pub authorization: Option<HeaderValue>,
    /// Whether pull requests are reported as issues.
    pub include_pull_requests: bool,
    /// The longest that one request may take, with its body.
    pub timeout: Duration,
    /// What kept answers may take in Redis, in bytes; 0 keeps none.
    pub cache_max_bytes: u64,
    /// How fast all workers together may ask.
    pub pace: Pace,
}

impl GithubArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> Option<GithubSettings> {
        let api_url = mistakes.parse_http_url("API_URL", &self.api_url);
        if api_url.as_ref().is_some_and(|url| url.query().is_some()) {
            mistakes.add("API_URL", "a URL without a query");
        }
        let authorization = authorization(self.api_token.as_ref(), mistakes);
        let include_pull_requests =
            mistakes.parse_bool("INCLUDE_PULL_REQUESTS", &self.include_pull_requests);
        let timeout = mistakes.parse_ms("GITHUB_TIMEOUT", &self.github_timeout, TIMEOUTS);
        let cache_max_bytes = mistakes.parse_count(
            "GITHUB_CACHE_MAX_BYTES",
            &self.github_cache_max_bytes,
            0..=1 << 40,
        );
        let pace = self.pace.check(mistakes);
        Some(GithubSettings {
            api_url: api_url?,
            authorization,
            include_pull_requests,
            timeout,
            cache_max_bytes,
            pace,
        })
    }
}

/// The header's value; an empty token is none.
fn authorization(token: Option<&Secret>, mistakes: &mut Mistakes) -> Option<HeaderValue> {
    let token = token
        .map(Secret::expose)
        .filter(|token| !token.is_empty())?;
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    match HeaderValue::from_str(&format!("Bearer {token}")) {
        Ok(mut value) if visible => {
            value.set_sensitive(true);
            Some(value)
        }
        _ => {
            mistakes.add(
                "API_TOKEN",
                "a token of visible characters, without spaces or line ends",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        github: GithubArguments,
    }

    fn args(flags: &[&str]) -> GithubArguments {
        Program::parse_from([&["worker"], flags].concat()).github
    }

    fn checked(args: &GithubArguments) -> Result<GithubSettings, Mistakes> {
        let mut mistakes = Mistakes::default();
        let settings = args.check(&mut mistakes);
        mistakes.judge(settings).map(Option::unwrap)
    }

    #[test]
    fn the_defaults_are_github_itself_without_a_token() {
        let settings = checked(&args(&[])).unwrap();
        assert_eq!(settings.api_url.as_str(), "https://api.github.com/");
        assert_eq!(settings.authorization, None);
        assert!(!settings.include_pull_requests);
        assert_eq!(settings.timeout, Duration::from_secs(30));
    }

    #[test]
    fn an_empty_token_is_no_token() {
        assert_eq!(
            checked(&args(&["--api-token", ""])).unwrap().authorization,
            None
        );
    }

    #[test]
    fn a_token_becomes_a_header_that_does_not_show_itself() {
        let args = args(&["--api-token", "canary"]);
        let settings = checked(&args).unwrap();
        assert_eq!(settings.authorization.as_ref().unwrap(), "Bearer canary");
        let shown = format!("{args:?} {settings:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn all_mistakes_are_told_together_and_without_the_token() {
        let mistakes = checked(&args(&[
            "--api-url=ftp://x",
            "--api-token=canary\n",
            "--include-pull-requests=maybe",
            "--github-timeout=0",
        ]))
        .unwrap_err()
        .to_string();
        for variable in [
            "API_URL",
            "API_TOKEN",
            "INCLUDE_PULL_REQUESTS",
            "GITHUB_TIMEOUT",
        ] {
            assert!(
                mistakes.contains(&format!("\n  {variable} must be")),
                "{mistakes}"
            );
        }
        assert!(!mistakes.contains("canary"), "{mistakes}");
        assert!(checked(&args(&["--api-url=https://x.y/?a=b"])).is_err());
        assert!(checked(&args(&["--api-token=a b"])).is_err());
    }
}
