//! One GET: from what is kept of GitHub's answers, or else from GitHub.

use bytes::Bytes;
use hookme_shared::queue::{Class, Resource};
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::answers::{Asking, Kept, Known};
use super::governor::Permit;
use super::patience::Patience;
use super::{Failure, Github};
use crate::policy::caching;
use crate::policy::github::{self, Call, Reading};

/// Where a GET may have its answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// What is kept of GitHub's answers, or else GitHub.
    KeptToo,
    /// GitHub, asked for the whole.
    GithubOnly,
}

/// A GET's answer, new or kept.
pub(super) struct Exchange {
    pub(super) reading: Reading,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Github {
    /// One GET, answered by GitHub or by what is kept of its answers.
    pub(super) async fn exchange(
        &self,
        subject: &str,
        url: &Url,
        source: Source,
    ) -> Result<Exchange, Failure> {
        let patience = Patience::begin();
        let known = match &self.shared {
            Some(shared) if source == Source::KeptToo => shared.look(url, patience).await?,
            _ => Known::Unkept,
        };
        match known {
            Known::Fresh(kept) => {
                self.sender.metrics.used_again();
                Exchange::kept(subject, kept)
            }
            Known::Unkept => self.ask(subject, url, None, patience).await,
            Known::Ask(asking) => self.ask(subject, url, Some(*asking), patience).await,
        }
    }

    /// Asks GitHub, and keeps what it says with `asking`.
    async fn ask(
        &self,
        subject: &str,
        url: &Url,
        asking: Option<Asking>,
        patience: Patience,
    ) -> Result<Exchange, Failure> {
        let mut request = Request::new(Method::GET, url.clone());
        if let Some(asking) = &asking {
            *request.headers_mut() = asking.condition();
        }
        let permit = self.permit(Class::Read, Resource::Core, patience).await?;
        let sent = self.sender.send(permit, subject, request).await?;
        let reading = sent.read(subject);
        let (reply, reading) = sent.settle(reading).await?;
        let keeping = caching::keeping(reply.status, &reply.headers);
        match asking {
            Some(asking) if reading == Reading::Unchanged => {
                let fresh = keeping.map(|keeping| keeping.fresh_for).unwrap_or_default();
                if let Some(mut kept) = asking.confirm(fresh).await {
                    // A list may have grown a next page without a change of this one.
                    if let Some(link) = reply.headers.get(LINK) {
                        kept.headers.insert(LINK, link.clone());
                    }
                    return Exchange::kept(subject, kept);
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

    /// The permit for a request; none is needed where nothing is shared.
    pub(super) async fn permit(
        &self,
        class: Class,
        resource: Resource,
        patience: Patience,
    ) -> Result<Option<Permit>, Failure> {
        let Some(shared) = &self.shared else {
            return Ok(None);
        };
        let governor = shared.governor(&self.sender, &self.address, patience);
        let acquired = governor.await?.acquire(class, resource, patience);
        acquired.await.map(Some)
    }
}

impl Exchange {
    fn kept(subject: &str, kept: Kept) -> Result<Self, Failure> {
        let Kept {
            status,
            headers,
            body,
        } = kept;
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let reading = github::read(subject, Call::Read, status, &headers, &body);
        Ok(Self {
            reading: reading.map_err(|refusal| Failure::refused(refusal, None))?,
            headers,
            body: body.into(),
        })
    }
}
