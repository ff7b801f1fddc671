//! The open issues of a repository.

use hookme_shared::names::{RepositoryName, Username};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::FetchFailure;
use super::client::GithubClient;
use super::pages::{Ending, Pages};
use crate::report::Issue;

/// Pages of 100 that are read; the issues after them, the oldest, are left out and
/// the report is marked as truncated.
const ISSUES_PAGES_MAX: u32 = 100;

/// How many bytes of titles, labels and logins are kept; once they are more, the
/// pages that follow are left out and the report is marked as truncated. A hundred
/// pages of ordinary issues are a tenth of this.
const ISSUES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The issues, and whether some were left out.
pub(super) struct Issues {
    pub(super) list: Vec<Issue>,
    pub(super) truncated: bool,
}

/// An item of GitHub's list, with no more than the report needs. Everything may be
/// missing or null: an issue whose author deleted the account has no `user`.
#[derive(Deserialize)]
struct Listed {
    title: Option<String>,
    labels: Option<Box<RawValue>>,
    user: Option<Author>,
    /// Stands only on pull requests, which GitHub lists among the issues.
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Author {
    login: Option<String>,
}

/// Reads the whole list, within the bounds of this module.
pub(super) async fn fetch(
    client: &GithubClient,
    owner: &Username,
    repository: &RepositoryName,
    include_pull_requests: bool,
) -> Result<Issues, FetchFailure> {
    let subject = format!("repository {owner}/{repository}");
    let segments = ["repos", owner.as_str(), repository.as_str(), "issues"];
    let first = client
        .url(&segments)
        .ok_or_else(|| unaddressable(&subject))?;
    let pages = Pages::new(client, &subject, first, ISSUES_PAGES_MAX);
    collect(pages, include_pull_requests, ISSUES_BYTES_MAX).await
}

async fn collect(
    mut pages: Pages<'_>,
    include_pull_requests: bool,
    bytes_max: usize,
) -> Result<Issues, FetchFailure> {
    let wanted = |listed: &Listed| include_pull_requests || listed.pull_request.is_none();
    let mut list: Vec<Issue> = Vec::new();
    let mut bytes = 0;
    while let Some(page) = pages.next::<Listed>().await? {
        let before = list.len();
        list.extend(page.into_iter().filter(wanted).map(Issue::from));
        bytes += list[before..].iter().map(size).sum::<usize>();
        if bytes > bytes_max {
            return Ok(Issues {
                list,
                truncated: true,
            });
        }
    }
    match pages.ending() {
        Ending::Complete => Ok(Issues {
            list,
            truncated: false,
        }),
        Ending::CutOff => Ok(Issues {
            list,
            truncated: true,
        }),
        Ending::TooLarge => Err(FetchFailure::Final {
            reason: "GitHub does not list this repository's issues".to_owned(),
        }),
    }
}

/// The failure for names that cannot stand in an address. Checked names can.
pub(super) fn unaddressable(subject: &str) -> FetchFailure {
    FetchFailure::Final {
        reason: format!("{subject} cannot stand in an address"),
    }
}

/// About how much memory an issue holds, in bytes.
fn size(issue: &Issue) -> usize {
    let labels = issue.labels.as_ref().map_or(0, |labels| labels.get().len());
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Issue>() + labels + text(&issue.title) + text(&issue.author)
}

impl From<Listed> for Issue {
    fn from(listed: Listed) -> Self {
        Self {
            author: listed.user.and_then(|author| author.login),
            labels: listed.labels,
            title: listed.title,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stand_in::{Github, page};
    use super::*;

    #[tokio::test]
    async fn issues_that_weigh_too_much_cut_the_list_after_their_page() {
        let list = r#"[{"title":"ten bytes!"},{"title":"ten bytes!"}]"#;
        let github = Github::answering(|_| Some(page(list, "?again"))).await;
        let fetcher = github.fetcher();
        let one_page = 2 * (size_of::<Issue>() + 10);
        for (bytes_max, pages) in [(one_page - 1, 1), (one_page, 2), (3 * one_page, 4)] {
            let first = fetcher.client.url(&["x"]).unwrap();
            let walk = Pages::new(&fetcher.client, "x", first, 10);
            let issues = collect(walk, false, bytes_max).await.unwrap();
            assert!(issues.truncated, "{bytes_max}");
            assert_eq!(issues.list.len(), 2 * pages, "{bytes_max}");
        }
    }
}
