//! What becomes of jobs when Redis answers with an error: with its memory or its disk full,
//! with a value of another type under a key, with a missing right, as a node of a cluster.

#![cfg(test)]

mod cluster;
mod login;
mod memory;
mod settling;
mod types;
mod writes;

use std::time::Duration;

use hookme_tests::site::{Answer, Site};
use reqwest::Method;

/// How long anything may take. A busy machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the API says of its readiness.
async fn look(site: &Site) -> Answer {
    let request = site.client.request(Method::GET, "/readyz");
    site.client.send(request).await.unwrap()
}
