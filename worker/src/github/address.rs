//! Which addresses are GitHub's, as configured.
//!
//! The token is sent to the configured origin and to nobody else. Redirects and the
//! links between pages come from outside, so each target is judged here.

use reqwest::header::HeaderMap;
use url::Url;

use super::{Failure, link};

/// What GitHub Enterprise Server has its REST API under, and beside it GraphQL.
/// GitHub Docs, "Forming calls with GraphQL".
const ENTERPRISE_REST: &str = "/api/v3";
const ENTERPRISE_GRAPHQL: &str = "/api/graphql";

/// The configured API.
pub(super) struct Address {
    pub(super) base: Url,
}

impl Address {
    /// The address of `segments` under the API's base path.
    ///
    /// `None` if the address would not consist of exactly these segments: the URL
    /// standard drops dot segments and escapes some characters, and then the
    /// request would be about something else.
    pub(super) fn url(&self, segments: &[&str]) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        let base = self
            .base
            .path()
            .strip_suffix('/')
            .unwrap_or(self.base.path());
        let expected = format!("{base}/{}", segments.join("/"));
        let whole = url.path() == expected && segments.iter().all(|segment| !segment.is_empty());
        whole.then_some(url)
    }

    /// Where GraphQL is.
    pub(super) fn graphql(&self) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        let path = base.strip_suffix(ENTERPRISE_REST).map_or_else(
            || format!("{base}/graphql"),
            |before| format!("{before}{ENTERPRISE_GRAPHQL}"),
        );
        url.set_path(&path);
        url
    }

    /// The page after the one at `from` that these headers came with.
    pub(super) fn next(
        &self,
        subject: &str,
        from: &Url,
        headers: &HeaderMap,
    ) -> Result<Option<Url>, Failure> {
        let next = link::next(headers);
        next.map(|target| self.resolve(subject, from, &target))
            .transpose()
    }

    /// The address that GitHub named in an answer from `from`, if it is ours to ask.
    pub(super) fn resolve(&self, subject: &str, from: &Url, target: &str) -> Result<Url, Failure> {
        let Ok(url) = from.join(target) else {
            let reason = format!("GitHub refers to an unreadable address for {subject}");
            return Err(Failure::Final { reason });
        };
        self.own(subject, url)
    }

    /// `url`, if it lies within the configured origin and brings no credentials of
    /// its own. Every address passes here before it is asked.
    pub(super) fn own(&self, subject: &str, url: Url) -> Result<Url, Failure> {
        let bare = url.username().is_empty() && url.password().is_none();
        if bare && url.origin() == self.base.origin() {
            return Ok(url);
        }
        let reason = format!(
            "GitHub refers to {} for {subject}, which is outside of API_URL and so is not followed",
            url.origin().ascii_serialization()
        );
        Err(Failure::Final { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: &str) -> Address {
        Address {
            base: base.parse().unwrap(),
        }
    }

    #[test]
    fn an_address_stands_under_the_base_path_with_or_without_a_slash() {
        for (base, whole) in [
            ("https://api.github.com", "https://api.github.com"),
            ("https://api.github.com/", "https://api.github.com"),
            ("https://ghe.example/api/v3", "https://ghe.example/api/v3"),
            ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
        ] {
            let url = address(base).url(&["repos", "a", "b.c", "issues"]).unwrap();
            assert_eq!(url.as_str(), format!("{whole}/repos/a/b.c/issues"));
        }
        let bot = address("https://api.github.com")
            .url(&["users", "dependabot[bot]"])
            .unwrap();
        assert_eq!(bot.path(), "/users/dependabot[bot]");
    }

    #[test]
    fn graphql_stands_where_each_kind_of_github_has_it() {
        for (base, graphql) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            (
                "https://ghe.example/api/v3/",
                "https://ghe.example/api/graphql",
            ),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x/graphql"),
        ] {
            assert_eq!(address(base).graphql().as_str(), graphql);
        }
    }

    #[test]
    fn a_segment_that_would_bend_the_address_gives_none() {
        let address = address("https://ghe.example/api/v3");
        for bent in [
            "..", ".", "%2e%2e", "../x", "a/b", "a?b", "a#b", "a b", "a\nb", "é", "a%2fb", "a\\b",
            "",
        ] {
            let url = address.url(&["users", bent]);
            assert!(url.is_none(), "{bent:?} {url:?}");
        }
    }

    #[test]
    fn only_the_configured_origin_is_ours() {
        let address = address("https://ghe.example:8443/api/v3");
        let from: Url = "https://ghe.example:8443/api/v3/repos/a/b/issues"
            .parse()
            .unwrap();
        for ours in ["https://ghe.example:8443/elsewhere", "/x", "?page=2"] {
            assert!(address.resolve("x", &from, ours).is_ok(), "{ours}");
        }
        let foreign = [
            "https://ghe.example/x",
            "http://ghe.example:8443/x",
            "https://evil.example:8443/x",
            "//evil.example/x",
            "https://ghe.example:8443@evil.example/x",
            "https://user:secret@ghe.example:8443/x",
            "file:///etc/passwd",
            "http://[",
        ];
        for target in foreign {
            let refused = address.resolve("repository a/b", &from, target);
            let Err(Failure::Final { reason }) = refused else {
                panic!("{target} is refused, not {refused:?}");
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
