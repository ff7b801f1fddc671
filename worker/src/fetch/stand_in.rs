//! A stand-in for GitHub: a real server that answers as a test says, and remembers
//! what it was asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Response};
use hookme_shared::queue::Pace;

use super::Fetcher;
use crate::github::Github;
use crate::http::testing::{Server, serve};
use crate::settings::github::GithubSettings;

pub(super) const ISSUES: &str = "/repos/octo/hello/issues?per_page=100";
pub(super) const CONTRIBUTORS: &str = "/repos/octo/hello/contributors?per_page=100";

/// What the stand-in answers: status, headers, body.
pub(super) struct Reply(
    pub(super) u16,
    pub(super) Vec<(&'static str, String)>,
    pub(super) Body,
);

pub(super) fn json(body: impl Into<String>) -> Reply {
    Reply(200, vec![], Body::from(body.into()))
}

pub(super) fn status(status: u16, body: &'static str) -> Reply {
    Reply(status, vec![], Body::from(body))
}

pub(super) fn moved(status: u16, location: impl Into<String>) -> Reply {
    Reply(status, vec![("location", location.into())], Body::empty())
}

pub(super) fn page(body: &'static str, next: impl AsRef<str>) -> Reply {
    let link = format!(r#"<{}>; rel="next""#, next.as_ref());
    Reply(200, vec![("link", link)], Body::from(body))
}

pub(super) type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// A stand-in for GitHub, and what it was asked.
pub(super) struct StandIn {
    pub(super) server: Server,
    pub(super) seen: Seen,
}

impl StandIn {
    /// Answers by path and query; what has no answer gets an empty list under
    /// `/repos` and a 404 elsewhere.
    pub(super) async fn answering(
        answer: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let (seen, answer) = (Seen::default(), Arc::new(answer));
        let log = Arc::clone(&seen);
        let handler = move |request: Request| {
            let asked = request.uri().to_string();
            log.lock()
                .unwrap()
                .push((asked.clone(), request.headers().clone()));
            let otherwise = || {
                if asked.starts_with("/repos/") {
                    json("[]")
                } else {
                    status(404, "{}")
                }
            };
            let Reply(status, headers, body) = answer(&asked).unwrap_or_else(otherwise);
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            async move { response.body(body).unwrap() }
        };
        let server = serve(Router::new().fallback(handler)).await;
        Self { server, seen }
    }

    pub(super) fn fetcher(&self) -> Fetcher {
        self.fetcher_with(|_| {})
    }

    pub(super) fn fetcher_with(&self, change: impl Fn(&mut GithubSettings)) -> Fetcher {
        let mut settings = self.settings();
        change(&mut settings);
        let pull_requests = settings.include_pull_requests;
        Fetcher::new(Arc::new(Github::alone(&settings).unwrap()), pull_requests)
    }

    pub(super) fn door(&self) -> Github {
        Github::alone(&self.settings()).unwrap()
    }

    fn settings(&self) -> GithubSettings {
        GithubSettings {
            api_url: self.server.url.clone(),
            authorization: Some(HeaderValue::from_static("Bearer t0ken")),
            include_pull_requests: false,
            timeout: Duration::from_secs(20),
            cache_max_bytes: 0,
            pace: Pace {
                in_flight: 0,
                read_gap: Duration::ZERO,
                write_gap: Duration::ZERO,
                content_per_minute: 0,
                content_per_hour: 0,
            },
        }
    }

    /// Everything that was asked for, path and query, sorted.
    pub(super) fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked: Vec<_> = seen.iter().map(|(asked, _)| asked.clone()).collect();
        asked.sort();
        asked
    }
}
