//! The one door to GitHub: every request goes through [`GithubClient::get`].
//!
//! What all workers must share stands, when it comes, in that one function, before
//! the request is sent: the pacing that makes them one client in GitHub's eyes,
//! and the cache of answers with conditional requests. Until then each process
//! asks as fast as its jobs do, and only the refusals are obeyed, job by job.
//!
//! The token is sent to the configured origin and to nobody else. Redirects and
//! the links between pages come from outside, so each target is judged here.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, StatusCode};
use url::Url;

use super::{FetchFailure, link};
use crate::http::{self, ClientError, ReadError};
use crate::policy::github::{self, Reading};
use crate::settings::github::GithubSettings;

/// The version of the API whose answers this module reads. GitHub Docs, "API
/// Versions".
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");
const API_VERSION_NAME: HeaderName = HeaderName::from_static("x-github-api-version");
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");

/// The largest answer that is read, in bytes. A larger one ends the job, since the
/// same request would bring the same again. A page of 100 issues is rarely a
/// tenth of this.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much of a refusal is read, in bytes; the rest is left unread.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// How long a refusal's body may take; what came by then is used.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(5);
/// Redirects followed for one request; one more ends the job. A renamed repository
/// takes one.
const REDIRECTS_MAX: usize = 3;

/// What GitHub answered, as far as it serves the report.
pub(super) enum Answer {
    /// The body, and the next page if it names one.
    Body { bytes: Bytes, next: Option<Url> },
    /// Nothing, and that is the answer.
    Empty,
    /// The contributors are too many to be listed.
    TooLarge,
}

/// Asks the configured GitHub.
pub(super) struct GithubClient {
    http: Client,
    base: Url,
    headers: HeaderMap,
}

impl GithubClient {
    pub(super) fn new(settings: &GithubSettings) -> Result<Self, ClientError> {
        let mut headers =
            HeaderMap::from_iter([(ACCEPT, MEDIA_TYPE), (API_VERSION_NAME, API_VERSION)]);
        if let Some(authorization) = &settings.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let http = http::github_client(settings.timeout)?;
        Ok(Self {
            http,
            base: settings.api_url.clone(),
            headers,
        })
    }

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

    /// Asks for `url`, which is about `subject` (for the reasons), and follows
    /// redirects within the origin.
    pub(super) async fn get(&self, subject: &str, url: Url) -> Result<Answer, FetchFailure> {
        let mut url = self.own(subject, url)?;
        for _ in 0..=REDIRECTS_MAX {
            let (headers, bytes, reading) = self.send(subject, url.clone()).await?;
            match reading {
                Reading::Body => {
                    let next = self.next(subject, &url, &headers)?;
                    return Ok(Answer::Body { bytes, next });
                }
                Reading::Empty => return Ok(Answer::Empty),
                Reading::TooLarge => return Ok(Answer::TooLarge),
                Reading::Moved(location) => url = self.resolve(subject, &url, &location)?,
                Reading::Final { reason } => return Err(FetchFailure::Final { reason }),
                Reading::Later {
                    reason,
                    retry_after,
                } => {
                    return Err(FetchFailure::Later {
                        reason,
                        retry_after,
                    });
                }
            }
        }
        let reason = format!("GitHub redirects {subject} more than {REDIRECTS_MAX} times");
        Err(FetchFailure::Final { reason })
    }

