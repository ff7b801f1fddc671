//! Step 5 of the line: asks GitHub for a repository's open issues, contributors
//! and their names, and makes the report of them.
//!
//! Nothing is retried here. A fetch ends with the whole report or with a
//! [`FetchFailure`], and [`crate::policy`] says what follows from that. How much
//! is asked for and read is bounded by the constants of this module; at each of
//! them stands what happens then.

use std::time::Duration;

use hookme_shared::names::{RepositoryName, Username};
use tokio::time::timeout;

use self::client::GithubClient;
use self::names::Names;
use crate::http::ClientError;
use crate::report::Report;
use crate::settings::github::GithubSettings;

mod client;
mod contributors;
mod issues;
mod link;
mod names;
mod pages;

/// The longest that the fetch of one report may take, over all its requests. What
/// takes longer is tried again later, with the names found so far remembered.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Why there is no report. The reasons name the repository, and never a token or
/// the query of an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFailure {
    /// Fetching again will not help.
    #[error("{reason}")]
    Final {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
    },
    /// Fetch again later.
    #[error("{reason}")]
    Later {
        /// Why, in a sentence for the person who looks at the job.
        reason: String,
        /// The least time to wait, if GitHub's answer or its rules say one.
        retry_after: Option<Duration>,
    },
}

/// Fetches reports from the configured GitHub. One for the whole process: it holds
/// the connections and the names that were found.
pub struct Fetcher {
    client: GithubClient,
    names: Names,
    include_pull_requests: bool,
    time_max: Duration,
}

impl Fetcher {
    /// Sets up the client; nothing is asked yet.
    pub fn new(settings: &GithubSettings) -> Result<Self, ClientError> {
        Ok(Self {
            client: GithubClient::new(settings)?,
            names: Names::default(),
            include_pull_requests: settings.include_pull_requests,
            time_max: FETCH_TIMEOUT,
        })
    }

    /// Fetches the report about `owner`'s `repository`, within [`FETCH_TIMEOUT`].
    ///
    /// Reading is harmless to repeat, and dropping the future stops all requests.
    pub async fn fetch(
        &self,
        owner: &Username,
        repository: &RepositoryName,
    ) -> Result<Report, FetchFailure> {
        let report = self.report(owner, repository);
        timeout(self.time_max, report).await.unwrap_or_else(|_| {
            Err(FetchFailure::Later {
                reason: format!(
                    "fetching repository {owner}/{repository} took longer than {:?}",
                    self.time_max
                ),
                retry_after: None,
            })
        })
    }

    async fn report(
        &self,
        owner: &Username,
        repository: &RepositoryName,
    ) -> Result<Report, FetchFailure> {
        let (issues, contributors) = tokio::try_join!(
            issues::fetch(&self.client, owner, repository, self.include_pull_requests),
            contributors::fetch(&self.client, &self.names, owner, repository),
        )?;
        let truncated = issues.truncated || contributors.truncated;
        if truncated {
            tracing::warn!(%owner, %repository, "a list was too long; its end is not in the report");
        }
        if contributors.unavailable {
            tracing::warn!(%owner, %repository, "GitHub does not list this many contributors");
        }
        Ok(Report {
            contributors: contributors.list,
            issues: issues.list,
            repository: repository.as_str().to_owned(),
            user: owner.as_str().to_owned(),
            contributors_unavailable: contributors.unavailable,
            truncated,
        })
    }
}

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
