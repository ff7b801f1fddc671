//! One request that creates a comment, and what is certain of it afterwards.
//!
//! A call is one request. Whoever does not know whether the comment exists has to look,
//! and does not guess; whoever is told of another address notes a new attempt first.

use bytes::Bytes;
use hookme_shared::queue::{Class, Resource};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::json;
use url::Url;

use super::governor::Permit;
use super::patience::Patience;
use super::{Failure, Github};
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
    /// It does not exist: GitHub has this address for it, within the origin.
    Moved(Url),
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

    /// Waits for the right to send a comment to the address that GitHub has for it. Its
    /// turn among the comments was that of its first request, which made none.
    ///
    /// # Errors
    ///
    /// Those of [`Github::content_permit`].
    pub async fn moved_permit(&self) -> Result<ContentPermit, Failure> {
        let permit = self.permit(Class::Write, Resource::Core, Patience::begin());
        Ok(ContentPermit(permit.await?))
    }

    /// Sends one request that creates a comment with this text at `url`, which is about
    /// `subject` (for the reasons).
    pub async fn create_comment(
        &self,
        permit: ContentPermit,
        subject: &str,
        url: &Url,
        text: &str,
    ) -> Created {
        let body = json!({ "body": text }).to_string();
        let mut request = Request::new(Method::POST, url.clone());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        *request.body_mut() = Some(body.into());
        let sent = match self.sender.send(permit.0, subject, request).await {
            Ok(sent) => sent,
            // Whatever broke, GitHub may have had it before.
            Err(failure) => return unclear(&failure),
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
            Err(refused) => return Created::Not(refused),
        };
        match reading {
            Reading::Created => Created::Made(reply.body),
            Reading::Moved { location, .. } => {
                let moved = self.address.resolve(subject, url, &location);
                moved.map_or_else(Created::Not, Created::Moved)
            }
            Reading::Final { reason } => Created::Not(Failure::Final { reason }),
            Reading::Later { reason, .. } => Created::Unclear { reason },
            Reading::Body | Reading::Empty | Reading::Unchanged | Reading::TooLarge => {
                let status = reply.status.as_u16();
                let reason = format!("GitHub did not say that it made {subject} ({status})");
                Created::Unclear { reason }
            }
        }
    }
}

fn unclear(failure: &Failure) -> Created {
    Created::Unclear {
        reason: failure.to_string(),
    }
}
