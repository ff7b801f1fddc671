//! Step 6 of the line: POSTs a result to where it goes and tells how that ended.
//!
//! One attempt, and no more: whether and when there is another one is decided by
//! [`crate::policy`] and done by the worker's loop. The headers are those of the
//! Standard Webhooks specification: `webhook-id` is the same for every attempt of
//! one body, `webhook-timestamp` is the attempt's own.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hookme_shared::destination::{DEFAULT_ID, Destination};
use hookme_shared::guard::Guard;
use hookme_shared::hiding;
use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response};
use url::Url;

use crate::http::{self, ClientError};
use crate::last_answer;
use crate::policy::delivery;
use crate::report::Omissions;
use crate::settings::webhook::WebhookSettings;
use crate::signature::Signer;
use crate::vetting::{SystemLookup, Vetting};

pub use crate::policy::delivery::Delivery;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// There if deliveries are signed: a signature of each secret.
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Set to `unavailable` if GitHub does not list the contributors of a repository
/// this large; absent otherwise.
const HOOKME_CONTRIBUTORS: HeaderName = HeaderName::from_static("hookme-contributors");
/// The lists of a report that were longer than what is fetched, as `issues, contributors`;
/// absent if none was.
const HOOKME_TRUNCATED: HeaderName = HeaderName::from_static("hookme-truncated");

/// How much of the receiver's answer is read. It serves the reason of a failure,
/// and reading it to its end keeps the connection.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long the body of the receiver's answer may take once its status is known.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// Where a job's result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The URL and what is known of it.
    pub destination: Destination,
    /// Whether the operator set it, and not the client.
    pub is_default: bool,
}

impl Target {
    /// What tells it from others: the operator's has one id, wherever it leads.
    #[must_use]
    pub fn id(&self) -> String {
        if self.is_default {
            DEFAULT_ID.to_owned()
        } else {
            self.destination.id()
        }
    }
}

/// Delivers to the operator's webhook, and to places that clients named, which it
/// reaches only if they are public.
#[derive(Clone)]
pub struct Deliverer {
    trusted: Client,
    guarded: Client,
    guard: Arc<Guard>,
    default: Option<Destination>,
    headers: HeaderMap,
    signer: Option<Signer>,
    answer_time_max: Duration,
}

impl Deliverer {
    /// Sets up the clients; nothing is sent yet.
    pub fn new(settings: &WebhookSettings) -> Result<Self, ClientError> {
        Self::looking_up(settings, Arc::new(SystemLookup))
    }

    fn looking_up(
        settings: &WebhookSettings,
        lookup: Arc<dyn Resolve>,
    ) -> Result<Self, ClientError> {
        let guard = Arc::new(settings.guard.clone());
        let json = HeaderValue::from_static("application/json");
        let vetting = Vetting::new(Arc::clone(&guard), lookup);
        Ok(Self {
            trusted: http::webhook_client(settings.timeout)?,
            guarded: http::guarded_client(settings.timeout, vetting)?,
            guard,
            default: settings.url.clone().map(Destination::new),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            signer: settings.signer.clone(),
            answer_time_max: ANSWER_TIME_MAX,
        })
    }

    /// Where the result of a job goes that names this place, or none; `None` if it goes
    /// nowhere.
    #[must_use]
    pub fn target(&self, named: Option<&Destination>) -> Option<Target> {
        let is_default = named.is_none();
        let destination = named.or(self.default.as_ref())?.clone();
        Some(Target {
            destination,
            is_default,
        })
    }

    /// POSTs `body` under `webhook_id`, once.
    ///
    /// Takes at most the webhook's timeout. An answer with a 2xx status is a
    /// success whatever happens to its body. A [`Delivery::Retry`] without an
    /// answer may have been received all the same.
    pub async fn deliver(
        &self,
        target: &Target,
        webhook_id: &str,
        body: Bytes,
        omissions: Omissions,
    ) -> Delivery {
        let url = target.destination.url();
        let client = if target.is_default {
            &self.trusted
        } else if let Err(refusal) = self.guard.judge(url) {
            return Delivery::Final {
                reason: format!("webhook_url is not sent to: {refusal}"),
            };
        } else {
            &self.guarded
        };
        let Ok(id) = HeaderValue::from_str(webhook_id) else {
            return Delivery::Final {
                reason: "the webhook-id cannot stand in a header".to_owned(),
            };
        };
        let request = self.request(url, id, body, omissions);
        last_answer::forget();
        match client.execute(request).await {
            Ok(response) => {
                last_answer::note(response.status());
                self.read_answer(url, response).await
            }
            Err(error) => Delivery::Retry {
                status: None,
                reason: format!("the webhook did not answer: {}", http::describe(error)),
                retry_after: None,
            },
        }
    }

    fn request(&self, url: &Url, id: HeaderValue, body: Bytes, omissions: Omissions) -> Request {
        let mut request = Request::new(Method::POST, url.clone());
        let timestamp = unix_seconds();
        let signer = self.signer.as_ref();
        let signature = signer.and_then(|signer| signer.sign(&id, timestamp, &body));
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(WEBHOOK_ID, id);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(timestamp));
        if let Some(signature) = signature {
            headers.insert(WEBHOOK_SIGNATURE, signature);
        }
        if omissions.contributors_unavailable {
            headers.insert(HOOKME_CONTRIBUTORS, HeaderValue::from_static("unavailable"));
        }
        let truncated = omissions.truncated.names().join(", ");
        if !truncated.is_empty()
            && let Ok(names) = HeaderValue::try_from(truncated)
        {
            headers.insert(HOOKME_TRUNCATED, names);
        }
        *request.body_mut() = Some(body.into());
        request
    }

    async fn read_answer(&self, url: &Url, mut response: Response) -> Delivery {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if response.content_length() == Some(0) {
            return delivery::read(status, &headers, b"");
        }
        let start = http::read_start(response, ANSWER_BYTES_MAX, self.answer_time_max).await;
        // A receiver may say what it was asked, and the words are cut after this.
        let start = hiding::hide(&start, &hiding::secrets_of(url));
        delivery::read(status, &headers, &start)
    }
}

/// The attempt's time, which the receiver checks against its own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the stamp on a delivery is the one place where the wall clock is asked for"
)]
fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests;
