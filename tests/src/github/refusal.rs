//! What GitHub says to whom it does not serve.
//!
//! Source: GitHub's documentation, "Rate limits for the REST API", "Rate limits and
//! query limits for the GraphQL API" and "Troubleshooting the REST API".

use hyper::StatusCode;
use hyper::header::{HeaderName, RETRY_AFTER};
use serde_json::json;

use super::access::Caller;
use super::answer::Answer;
use super::date::http_date;
use super::limiter::{Budget, Refusal};

/// What GitHub's limits are described by.
const LIMITS_PAGE: &str = "overview/rate-limits-for-the-rest-api";
const SECONDARY_PAGE: &str = "overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";

/// How a secondary refusal says for how long it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// `Retry-After` with seconds.
    Seconds,
    /// `Retry-After` with the date at which it is over.
    Date,
    /// `gh-limited-by`, which does not say how long.
    LimitedBy,
    /// No header: only the message says what it is.
    BodyOnly,
}

/// What refusals look like; GitHub knows many forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalStyle {
    /// The status of the primary limit's refusals, 403 or 429. GraphQL says 200.
    pub primary_status: u16,
    /// The status of the secondary limits' refusals, 403 or 429.
    pub secondary_status: u16,
    /// The headers of the secondary limits' refusals.
    pub hint: Hint,
    /// Whether a secondary refusal carries `x-ratelimit-*` too; some do not.
    pub with_allowance: bool,
}

impl Default for RefusalStyle {
    /// 403, with `Retry-After` in seconds for secondary limits.
    fn default() -> Self {
        Self {
            primary_status: 403,
            secondary_status: 403,
            hint: Hint::Seconds,
            with_allowance: true,
        }
    }
}

impl RefusalStyle {
    /// The refusal of a request that came at `now_ms`.
    pub(super) fn answer(
        self,
        (refusal, budget): (Refusal, Budget),
        caller: Caller,
        now_ms: u64,
        retry_after_seconds: Option<u64>,
    ) -> Answer {
        let mut answer = match (refusal, budget) {
            (Refusal::Primary, Budget::Graphql) => return graphql_primary(caller),
            (Refusal::Primary, Budget::Core) => Answer::error(
                status(self.primary_status),
                &primary_message(caller),
                LIMITS_PAGE,
            ),
            (Refusal::Secondary, _) => {
                let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID.";
                Answer::error(status(self.secondary_status), message, SECONDARY_PAGE)
            }
            (Refusal::Content, _) => {
                let message = "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.";
                Answer::error(status(self.secondary_status), message, SECONDARY_PAGE)
            }
        };
        if let Some(seconds) = retry_after_seconds {
            let limited_by = HeaderName::from_static("gh-limited-by");
            match self.hint {
                Hint::Seconds => answer.set(RETRY_AFTER, &seconds.to_string()),
                // A second has begun already; rounding up keeps the promise.
                Hint::Date => {
                    answer.set(RETRY_AFTER, &http_date(now_ms.div_ceil(1_000) + seconds));
                }
                Hint::LimitedBy => answer.set(limited_by, "points-per-minute"),
                Hint::BodyOnly => {}
            }
        }
        answer
    }
}

/// The answer to a token that is not valid, in the numbers of whom has none.
pub(super) fn bad_credentials() -> Answer {
    let mut answer = Answer::error(StatusCode::UNAUTHORIZED, "Bad credentials", "");
    answer.rates_without_token = true;
    answer
}

/// The answer to whom has to show a token for this.
pub(super) fn requires_authentication(documentation: &str) -> Answer {
    let message = "Requires authentication";
    let mut answer = Answer::error(StatusCode::UNAUTHORIZED, message, documentation);
    answer.rates_without_token = true;
    answer
}

fn graphql_primary(caller: Caller) -> Answer {
    let error = json!({ "type": "RATE_LIMITED", "message": primary_message(caller) });
    let body = json!({ "data": null, "errors": [error] });
    Answer::json(StatusCode::OK, body.to_string())
}

fn primary_message(caller: Caller) -> String {
    match caller {
        Caller::User(id) => format!("API rate limit exceeded for user ID {id}."),
        Caller::Anonymous | Caller::Refused => "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated requests get a higher rate limit.)".to_owned(),
    }
}

/// A status that HTTP does not know becomes a plain 500.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
