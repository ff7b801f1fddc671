//! The contributors of a repository.

use hookme_shared::names::{RepositoryName, Username};
use serde::{Deserialize, Serialize};

use super::checkpoint::Walk;
use super::issues::unaddressable;
use super::pages::List;
use crate::github::{Failure, Github};

/// Pages of 100 that are read; the contributors after them, those with the fewest
/// commits, are left out and the report is marked as truncated. GitHub links at
/// most the first 500 addresses to accounts, so this is not met in practice.
const CONTRIBUTORS_PAGES_MAX: u32 = 10;

/// An item of GitHub's list. People without an account are not asked for; where
/// they come all the same they have neither `login` nor `id`, and carry their name
/// themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) id: Option<u64>,
    pub(super) node_id: Option<String>,
    pub(super) login: Option<String>,
    pub(super) name: Option<String>,
    pub(super) contributions: Option<u64>,
}

/// Reads the rest of the list, within the bounds of this module.
pub(super) async fn fetch(
    github: &Github,
    owner: &Username,
    repository: &RepositoryName,
    walk: &mut Walk<Listed>,
) -> Result<(), Failure> {
    let subject = format!("repository {owner}/{repository}");
    let segments = ["repos", owner.as_str(), repository.as_str(), "contributors"];
    let list = List {
        github,
        subject: &subject,
        url: github
            .url(&segments)
            .ok_or_else(|| unaddressable(&subject))?,
        pages_max: CONTRIBUTORS_PAGES_MAX,
    };
    while list.next(walk, Some::<Listed>).await? {}
    Ok(())
}
