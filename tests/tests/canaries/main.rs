//! Secrets never leave: the real programs run with canaries in place of every secret,
//! and whatever they say anywhere is searched for them.
//!
//! Each test also shows that its canaries were in use, so that none passes emptily. Two
//! places hold a secret by design and are spared by name: the record of a task holds its
//! client's `webhook_url` whole, which is sent there later; and so does Redis's file.

#![cfg(test)]

mod answers;
mod asking;
mod requests;
mod search;
mod starts;
mod words;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookme_shared::digest::sha256;
use hookme_tests::process::free_port;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::site::SiteOptions;
use hookme_tests::{RedisServer, Site};

use search::Canary;

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "ghp_CanaryOfGithub0123456789abcdefghijklmn";
const SIGNING: &[u8] = b"canary-of-the-signatures-0123456";
const KEY: &str = "Y2FuYXJ5LW9mLWFuLWFwaS1rZXktMDEyMzQ1Njc4OTA=";
const OPERATOR_KEY: &str = "Y2FuYXJ5LW9mLXRoZS1vcGVyYXRvcnMtMDEyMzQ1Njc=";
const OPERATOR_QUERY: &str = "canary-of-the-operators-webhook";
const CLIENT_QUERY: &str = "canary-of-a-clients-webhook";
const PASSWORD: &str = "canary-of-the-redis-password";
const IDEMPOTENCY: &str = "canary-of-an-idempotency-key";

/// What the canary is called that Redis holds by design.
const CLIENTS_URL: &str = "the query of a webhook_url";

/// `WEBHOOK_SECRETS`.
fn signing_secret() -> String {
    format!("whsec_{}", STANDARD.encode(SIGNING))
}

/// Everything that nobody may ever see.
fn canaries() -> Vec<Canary> {
    let canary = |name, text: &str| Canary {
        name,
        text: text.to_owned(),
    };
    vec![
        canary("API_TOKEN", TOKEN),
        // Without its prefix, so that it is found with and without.
        canary("WEBHOOK_SECRETS", &STANDARD.encode(SIGNING)),
        canary("WEBHOOK_SECRETS, decoded", str::from_utf8(SIGNING).unwrap()),
        canary("a client's key", KEY),
        canary("a client's key, hashed", &sha256(KEY)),
        canary("an operator's key", OPERATOR_KEY),
        canary("an operator's key, hashed", &sha256(OPERATOR_KEY)),
        canary("the query of WEBHOOK_URL", OPERATOR_QUERY),
        canary(CLIENTS_URL, CLIENT_QUERY),
        canary("the password of REDIS_URL", PASSWORD),
        canary("Idempotency-Key", IDEMPOTENCY),
    ]
}

/// A site with all the secrets, one worker, and nothing that is kept from the logs; and
/// where the worker serves operators.
async fn site() -> (Site, String) {
    let redis = RedisServer::start(RedisOptions {
        persistence: Persistence::AofAlways,
        arguments: vec!["--requirepass".to_owned(), PASSWORD.to_owned()],
        login: Some(format!("default:{PASSWORD}")),
    })
    .await
    .unwrap();
    let keys = format!("shop:{},ops:{}:operator", sha256(KEY), sha256(OPERATOR_KEY));
    let mut options = SiteOptions {
        workers: 0,
        ..SiteOptions::default()
    };
    options.github.keep_headers = true;
    let options = options
        .with("RUST_LOG", "trace")
        .with("API_KEYS", &keys)
        .with("API_TOKEN", TOKEN)
        .with("WEBHOOK_SECRETS", &signing_secret())
        .with("WEBHOOK_ALLOW_HTTP", "true")
        .with("WEBHOOK_ALLOWED_CIDRS", "127.0.0.0/8")
        .with("RETRY_MAX_ATTEMPTS", "1")
        .with("OPERATOR_LISTEN", "127.0.0.1:0");
    let mut site = Site::start_on(redis, options).await.unwrap();
    let webhook = format!("{}?key={OPERATOR_QUERY}", site.receiver.url());
    let operators = format!("127.0.0.1:{}", free_port().unwrap());
    let variables = [("WEBHOOK_URL", &*webhook), ("OPERATOR_LISTEN", &*operators)];
    let worker = site.start_worker(&variables).unwrap();
    Site::ready(&worker).await.unwrap();
    site.workers.push(worker);
    (site, operators)
}
