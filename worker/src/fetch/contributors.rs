//! The contributors of a repository, each with the name that they show.

use futures_util::{StreamExt, TryStreamExt, stream};
use hookme_shared::names::{RepositoryName, Username};
use serde::Deserialize;

use super::FetchFailure;
use super::client::GithubClient;
use super::issues::unaddressable;
use super::names::Names;
use super::pages::{Ending, Pages};
use crate::report::Contributor;

/// Pages of 100 that are read; the contributors after them, those with the fewest
/// commits, are left out and the report is marked as truncated. GitHub links at
/// most the first 500 addresses to accounts, so this is not met in practice.
const CONTRIBUTORS_PAGES_MAX: u32 = 10;

/// Names asked for at the same time, per report.
const NAMES_CONCURRENCY: usize = 4;

/// The contributors, and what is missing from them.
pub(super) struct Contributors {
    pub(super) list: Vec<Contributor>,
    pub(super) truncated: bool,
    /// GitHub does not list them, because they are too many.
    pub(super) unavailable: bool,
}

/// An item of GitHub's list. People without an account are not asked for; where
/// they come all the same they have no `login`, and carry their name themselves.
#[derive(Deserialize)]
struct Listed {
    login: Option<String>,
    name: Option<String>,
    contributions: Option<u64>,
}

/// Reads the whole list, within the bounds of this module, and then the names.
pub(super) async fn fetch(
    client: &GithubClient,
    names: &Names,
    owner: &Username,
    repository: &RepositoryName,
) -> Result<Contributors, FetchFailure> {
    let subject = format!("repository {owner}/{repository}");
    let segments = ["repos", owner.as_str(), repository.as_str(), "contributors"];
    let first = client
        .url(&segments)
        .ok_or_else(|| unaddressable(&subject))?;
    let mut pages = Pages::new(client, &subject, first, CONTRIBUTORS_PAGES_MAX);
    let mut listed = Vec::new();
    while let Some(page) = pages.next::<Listed>().await? {
        listed.extend(page);
    }
    let ending = pages.ending();
    if ending == Ending::TooLarge {
        return Ok(Contributors {
            list: Vec::new(),
            truncated: false,
            unavailable: true,
        });
    }
    let answers = stream::iter(listed).map(|listed| named(client, names, listed));
    let list = answers.buffered(NAMES_CONCURRENCY).try_collect().await?;
    Ok(Contributors {
        list,
        truncated: ending == Ending::CutOff,
        unavailable: false,
    })
}

async fn named(
    client: &GithubClient,
    names: &Names,
    listed: Listed,
) -> Result<Contributor, FetchFailure> {
    let name = match &listed.login {
        Some(login) => names.of(client, login).await?,
        None => listed.name,
    };
    Ok(Contributor {
        name,
        qtd_commits: listed.contributions,
        user: listed.login,
    })
}
