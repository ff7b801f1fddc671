//! Sends a request that may start, and tells what its answer says of the limits.
//!
//! What the answer means beside that is not decided here.

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::queue::Outcome;
use reqwest::{Request, StatusCode};

use super::Failure;
use super::governor::Permit;
use super::wire::{Reply, Wire};
use crate::metrics::{Asked, Metrics};
use crate::policy::github::{self, Call, Limit, Reading, Refusal};

/// Sends requests, and counts them.
pub(super) struct Sender {
    pub(super) wire: Wire,
    pub(super) metrics: Arc<Metrics>,
}

/// A request that was answered, and the permit that it was sent with.
pub(super) struct Sent<'a> {
    pub(super) reply: Reply,
    permit: Option<Permit>,
    metrics: &'a Metrics,
}

impl Sender {
    /// Sends `request`, which is about `subject` (for the reasons). Without a permit
    /// nothing is governed.
    pub(super) async fn send(
        &self,
        permit: Option<Permit>,
        subject: &str,
        request: Request,
    ) -> Result<Sent<'_>, Failure> {
        let sent = self.wire.send(subject, request).await;
        let metrics = &*self.metrics;
        if sent.is_err() {
            metrics.asked_github(Asked::Failed);
        }
        Ok(Sent {
            reply: sent?,
            permit,
            metrics,
        })
    }
}

impl Sent<'_> {
    /// What the answer to a read of the REST API means.
    pub(super) fn read(&self, subject: &str) -> Result<Reading, Refusal> {
        let Reply {
            status,
            headers,
            body,
            ..
        } = &self.reply;
        github::read(subject, Call::Read, *status, headers, body)
    }

    /// Gives the permit back with what the answer said, once it was `read`. A refusal
    /// makes everybody wait, and so this job.
    pub(super) async fn settle<R>(self, read: Result<R, Refusal>) -> Result<(Reply, R), Failure> {
        self.metrics.asked_github(match &read {
            Err(_) => Asked::Refused,
            Ok(_) if self.reply.status == StatusCode::NOT_MODIFIED => Asked::Unchanged,
            Ok(_) => Asked::Answered,
        });
        let refusal = read.as_ref().err();
        let wait = match self.permit {
            Some(permit) => give_back(permit, &self.reply, refusal).await,
            None => None,
        };
        match read {
            Ok(reading) => Ok((self.reply, reading)),
            Err(refusal) => Err(Failure::refused(refusal, wait)),
        }
    }
}

/// Returns how long everybody waits because of a refusal, if Redis could say.
async fn give_back(permit: Permit, reply: &Reply, refusal: Option<&Refusal>) -> Option<Duration> {
    let outcome = refusal.map_or(Outcome::Answered, |refusal| {
        tell(refusal);
        refusal.into()
    });
    // What a refused token says is left is of the address, not of the user.
    let is_ours = refusal.is_none_or(|refusal| refusal.limit != Limit::Token);
    let left = github::budget(&reply.headers).filter(|_| is_ours);
    permit
        .release(outcome, left.map(|left| left.after(reply.at.elapsed())))
        .await
}

/// Says aloud what an operator should know.
fn tell(refusal: &Refusal) {
    let (reason, request_id) = (&refusal.reason, refusal.request_id.as_deref());
    match refusal.limit {
        Limit::Token => tracing::error!(
            reason,
            github.request.id = request_id,
            "GitHub does not accept API_TOKEN; no worker asks with it until it was tried again; set a valid one and restart the workers"
        ),
        Limit::Secondary | Limit::Content => tracing::warn!(
            reason,
            github.request.id = request_id,
            "GitHub asks for a pause; no worker sends a request until it is over"
        ),
        Limit::Primary { .. } => tracing::warn!(
            reason,
            github.request.id = request_id,
            "GitHub's hour is used up; no worker sends a request of its kind until it begins anew"
        ),
    }
}
