//! The comment on a pull request: how it is made, and how it is found again.

use std::time::Duration;

use hookme_shared::span::whole_ms;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::github::{Answer, ContentPermit, Created, Failure, Github};

/// How much older than its task a comment may seem, as GitHub's clock is another.
const CLOCKS_APART: Duration = Duration::from_secs(24 * 60 * 60);
/// The most pages of comments, a hundred each, that are looked through for one.
const PAGES_MAX: u32 = 50;
/// The longest address of a comment that is kept, in bytes.
const ADDRESS_BYTES_MAX: usize = 1_024;

/// A comment that is to exist once.
#[derive(Debug)]
pub struct Comment {
    /// What it is about, for the reasons.
    pub subject: String,
    /// Where the comments of its pull request are.
    pub url: Url,
    /// What it begins with, and no other does.
    pub marker: String,
}

/// What GitHub says of a comment.
#[derive(Debug, Deserialize)]
struct Described {
    html_url: Option<String>,
    body: Option<String>,
}

impl Comment {
    /// Makes it at `url`, with this text, which begins with the marker.
    pub async fn create(
        &self,
        github: &Github,
        permit: ContentPermit,
        url: &Url,
        text: &str,
    ) -> Created {
        github
            .create_comment(permit, &self.subject, url, text)
            .await
    }

    /// Looks for it among the comments that are not older than the task, which was taken
    /// at `created_ms`; says where it is.
    ///
    /// # Errors
    ///
    /// [`Failure`]: then nobody knows whether it is there.
    pub async fn find(&self, github: &Github, created_ms: u64) -> Result<Option<String>, Failure> {
        let mut next = Some(self.first_page(created_ms));
        for _ in 0..PAGES_MAX {
            let Some(url) = next else { return Ok(None) };
            // What is kept of GitHub's answers may be from before the comment.
            let (bytes, following) = match github.get_anew(&self.subject, url).await? {
                Answer::Body { bytes, next } => (bytes, next),
                Answer::Empty | Answer::TooLarge => return Err(self.unreadable()),
            };
            let page = serde_json::from_slice::<Vec<Described>>(&bytes);
            let page = page.map_err(|_| self.unreadable())?;
            if let Some(found) = page.iter().find(|one| self.is(one)) {
                return Ok(Some(self.address_of(found)));
            }
            next = following;
        }
        let reason = format!("{} has too many comments to look through", self.subject);
        Err(Failure::Final { reason })
    }

    /// Where the comment is that GitHub describes like this: the page that people see,
    /// or if it names none the list that it stands in.
    #[must_use]
    pub fn address(&self, described: &[u8]) -> String {
        match serde_json::from_slice(described) {
            Ok(described) => self.address_of(&described),
            Err(_) => self.url.to_string(),
        }
    }

    /// Who quotes the comment brings its marker too, but not at the beginning.
    fn is(&self, described: &Described) -> bool {
        let body = described.body.as_deref().unwrap_or_default();
        body.starts_with(&self.marker)
    }

    fn address_of(&self, described: &Described) -> String {
        let address = described.html_url.as_deref();
        let address = address.filter(|address| address.len() <= ADDRESS_BYTES_MAX);
        let address = address.and_then(|address| Url::parse(address).ok());
        let address = address.filter(|url| matches!(url.scheme(), "http" | "https"));
        address.unwrap_or_else(|| self.url.clone()).to_string()
    }

    fn first_page(&self, created_ms: u64) -> Url {
        let since_ms = created_ms.saturating_sub(whole_ms(CLOCKS_APART));
        let since = i64::try_from(since_ms).unwrap_or(i64::MAX);
        let since = Timestamp::from_millisecond(since).unwrap_or(Timestamp::MIN);
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("since", &format!("{since:.0}"))
            .append_pair("per_page", "100");
        url
    }

    fn unreadable(&self) -> Failure {
        Failure::Later {
            reason: format!(
                "GitHub's list of the comments on {} could not be read",
                self.subject
            ),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "https://ghe.example/api/v3/repos/o/r/issues/4/comments";

    fn comment() -> Comment {
        Comment {
            subject: "pull request o/r#4".to_owned(),
            url: LIST.parse().unwrap(),
            marker: "<!-- m -->".to_owned(),
        }
    }

    #[test]
    fn a_comment_is_where_github_says_or_else_somewhere_in_its_list() {
        let page = "https://ghe.example/o/r/pull/4#issuecomment-1";
        let long = format!("https://ghe.example/{}", "x".repeat(2_000));
        for (described, address) in [
            (format!(r#"{{"html_url": "{page}"}}"#), page),
            (format!(r#"{{"html_url": "{long}"}}"#), LIST),
            (r#"{"html_url": "javascript:alert(1)"}"#.to_owned(), LIST),
            (r#"{"html_url": 7}"#.to_owned(), LIST),
            ("{}".to_owned(), LIST),
            ("no JSON".to_owned(), LIST),
            (String::new(), LIST),
        ] {
            assert_eq!(
                comment().address(described.as_bytes()),
                address,
                "{described}"
            );
        }
    }

    #[test]
    fn it_is_looked_for_from_a_day_before_its_task_on() {
        let query = |created_ms| comment().first_page(created_ms).query().unwrap().to_owned();
        assert_eq!(
            query(1_700_000_000_999),
            "since=2023-11-13T22%3A13%3A20Z&per_page=100"
        );
        assert_eq!(query(0), "since=1970-01-01T00%3A00%3A00Z&per_page=100");
        assert!(query(u64::MAX).ends_with("&per_page=100"));
    }

    #[test]
    fn only_what_begins_with_the_marker_is_the_comment() {
        for (body, is) in [
            (Some("<!-- m -->\r\nHello"), true),
            (Some("> <!-- m -->\n> Hello\n\nThanks"), false),
            (Some("<!-- other -->"), false),
            (Some(""), false),
            (None, false),
        ] {
            let described = Described {
                html_url: None,
                body: body.map(str::to_owned),
            };
            assert_eq!(comment().is(&described), is, "{body:?}");
        }
    }
}
