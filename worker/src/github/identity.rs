//! Who we are to GitHub: whose limits our requests count against.
//!
//! A user's tokens share one budget, so a token is looked up once, by all workers
//! together, and then known in Redis. Without a token the address that we come from
//! counts; all workers are taken to share one.

use hookme_shared::digest::short_hash;
use hookme_shared::queue::Identity;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

/// The part of GitHub's answer about a token's user that is needed.
#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) id: u64,
}

/// Tells one token from another without showing it; empty without a token.
pub(super) fn fingerprint(authorization: Option<&HeaderValue>) -> String {
    authorization.map_or_else(String::new, |header| {
        short_hash(&[b"hookme token", header.as_bytes()])
    })
}

/// GitHub's host, with the port if it is not the usual one.
pub(super) fn host(base: &Url) -> String {
    let host = base.host_str().unwrap_or("github");
    base.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What is known before GitHub was asked: all there is to know without a token;
/// with one, the token stands for itself.
pub(super) fn before_asking(host: &str, token: &str) -> Identity {
    let name = if token.is_empty() {
        format!("{host}/address")
    } else {
        format!("{host}/token-{token}")
    };
    Identity {
        name,
        token: token.to_owned(),
    }
}

/// The identity of the user with this id.
pub(super) fn of_user(host: &str, id: u64) -> String {
    format!("{host}/user-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_tokens_apart_and_shows_none() {
        let header = |token: &str| HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let (one, other) = (header("canary"), header("canarx"));
        assert_eq!(fingerprint(Some(&one)), fingerprint(Some(&one)));
        assert_ne!(fingerprint(Some(&one)), fingerprint(Some(&other)));
        assert!(!fingerprint(Some(&one)).contains("canary"));
        assert_eq!(fingerprint(None), "");
    }

    #[test]
    fn an_identity_names_the_host_with_an_unusual_port() {
        let at = |url: &str| before_asking(&host(&url.parse().unwrap()), "").name;
        assert_eq!(at("https://api.github.com"), "api.github.com/address");
        assert_eq!(at("http://127.0.0.1:8080/api/v3"), "127.0.0.1:8080/address");
    }
}
