//! One request that creates a comment, and what is certain of it afterwards.
//!
//! Nothing is sent twice here but what GitHub sent elsewhere. Whoever does not know
//! whether the comment exists has to look, and does not guess.

use bytes::Bytes;
use hookme_shared::queue::{Class, Resource};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::json;
use url::Url;

use super::governor::Permit;
use super::patience::Patience;
use super::{Failure, Github, REDIRECTS_MAX};
use crate::policy::github::{self, Call, Reading};

/// The right to create one comment, now.
#[must_use]
pub struct ContentPermit(Option<Permit>);

/// What is certain of a comment after it was sent.
#[derive(Debug)]
pub enum Created {
    /// It exists; this is GitHub's description of it.
    Made(Bytes),
    /// It does not exist.
    Not(Failure),
    /// It may exist.
    Unclear {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
}

impl Github {
    /// Waits for the right to create a comment.
    ///
    /// # Errors
    ///
    /// [`Failure::Wait`] if that would take long, [`Failure::Queue`] if Redis does not
    /// answer.
    pub async fn content_permit(&self) -> Result<ContentPermit, Failure> {
        let permit = self.permit(Class::Content, Resource::Core, Patience::begin());
        Ok(ContentPermit(permit.await?))
    }

    /// Creates a comment with this text at `url`, which is about `subject` (for the
    /// reasons). Where GitHub sends it to another address within the origin, it was not
    /// created at the first, and is sent there.
    pub async fn create_comment(
        &self,
        permit: ContentPermit,
        subject: &str,
        url: Url,
        text: &str,
    ) -> Created {
        let body = json!({ "body": text }).to_string();
        let (mut permit, mut url) = (permit, url);
        for _ in 0..=REDIRECTS_MAX {
            let created = self.create_once(permit, subject, &url, body.clone()).await;
            let location = match created {
                Ok(created) => return created,
                Err(location) => location,
            };
            url = match self.address.resolve(subject, &url, &location) {
                Ok(url) => url,
                Err(failure) => return Created::Not(failure),
            };
            permit = match self.content_permit().await {
                Ok(permit) => permit,
                Err(failure) => return Created::Not(failure),
            };
        }
        let reason = format!("GitHub redirects {subject} more than {REDIRECTS_MAX} times");
        Created::Not(Failure::Final { reason })
    }

    /// Sends it once; an error is the address that GitHub sends it to.
    async fn create_once(
        &self,
        permit: ContentPermit,
        subject: &str,
        url: &Url,
        body: String,
    ) -> Result<Created, String> {
        let mut request = Request::new(Method::POST, url.clone());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        *request.body_mut() = Some(body.into());
        let sent = match self.sender.send(permit.0, subject, request).await {
            Ok(sent) => sent,
            // Whatever broke, GitHub may have had it before.
            Err(failure) => return Ok(unclear(&failure)),
        };
        let reply = &sent.reply;
        let reading = github::read(
            subject,
            Call::Create,
            reply.status,
            &reply.headers,
            &reply.body,
        );
        let (reply, reading) = match sent.settle(reading).await {
            Ok(settled) => settled,
            Err(refused) => return Ok(Created::Not(refused)),
        };
        Ok(match reading {
            Reading::Created => Created::Made(reply.body),
            Reading::Moved { location, .. } => return Err(location),
            Reading::Final { reason } => Created::Not(Failure::Final { reason }),
            Reading::Later { reason, .. } => Created::Unclear { reason },
            Reading::Body | Reading::Empty | Reading::Unchanged | Reading::TooLarge => {
                let status = reply.status.as_u16();
                let reason = format!("GitHub did not say that it made {subject} ({status})");
                Created::Unclear { reason }
            }
        })
    }
}

fn unclear(failure: &Failure) -> Created {
    Created::Unclear {
        reason: failure.to_string(),
    }
}
