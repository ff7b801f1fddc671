//! The open issues of a repository.

use hookme_shared::names::{RepositoryName, Username};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::checkpoint::{Ending, Place, Walk};
use super::pages::List;
use crate::github::{Failure, Github};
use crate::report::Issue;

/// Pages of 100 that are read; the issues after them, the oldest, are left out and
/// the report is marked as truncated.
const ISSUES_PAGES_MAX: u32 = 100;

/// How many bytes of titles, labels and logins are kept; once they are more, the
/// pages that follow are left out and the report is marked as truncated. A hundred
/// pages of ordinary issues are a tenth of this.
const ISSUES_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// Reads the rest of the list, within the bounds of this module.
pub(super) async fn fetch(
    github: &Github,
    owner: &Username,
    repository: &RepositoryName,
    include_pull_requests: bool,
    walk: &mut Walk<Issue>,
) -> Result<(), Failure> {
    let subject = format!("repository {owner}/{repository}");
    let segments = ["repos", owner.as_str(), repository.as_str(), "issues"];
    let list = List {
        github,
        subject: &subject,
        url: github
            .url(&segments)
            .ok_or_else(|| unaddressable(&subject))?,
        pages_max: ISSUES_PAGES_MAX,
    };
    collect(&list, include_pull_requests, ISSUES_BYTES_MAX, walk).await
}

async fn collect(
    list: &List<'_>,
    include_pull_requests: bool,
    bytes_max: usize,
    walk: &mut Walk<Issue>,
) -> Result<(), Failure> {
    let wanted = |listed: Listed| {
        (include_pull_requests || listed.pull_request.is_none()).then(|| Issue::from(listed))
    };
    let mut bytes: usize = walk.items.iter().map(size).sum();
    loop {
        let before = walk.items.len();
        if !list.next(walk, wanted).await? {
            break;
        }
        bytes += walk.items[before..].iter().map(size).sum::<usize>();
        if bytes > bytes_max {
            walk.place = Place::End(Ending::CutOff);
        }
    }
    if walk.place == Place::End(Ending::TooLarge) {
        let reason = "GitHub does not list this repository's issues".to_owned();
        return Err(Failure::Final { reason });
    }
    Ok(())
}

/// The failure for names that cannot stand in an address. Checked names can.
pub(super) fn unaddressable(subject: &str) -> Failure {
    Failure::Final {
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
    use super::super::stand_in::{StandIn, page};
    use super::*;

    #[tokio::test]
    async fn issues_that_weigh_too_much_cut_the_list_after_their_page() {
        let list = r#"[{"title":"ten bytes!"},{"title":"ten bytes!"}]"#;
        let stand_in = StandIn::answering(|_| Some(page(list, "?again"))).await;
        let github = stand_in.door();
        let one_page = 2 * (size_of::<Issue>() + 10);
        for (bytes_max, pages) in [(one_page - 1, 1), (one_page, 2), (3 * one_page, 4)] {
            let list = List {
                github: &github,
                subject: "x",
                url: github.url(&["x"]).unwrap(),
                pages_max: 10,
            };
            let mut walk = Walk::default();
            collect(&list, false, bytes_max, &mut walk).await.unwrap();
            assert_eq!(walk.place, Place::End(Ending::CutOff), "{bytes_max}");
            assert_eq!(walk.items.len(), 2 * pages, "{bytes_max}");
        }
    }
}
