//! The stand-ins keep their promises, so that a test may blame the product.

#![cfg(test)]

mod fault_proxy;
mod github;
mod github_graphql;
mod github_limits;
mod github_names;
mod github_writes;
mod receiver;
mod redis_server;

use std::sync::Once;
use std::time::Duration;

use reqwest::Client;

const PATIENCE: Duration = Duration::from_secs(20);

fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
    Client::builder().user_agent("stand-ins").build().unwrap()
}

async fn json<T: serde::de::DeserializeOwned>(response: reqwest::Response) -> T {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}
