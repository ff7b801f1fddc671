//! The one door to GitHub: every request of every job goes through [`Github`].
//!
//! Before a request is sent, the answers that are kept for all workers are looked at
//! (`answers.rs`), and the governor lets it start (`governor.rs`); what GitHub says about its limits
//! goes back to the governor. What an answer means is decided in
//! [`crate::policy::github`].

mod address;
mod answers;
mod governor;
mod identity;
mod link;
mod shared;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookme_shared::queue::{Class, Identity, Queue, QueueError, Resource};
use reqwest::header::{CONTENT_TYPE, HeaderValue, LINK};
use reqwest::{Method, Request, StatusCode};
use tokio_util::task::TaskTracker;
use url::Url;

use self::address::Address;
use self::answers::{Asking, Kept, Known};
pub use self::governor::PATIENCE;
use self::governor::Permit;
use self::shared::Shared;
use self::wire::{Reply, Wire};
use crate::http::ClientError;
use crate::metrics::{Asked, Metrics};
use crate::policy::caching;
use crate::policy::github::{self, Call, GraphqlReading, PAUSE_MIN, Reading, Refusal};
use crate::settings::github::GithubSettings;

/// Redirects followed for one request; one more ends the job. A renamed repository
/// takes one.
const REDIRECTS_MAX: usize = 3;

/// Why GitHub gave no answer that can be used. The reasons name what was asked
/// about, and never a token or the query of an address.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Asking again will not help.
    #[error("{reason}")]
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// It failed; ask again later.
    #[error("{reason}")]
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if GitHub's answer or its rules say one.
        retry_after: Option<Duration>,
    },
    /// It may not be asked now. No fault of the job.
    #[error("{reason}")]
    Wait {
        /// How long.
        delay: Duration,
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Redis did not say whether it may be asked, and so it was not.
    #[error(transparent)]
    Queue(QueueError),
}

/// What GitHub answered to a GET.
#[derive(Debug)]
pub enum Answer {
    /// The body, and the next page if it names one.
    Body {
        /// The bytes of the body.
        bytes: Bytes,
        /// Where the list goes on.
        next: Option<Url>,
    },
    /// Nothing, and that is the answer.
    Empty,
    /// The contributors are too many to be listed.
    TooLarge,
}

/// What GitHub answered to a GraphQL query.
#[derive(Debug)]
pub enum Graphql {
    /// The answer's body.
    Data(Bytes),
    /// The query asks for too much; this body may hold a part of it.
    TooHeavy(Bytes),
    /// This token or this GitHub does not take the query.
    Unusable,
}

/// What the claim of jobs needs to know about GitHub.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Whose limits fetches count against; `None` if nothing is shared.
    pub identity: Option<Identity>,
    /// Whether jobs of this process wait for their turn as it is.
    pub crowded: bool,
}

/// Asks the configured GitHub.
pub struct Github {
    address: Address,
    wire: Wire,
    has_token: bool,
    metrics: Arc<Metrics>,
    shared: Option<Shared>,
}

