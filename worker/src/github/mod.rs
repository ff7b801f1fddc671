//! The one door to GitHub: every request of every job goes through [`Github`].
//!
//! Before a request is sent, the answers that are kept for all workers are looked at
//! (`answers.rs`), and the governor lets it start (`governor/`); what GitHub says about
//! its limits goes back to the governor (`sender.rs`). What an answer means is decided in
//! [`crate::policy::github`].

mod address;
mod answer;
mod answers;
mod create;
mod exchange;
mod governor;
mod help;
mod identity;
mod link;
mod patience;
mod sender;
mod shared;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::queue::{Class, Queue, Resource};
use hookme_shared::supervisor::Supervisor;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use self::address::Address;
pub use self::answer::{Answer, Failure, Graphql, Outlook};
use self::answers::Asking;
pub use self::create::{ContentPermit, Created};
use self::exchange::Source;
pub use self::patience::{PATIENCE, Patience};
use self::sender::Sender;
use self::shared::Shared;
use self::wire::{Reply, Wire};
use crate::http::ClientError;
use crate::metrics::Metrics;
use crate::policy::github::{self, GraphqlReading, Reading};
use crate::settings::github::GithubSettings;

/// Redirects followed for one request; one more ends the job. A renamed repository
/// takes one.
pub const REDIRECTS_MAX: usize = 3;

/// Asks the configured GitHub.
pub struct Github {
    address: Address,
    sender: Sender,
    has_token: bool,
    timeout: Duration,
    shared: Option<Shared>,
}