    /// Sends one request and reads its answer.
    async fn send(
        &self,
        subject: &str,
        url: Url,
    ) -> Result<(HeaderMap, Bytes, Reading), FetchFailure> {
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().clone_from(&self.headers);
        let answer = self.http.execute(request).await;
        let mut response = answer.map_err(|error| unanswered(subject, error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = if status == StatusCode::OK {
            let body = http::read_bounded(response, PAGE_BYTES_MAX).await;
            body.map_err(|error| unread(subject, error))?
        } else {
            log_refusal(status, &headers);
            http::read_start(response, REFUSAL_BYTES_MAX, REFUSAL_TIME_MAX).await
        };
        let reading = github::read(subject, status, &headers, &body);
        Ok((headers, body, reading))
    }

    fn next(
        &self,
        subject: &str,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Option<Url>, FetchFailure> {
        let next = link::next(headers);
        next.map(|target| self.resolve(subject, url, &target))
            .transpose()
    }

    /// The address that GitHub named in an answer from `from`, if it is ours to ask.
    fn resolve(&self, subject: &str, from: &Url, target: &str) -> Result<Url, FetchFailure> {
        let Ok(url) = from.join(target) else {
            let reason = format!("GitHub refers to an unreadable address for {subject}");
            return Err(FetchFailure::Final { reason });
        };
        self.own(subject, url)
    }

    /// `url`, if it lies within the configured origin and brings no credentials of
    /// its own. Every address passes here before it is asked.
    fn own(&self, subject: &str, url: Url) -> Result<Url, FetchFailure> {
        let bare = url.username().is_empty() && url.password().is_none();
        if bare && url.origin() == self.base.origin() {
            return Ok(url);
        }
        let reason = format!(
            "GitHub refers to {} for {subject}, which is outside of API_URL and so is not followed",
            url.origin().ascii_serialization()
        );
        Err(FetchFailure::Final { reason })
    }
}

/// The id is what GitHub's support asks for.
fn log_refusal(status: StatusCode, headers: &HeaderMap) {
    let id = headers
        .get("x-github-request-id")
        .and_then(|value| value.to_str().ok());
    tracing::debug!(
        http.status = status.as_u16(),
        github.request.id = id,
        "GitHub answered with something other than data"
    );
}

fn unanswered(subject: &str, error: reqwest::Error) -> FetchFailure {
    FetchFailure::Later {
        reason: format!(
            "GitHub did not answer for {subject}: {}",
            http::describe(error)
        ),
        retry_after: None,
    }
}

fn unread(subject: &str, error: ReadError) -> FetchFailure {
    match error {
        ReadError::TooLong { bytes_max } => FetchFailure::Final {
            reason: format!("GitHub's answer for {subject} is longer than {bytes_max} bytes"),
        },
        ReadError::Interrupted(error) => FetchFailure::Later {
            reason: format!(
                "GitHub's answer for {subject} broke off: {}",
                http::describe(error)
            ),
            retry_after: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(api_url: &str) -> GithubClient {
        let settings = GithubSettings {
            api_url: api_url.parse().unwrap(),
            authorization: None,
            include_pull_requests: false,
            timeout: Duration::from_secs(1),
        };
        GithubClient::new(&settings).unwrap()
    }

    #[test]
    fn an_address_stands_under_the_base_path_with_or_without_a_slash() {
        let table = [
            (
                "https://api.github.com",
                "https://api.github.com/repos/a/b.c/issues",
            ),
            (
                "https://api.github.com/",
                "https://api.github.com/repos/a/b.c/issues",
            ),
            (
                "https://ghe.example/api/v3",
                "https://ghe.example/api/v3/repos/a/b.c/issues",
            ),
            (
                "https://ghe.example/api/v3/",
                "https://ghe.example/api/v3/repos/a/b.c/issues",
            ),
        ];
        for (base, expected) in table {
            let url = client(base).url(&["repos", "a", "b.c", "issues"]).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        let bot = client("https://api.github.com")
            .url(&["users", "dependabot[bot]"])
            .unwrap();
        assert_eq!(bot.path(), "/users/dependabot[bot]");
    }

    #[test]
    fn a_segment_that_would_bend_the_address_gives_none() {
        let client = client("https://ghe.example/api/v3");
        for bent in [
            "..", ".", "%2e%2e", "../x", "a/b", "a?b", "a#b", "a b", "a\nb", "é", "a%2fb", "a\\b",
            "",
        ] {
            let url = client.url(&["users", bent]);
            assert!(url.is_none(), "{bent:?} {url:?}");
        }
    }

    #[test]
    fn only_the_configured_origin_is_ours() {
        let client = client("https://ghe.example:8443/api/v3");
        let from: Url = "https://ghe.example:8443/api/v3/repos/a/b/issues"
            .parse()
            .unwrap();
        for ours in ["https://ghe.example:8443/elsewhere", "/x", "?page=2"] {
            assert!(client.resolve("x", &from, ours).is_ok(), "{ours}");
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
            let refused = client.resolve("repository a/b", &from, target);
            let Err(FetchFailure::Final { reason }) = refused else {
                panic!("{target} is refused, not {refused:?}");
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
