//! Walks a list page by page, along the links that GitHub gives.

use serde::de::DeserializeOwned;
use url::Url;

use super::FetchFailure;
use super::client::{Answer, GithubClient};

/// Asks for the largest pages that GitHub gives. Only the first request says so;
/// the links between pages carry it on.
const QUERY: &str = "per_page=100";

/// Where a walk stands, and after the last page, how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every page was read.
    Complete,
    /// There are more pages than were allowed; the rest was left out.
    CutOff,
    /// GitHub does not give this list, because it is too large.
    TooLarge,
}

/// A walk over one list.
pub(super) struct Pages<'a> {
    client: &'a GithubClient,
    subject: &'a str,
    next: Option<Url>,
    left: u32,
    ending: Ending,
}

impl<'a> Pages<'a> {
    /// Starts at `first` and reads at most `pages_max` pages.
    pub(super) fn new(
        client: &'a GithubClient,
        subject: &'a str,
        mut first: Url,
        pages_max: u32,
    ) -> Self {
        first.set_query(Some(QUERY));
        Self {
            client,
            subject,
            next: Some(first),
            left: pages_max,
            ending: Ending::Complete,
        }
    }

    /// The items of the next page, or `None` at the end; [`Pages::ending`] then
    /// says which end it was.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<Vec<T>>, FetchFailure> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        if self.left == 0 {
            self.ending = Ending::CutOff;
            return Ok(None);
        }
        self.left -= 1;
        match self.client.get(self.subject, url).await? {
            Answer::Body { bytes, next } => {
                self.next = next;
                parse(self.subject, &bytes).map(Some)
            }
            Answer::Empty => Ok(None),
            Answer::TooLarge => {
                self.ending = Ending::TooLarge;
                Ok(None)
            }
        }
    }

    pub(super) fn ending(&self) -> Ending {
        self.ending
    }
}

/// Reads GitHub's JSON. What cannot be read is tried again later: it may have been
/// cut short on the way, or be the page of a proxy. The place is told and not the
/// words, which are somebody's data.
pub(super) fn parse<T: DeserializeOwned>(subject: &str, bytes: &[u8]) -> Result<T, FetchFailure> {
    serde_json::from_slice(bytes).map_err(|error| FetchFailure::Later {
        reason: format!(
            "GitHub's answer for {subject} could not be read at line {}, column {}",
            error.line(),
            error.column()
        ),
        retry_after: None,
    })
}
