//! What a receiver remembers of its deliveries.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::http::request::Parts;

/// The header that names what is delivered, the same at each repetition.
/// Source: the Standard Webhooks specification, "Webhook headers".
const ID_HEADER: &str = "webhook-id";
/// How many conflicting ids are kept for the error's text.
const CONFLICTS_MAX: usize = 20;

/// One POST that was read to its end.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The path and the query.
    pub target: String,
    /// All headers, as they came.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
    /// When the body was complete.
    pub at: Instant,
}

impl Delivery {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        let target = head.uri.to_string();
        Self {
            target,
            headers: head.headers,
            body,
            at: Instant::now(),
        }
    }

    /// Its `webhook-id`, if it has a readable one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.header(ID_HEADER)
    }

    /// The header of this name, if there is a readable one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// The deliveries, whole or as hashes.
#[derive(Debug, Default)]
pub(super) struct Record {
    deliveries: Vec<Delivery>,
    body_of_id: HashMap<u64, u64>,
    conflicts: Vec<String>,
    without_id: usize,
    /// Requests that were no delivery at all.
    pub(super) strays: usize,
}

impl Record {
    pub(super) fn add(&mut self, delivery: Delivery, keep: bool) {
        match delivery.id() {
            None => self.without_id += 1,
            Some(id) => {
                let body = hash(&delivery.body);
                let first = *self.body_of_id.entry(hash(id.as_bytes())).or_insert(body);
                if first != body && self.conflicts.len() < CONFLICTS_MAX {
                    self.conflicts.push(id.to_owned());
                }
            }
        }
        if keep {
            self.deliveries.push(delivery);
        }
    }

    pub(super) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    pub(super) fn distinct_ids(&self) -> usize {
        self.body_of_id.len()
    }

    pub(super) fn one_body_per_id(&self) -> anyhow::Result<()> {
        let Self {
            without_id,
            conflicts,
            ..
        } = self;
        ensure!(
            *without_id == 0,
            "{without_id} deliveries had no {ID_HEADER}"
        );
        ensure!(
            conflicts.is_empty(),
            "ids with more than one body: {conflicts:?}"
        );
        Ok(())
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
