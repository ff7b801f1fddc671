//! What was asked, in which order, and how much of it at once.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use hyper::{HeaderMap, Request};
use tokio::sync::watch;
use tokio::time::timeout;

use super::target::{Pattern, Query, Target};
use crate::lock::lock;

/// One request, recorded when its head had arrived.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// `GET`, for example.
    pub method: String,
    /// The path and the query, as they came.
    pub target: String,
    /// The headers; empty when they are not kept.
    pub headers: HeaderMap,
    /// When it came.
    pub at: Instant,
    path: String,
    query: Query,
}

impl RecordedRequest {
    /// The header of this name, if there is a readable one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The requests so far.
#[derive(Debug)]
pub(super) struct RequestLog {
    keep_headers: bool,
    asked: Mutex<Asked>,
    total: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Asked {
    requests: Vec<RecordedRequest>,
    in_flight: usize,
    max_in_flight: usize,
}

/// Counts a request as in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    log: &'a RequestLog,
    /// How many requests came before it.
    pub(super) number: usize,
}

impl RequestLog {
    pub(super) fn new(keep_headers: bool) -> Self {
        Self {
            keep_headers,
            asked: Mutex::default(),
            total: watch::channel(0).0,
        }
    }

    /// Records a request.
    pub(super) fn begin<B>(&self, request: &Request<B>, target: &Target) -> InFlight<'_> {
        let headers = if self.keep_headers {
            request.headers().clone()
        } else {
            HeaderMap::new()
        };
        let recorded = RecordedRequest {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers,
            at: Instant::now(),
            path: target.path.clone(),
            query: target.query.clone(),
        };
        let mut asked = lock(&self.asked);
        let number = asked.requests.len();
        asked.requests.push(recorded);
        asked.in_flight += 1;
        asked.max_in_flight = asked.max_in_flight.max(asked.in_flight);
        // After the lock: a waiter holds the channel while it takes the lock, so
        // the other way round each could wait for the other for ever.
        drop(asked);
        self.total.send_modify(|total| *total += 1);
        InFlight { log: self, number }
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.asked).requests.clone()
    }

    pub(super) fn max_in_flight(&self) -> usize {
        lock(&self.asked).max_in_flight
    }

    pub(super) fn count(&self, pattern: &str) -> usize {
        let pattern = Pattern::parse(pattern);
        let asked = lock(&self.asked);
        asked
            .requests
            .iter()
            .filter(|one| pattern.matches(&one.path, &one.query))
            .count()
    }

    pub(super) async fn wait_for(
        &self,
        pattern: &str,
        count: usize,
        deadline: Duration,
    ) -> anyhow::Result<()> {
        let mut totals = self.total.subscribe();
        let arrived = timeout(deadline, totals.wait_for(|_| self.count(pattern) >= count)).await;
        let seen = || anyhow!("{} of {count} requests for {pattern}", self.count(pattern));
        arrived
            .map_err(|_| seen())?
            .context("the stand-in has gone")?;
        Ok(())
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(&self.log.asked).in_flight -= 1;
    }
}
