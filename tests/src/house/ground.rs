//! What a house stands on: its GitHub, and its connection to Redis.

use std::time::Duration;

use hookme_shared::queue::{Address, Clock, Queue};
use hookme_shared::secret::Secret;

use crate::eventually;
use crate::github::{GithubOptions, RepositorySpec};

/// How long anything may take to start. A busy machine must not fail a test.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(60);

/// A GitHub that has every repository and no limits.
pub(super) fn generous() -> GithubOptions {
    GithubOptions {
        generate: Some(RepositorySpec::default()),
        ..GithubOptions::default()
    }
}

/// Waits until the queue has its connection: making one takes longer on a machine
/// that is too busy than the program waits for it.
pub(super) async fn connected(queue: &Queue) -> anyhow::Result<()> {
    eventually(START_DEADLINE, "a connection to Redis", async || {
        queue.counts().await.map_err(|error| error.to_string())
    })
    .await?;
    Ok(())
}

/// The address of that namespace there.
pub(super) fn address(redis_url: &str, namespace: &str, response_timeout: Duration) -> Address {
    Address {
        url: Secret::from(redis_url.to_owned()),
        certificate_authority: None,
        namespace: namespace.to_owned(),
        response_timeout,
        clock: Clock::Redis,
    }
}
