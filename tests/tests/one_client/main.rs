//! Whatever the number of workers, GitHub sees one polite client. The stand-in
//! enforces GitHub's rules here, and counts those that a client broke.

#![cfg(test)]

mod asking;
mod costs;
mod crowd;
mod pauses;
mod refusals;
mod tokens;

use std::time::Duration;

use hookme_tests::House;
use hookme_tests::github::{GithubOptions, Limits, RepositorySpec};
use hookme_tests::site::ApiClient;

/// A busy machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(120);
/// The token that the workers have.
const TOKEN: &str = "t0ken";

/// A GitHub that has every repository, within these limits.
fn limited(limits: Limits) -> GithubOptions {
    GithubOptions {
        generate: Some(RepositorySpec::default()),
        limits: Some(limits),
        ..GithubOptions::default()
    }
}

/// A house with an API that schedules at once and a worker with these flags, before
/// such a GitHub.
async fn house(options: GithubOptions, flags: &[&str]) -> (House, ApiClient) {
    let mut house = House::with_github(options).await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    house.worker(flags).await.unwrap();
    (house, api)
}
