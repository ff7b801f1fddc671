//! Step 5 of the line: asks GitHub for a repository's open issues, contributors
//! and their names, and makes the report of them.
//!
//! Nothing is retried here. A fetch ends with the whole report or with a
//! [`Failure`], and [`crate::policy`] says what follows from that; how far it came
//! stands in its [`Checkpoint`]. How much is asked for and read is bounded by the
//! constants of this module; at each of them stands what happens then.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hookme_shared::job::Truncated;
use hookme_shared::names::{RepositoryName, Username};
use tokio::time::timeout;

pub use self::checkpoint::Checkpoint;
use self::checkpoint::{Ending, Place};
use self::contributors::Listed;
use crate::github::{Failure, Github, Outlook};
use crate::report::{Contributor, Report};

mod checkpoint;
mod contributors;
mod issues;
mod names;
mod pages;

/// The longest that the fetch of one report may take in one attempt, over all its
/// requests. What takes longer is tried again later.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Fetches reports from the configured GitHub. One for the whole process: it holds
/// the connections.
pub struct Fetcher {
    github: Arc<Github>,
    include_pull_requests: bool,
    made_with: String,
    time_max: Duration,
}

impl Fetcher {
    /// A fetcher that asks through this door; pull requests are reported as issues
    /// if so wished.
    #[must_use]
    pub fn new(github: Arc<Github>, include_pull_requests: bool) -> Self {
        Self {
            made_with: format!("{} {include_pull_requests}", github.fingerprint()),
            github,
            include_pull_requests,
            time_max: FETCH_TIMEOUT,
        }
    }

    /// What the claim of jobs needs to know about GitHub.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        self.github.outlook()
    }

    /// Fetches the report about `owner`'s `repository`, within [`FETCH_TIMEOUT`],
    /// from where `checkpoint` stands. However it ends, `checkpoint` says how far it came.
    ///
    /// Reading is harmless to repeat, and dropping the future stops all requests.
    ///
    /// # Errors
    ///
    /// [`Failure`] says what can be done.
    pub async fn fetch(
        &self,
        owner: &Username,
        repository: &RepositoryName,
        checkpoint: &mut Checkpoint,
    ) -> Result<Report, Failure> {
        if checkpoint.made_with != self.made_with {
            *checkpoint = self.start();
        }
        let before = checkpoint.pages();
        let walk = self.walk_surely(owner, repository, checkpoint);
        let names = match timeout(self.time_max, walk).await {
            Ok(names) => names?,
            Err(_) => return Err(self.too_long(owner, repository, checkpoint.pages() > before)),
        };
        Ok(report(
            owner,
            repository,
            std::mem::take(checkpoint),
            &names,
        ))
    }

    fn start(&self) -> Checkpoint {
        Checkpoint {
            made_with: self.made_with.clone(),
            ..Checkpoint::default()
        }
    }

    /// A fetch that came on is no failure: it has more to read than one attempt can.
    fn too_long(&self, owner: &Username, repository: &RepositoryName, came_on: bool) -> Failure {
        let reason = format!(
            "fetching repository {owner}/{repository} took longer than {:?}",
            self.time_max
        );
        if came_on {
            let delay = Duration::ZERO;
            return Failure::Wait { delay, reason };
        }
        Failure::Later {
            reason,
            retry_after: None,
        }
    }

    /// Goes on where `checkpoint` stands; from the start if GitHub does not know that
    /// place any more.
    async fn walk_surely(
        &self,
        owner: &Username,
        repository: &RepositoryName,
        checkpoint: &mut Checkpoint,
    ) -> Result<HashMap<u64, String>, Failure> {
        let resumed = !checkpoint.is_empty();
        let walked = self.walk(owner, repository, checkpoint).await;
        if !resumed || !matches!(walked, Err(Failure::Final { .. })) {
            return walked;
        }
        *checkpoint = self.start();
        self.walk(owner, repository, checkpoint).await
    }

    /// Reads both lists to their ends, and then the names.
    async fn walk(
        &self,
        owner: &Username,
        repository: &RepositoryName,
        checkpoint: &mut Checkpoint,
    ) -> Result<HashMap<u64, String>, Failure> {
        let Checkpoint {
            issues,
            contributors,
            ..
        } = checkpoint;
        let pull_requests = self.include_pull_requests;
        // One after the other: a repository that does not exist costs one request.
        issues::fetch(&self.github, owner, repository, pull_requests, issues).await?;
        contributors::fetch(&self.github, owner, repository, contributors).await?;
        names::of(&self.github, &checkpoint.contributors.items).await
    }
}

fn report(
    owner: &Username,
    repository: &RepositoryName,
    checkpoint: Checkpoint,
    names: &HashMap<u64, String>,
) -> Report {
    let is_cut_off = |place| place == &Place::End(Ending::CutOff);
    let truncated = Truncated {
        issues: is_cut_off(&checkpoint.issues.place),
        contributors: is_cut_off(&checkpoint.contributors.place),
    };
    let unavailable = checkpoint.contributors.place == Place::End(Ending::TooLarge);
    if truncated != Truncated::default() {
        let lists = truncated.names().join(", ");
        tracing::warn!(%owner, %repository, lists, "a list was too long; its end is not in the report");
    }
    if unavailable {
        tracing::warn!(%owner, %repository, "GitHub does not list this many contributors");
    }
    // A list that moves on while it is read can name somebody twice.
    let mut seen = HashSet::new();
    let contributors = checkpoint.contributors.items.into_iter();
    let contributors = contributors.filter(|one| one.id.is_none_or(|id| seen.insert(id)));
    Report {
        contributors: contributors.map(|listed| named(listed, names)).collect(),
        issues: checkpoint.issues.items,
        repository: repository.as_str().to_owned(),
        user: owner.as_str().to_owned(),
        contributors_unavailable: unavailable,
        truncated,
    }
}

/// Who is known by no other name goes by the login; who has no account carries the
/// name along.
fn named(listed: Listed, names: &HashMap<u64, String>) -> Contributor {
    let known = listed.id.and_then(|id| names.get(&id).cloned());
    Contributor {
        name: known.or(listed.name).or_else(|| listed.login.clone()),
        qtd_commits: listed.contributions,
        user: listed.login,
    }
}

#[cfg(test)]
mod resuming;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
