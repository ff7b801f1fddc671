//! Walks a list page by page, along the links that GitHub gives.

use serde::de::DeserializeOwned;
use url::Url;

use super::checkpoint::{Ending, Place, Walk};
use crate::github::{Answer, Failure, Github};

/// Asks for the largest pages that GitHub gives. Only the first request says so;
/// the links between pages carry it on.
const QUERY: &str = "per_page=100";

/// A list that is walked over.
pub(super) struct List<'a> {
    pub(super) github: &'a Github,
    /// What it is about, for the reasons.
    pub(super) subject: &'a str,
    /// Its address, without a query.
    pub(super) url: Url,
    /// How many pages are read at most.
    pub(super) pages_max: u32,
}

impl List<'_> {
    /// Reads the next page, if there is one; says whether there was. What is not
    /// `wanted` is left out.
    pub(super) async fn next<P: DeserializeOwned, T>(
        &self,
        walk: &mut Walk<T>,
        wanted: impl Fn(P) -> Option<T>,
    ) -> Result<bool, Failure> {
        let url = match &walk.place {
            Place::End(_) => return Ok(false),
            Place::Start => {
                let mut first = self.url.clone();
                first.set_query(Some(QUERY));
                first
            }
            Place::Page(url) => url.clone(),
        };
        if walk.pages == self.pages_max {
            walk.place = Place::End(Ending::CutOff);
            return Ok(false);
        }
        let (page, place) = match self.github.get(self.subject, url).await? {
            Answer::Body { bytes, next } => (
                parse::<Vec<P>>(self.subject, &bytes)?,
                next.map_or(Place::End(Ending::Complete), Place::Page),
            ),
            Answer::Empty => (Vec::new(), Place::End(Ending::Complete)),
            Answer::TooLarge => (Vec::new(), Place::End(Ending::TooLarge)),
        };
        walk.items.extend(page.into_iter().filter_map(wanted));
        walk.pages += 1;
        walk.place = place;
        Ok(true)
    }
}

/// Reads GitHub's JSON. What cannot be read is tried again later: it may have been
/// cut short on the way, or be the page of a proxy. The place is told and not the
/// words, which are somebody's data.
pub(super) fn parse<T: DeserializeOwned>(subject: &str, bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Later {
        reason: format!(
            "GitHub's answer for {subject} could not be read at line {}, column {}",
            error.line(),
            error.column()
        ),
        retry_after: None,
    })
}