/// The right to ask for something that others want too, until it is dropped.
#[must_use]
pub struct Turn(#[expect(dead_code, reason = "it is held, and dropped")] Option<Box<Asking>>);

impl Github {
    /// A door that shares nothing with anybody: no limits are kept, no answers.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub fn alone(settings: &GithubSettings) -> Result<Self, ClientError> {
        Ok(Self {
            address: Address {
                base: settings.api_url.clone(),
            },
            sender: Sender {
                wire: Wire::new(settings)?,
                metrics: Arc::default(),
            },
            has_token: settings.authorization.is_some(),
            timeout: settings.timeout,
            shared: None,
        })
    }

    /// The door of one of many workers, who act as one client. The `supervisor` starts its
    /// tasks, which end after it was dropped.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub async fn shared(
        settings: &GithubSettings,
        queue: Queue,
        worker: String,
        metrics: Arc<Metrics>,
        supervisor: Supervisor,
    ) -> Result<Self, ClientError> {
        let mut door = Self::alone(settings)?;
        door.sender.metrics = metrics;
        door.shared = Some(Shared::new(settings, queue, worker, supervisor).await);
        Ok(door)
    }

    /// What tells this door from one to another GitHub or with another token.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let token = self.shared.as_ref().map_or("", Shared::token);
        format!("{} {token}", self.address.base)
    }

    /// The longest that one request takes; what was sent before is not under way any more.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether GitHub is asked with a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.has_token
    }

    /// The address of `segments` under the API's base path; `None` if they cannot
    /// stand in an address as they are.
    #[must_use]
    pub fn url(&self, segments: &[&str]) -> Option<Url> {
        self.address.url(segments)
    }

    /// What the claim of jobs needs to know.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        self.shared
            .as_ref()
            .map(Shared::outlook)
            .unwrap_or_default()
    }

    /// Asks for `url`, which is about `subject` (for the reasons), and follows
    /// redirects within the origin.
    ///
    /// # Errors
    ///
    /// [`Failure`] says what can be done.
    pub async fn get(&self, subject: &str, url: Url) -> Result<Answer, Failure> {
        self.follow(subject, url, Source::KeptToo).await
    }

    /// The same, and what is kept of GitHub's answers is not used: for what may have
    /// changed since.
    ///
    /// # Errors
    ///
    /// [`Failure`] says what can be done.
    pub async fn get_anew(&self, subject: &str, url: Url) -> Result<Answer, Failure> {
        self.follow(subject, url, Source::GithubOnly).await
    }

    async fn follow(&self, subject: &str, url: Url, source: Source) -> Result<Answer, Failure> {
        let mut url = self.address.own(subject, url)?;
        for _ in 0..=REDIRECTS_MAX {
            let exchange = self.exchange(subject, &url, source).await?;
            match exchange.reading {
                Reading::Body | Reading::Created => {
                    let next = self.address.next(subject, &url, &exchange.headers)?;
                    let bytes = exchange.body;
                    return Ok(Answer::Body { bytes, next });
                }
                Reading::Empty => return Ok(Answer::Empty),
                Reading::TooLarge => return Ok(Answer::TooLarge),
                Reading::Moved { location, .. } => {
                    url = self.address.resolve(subject, &url, &location)?;
                }
                Reading::Unchanged => {
                    let reason = format!("GitHub said that {subject} is unchanged, unasked");
                    return Err(Failure::Later {
                        reason,
                        retry_after: None,
                    });
                }
                Reading::Final { reason } => return Err(Failure::Final { reason }),
                Reading::Later {
                    reason,
                    retry_after,
                } => {
                    return Err(Failure::Later {
                        reason,
                        retry_after,
                    });
                }
            }
        }
        let reason = format!("GitHub redirects {subject} more than {REDIRECTS_MAX} times");
        Err(Failure::Final { reason })
    }

    /// Sends a GraphQL query, which is about `subject` (for the reasons).
    ///
    /// # Errors
    ///
    /// [`Failure`] says what can be done.
    pub async fn graphql(
        &self,
        subject: &str,
        query: &serde_json::Value,
    ) -> Result<Graphql, Failure> {
        if !self.has_token {
            return Ok(Graphql::Unusable);
        }
        let mut request = Request::new(Method::POST, self.address.graphql());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        *request.body_mut() = Some(query.to_string().into());
        let permit = self
            .permit(Class::Read, Resource::Graphql, Patience::begin())
            .await?;
        let sent = self.sender.send(permit, subject, request).await?;
        let Reply {
            status,
            headers,
            body,
            ..
        } = &sent.reply;
        let reading = github::read_graphql(subject, *status, headers, body);
        let (reply, reading) = sent.settle(reading).await?;
        match reading {
            GraphqlReading::Data => Ok(Graphql::Data(reply.body)),
            GraphqlReading::TooHeavy => Ok(Graphql::TooHeavy(reply.body)),
            GraphqlReading::Unusable { reason } => {
                tracing::debug!(reason, "GraphQL cannot be used; REST is");
                Ok(Graphql::Unusable)
            }
            GraphqlReading::Later {
                reason,
                retry_after,
            } => Err(Failure::Later {
                reason,
                retry_after,
            }),
        }
    }

    /// The names that these accounts are known to show, by their ids: one answer for
    /// each, in order.
    ///
    /// # Errors
    ///
    /// [`Failure::Queue`] if Redis does not answer.
    pub async fn known_names(&self, ids: &[u64]) -> Result<Vec<Option<String>>, Failure> {
        match &self.shared {
            Some(shared) if !ids.is_empty() => shared.known_names(ids).await,
            _ => Ok(vec![None; ids.len()]),
        }
    }

    /// The turn to ask for the names of this account and those that follow it in its
    /// list; `None` while another job has it. It ends when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Failure::Queue`] if Redis does not answer.
    pub async fn turn_for_name(&self, id: u64) -> Result<Option<Turn>, Failure> {
        match &self.shared {
            Some(shared) => shared.turn_for_name(id).await,
            None => Ok(Some(Turn(None))),
        }
    }

    /// Remembers for all workers the names that accounts show.
    pub async fn remember_names(&self, names: &[(u64, String)]) {
        if let Some(shared) = &self.shared
            && !names.is_empty()
        {
            shared.remember_names(names).await;
        }
    }
}