/// The right to ask for something that others want too, until it is dropped.
#[must_use]
pub struct Turn(#[expect(dead_code, reason = "it is held, and dropped")] Option<Box<Asking>>);

/// A GET's answer, new or kept.
struct Exchange {
    reading: Reading,
    headers: reqwest::header::HeaderMap,
    body: Bytes,
}

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
            wire: Wire::new(settings)?,
            has_token: settings.authorization.is_some(),
            metrics: Arc::default(),
            shared: None,
        })
    }

    /// The door of one of many workers, who act as one client. Its tasks run on
    /// `tracker` and end after it was dropped.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub async fn shared(
        settings: &GithubSettings,
        queue: Queue,
        worker: String,
        metrics: Arc<Metrics>,
        tracker: TaskTracker,
    ) -> Result<Self, ClientError> {
        let mut door = Self::alone(settings)?;
        door.metrics = metrics;
        door.shared = Some(Shared::new(settings, queue, worker, tracker).await);
        Ok(door)
    }

    /// What tells this door from one to another GitHub or with another token.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let token = self.shared.as_ref().map_or("", Shared::token);
        format!("{} {token}", self.address.base)
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
        let mut url = self.address.own(subject, url)?;
        for _ in 0..=REDIRECTS_MAX {
            let exchange = self.exchange(subject, &url).await?;
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
                Reading::Refused(refusal) => return Err(waiting(refusal, None)),
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
        let (permit, reply) = self.send(subject, Resource::Graphql, request).await?;
        let reading = github::read_graphql(subject, reply.status, &reply.headers, &reply.body);
        let refusal = match &reading {
            GraphqlReading::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let wait = self.settle(permit, &reply, refusal).await;
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
            GraphqlReading::Refused(refusal) => Err(waiting(refusal, wait)),
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

    /// One GET, answered by GitHub or by what is kept of its answers.
    async fn exchange(&self, subject: &str, url: &Url) -> Result<Exchange, Failure> {
        let known = match &self.shared {
            Some(shared) => shared.look(url).await?,
            None => Known::Unkept,
        };
        match known {
            Known::Fresh(kept) => {
                self.metrics.used_again();
                Ok(Exchange::kept(subject, kept))
            }
            Known::Unkept => self.ask(subject, url, None).await,
            Known::Ask(asking) => self.ask(subject, url, Some(*asking)).await,
        }
    }

    /// Asks GitHub, and keeps what it says with `asking`.
    async fn ask(
        &self,
        subject: &str,
        url: &Url,
        asking: Option<Asking>,
    ) -> Result<Exchange, Failure> {
        let mut request = Request::new(Method::GET, url.clone());
        if let Some(asking) = &asking {
            *request.headers_mut() = asking.condition();
        }
        let (permit, reply) = self.send(subject, Resource::Core, request).await?;
        let reading = github::read(
            subject,
            Call::Read,
            reply.status,
            &reply.headers,
            &reply.body,
        );
        let refusal = match &reading {
            Reading::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let wait = self.settle(permit, &reply, refusal).await;
        if let Reading::Refused(refusal) = reading {
            return Err(waiting(refusal, wait));
        }
        let keeping = caching::keeping(reply.status, &reply.headers);
        match asking {
            Some(asking) if reading == Reading::Unchanged => {
                let fresh = keeping.map(|keeping| keeping.fresh_for).unwrap_or_default();
                if let Some(mut kept) = asking.confirm(fresh).await {
                    // A list may have grown a next page without a change of this one.
                    if let Some(link) = reply.headers.get(LINK) {
                        kept.headers.insert(LINK, link.clone());
                    }
                    return Ok(Exchange::kept(subject, kept));
                }
            }
            Some(asking) => {
                let status = reply.status.as_u16();
                asking
                    .keep(keeping.as_ref(), status, &reply.headers, &reply.body)
                    .await;
            }
            None => {}
        }
        Ok(Exchange {
            reading,
            headers: reply.headers,
            body: reply.body,
        })
    }

    /// Sends one request once it may start.
    async fn send(
        &self,
        subject: &str,
        resource: Resource,
        request: Request,
    ) -> Result<(Option<Permit>, Reply), Failure> {
        let permit = match &self.shared {
            Some(shared) => {
                let governor = shared.governor(&self.wire, &self.address).await?;
                Some(governor.acquire(Class::Read, resource).await?)
            }
            None => None,
        };
        let reply = self.wire.send(subject, request).await;
        if reply.is_err() {
            self.metrics.asked_github(Asked::Failed);
        }
        Ok((permit, reply?))
    }

    /// Gives a permit back with what the answer said, and counts it. Returns how long
    /// everybody waits because of a refusal, if Redis could say.
    async fn settle(
        &self,
        permit: Option<Permit>,
        reply: &Reply,
        refusal: Option<&Refusal>,
    ) -> Option<Duration> {
        self.metrics.asked_github(match refusal {
            Some(_) => Asked::Refused,
            None if reply.status == StatusCode::NOT_MODIFIED => Asked::Unchanged,
            None => Asked::Answered,
        });
        shared::settle(permit?, reply, refusal).await
    }
}

impl Exchange {
    fn kept(subject: &str, kept: Kept) -> Self {
        let Kept {
            status,
            headers,
            body,
        } = kept;
        let status = StatusCode::from_u16(status).unwrap_or_default();
        Self {
            reading: github::read(subject, Call::Read, status, &headers, &body),
            headers,
            body: body.into(),
        }
    }
}

/// What a refusal means for the job that met it: it waits like everybody.
fn waiting(refusal: Refusal, wait: Option<Duration>) -> Failure {
    Failure::Wait {
        delay: wait.or(refusal.wait).unwrap_or(PAUSE_MIN),
        reason: refusal.reason,
    }
}
