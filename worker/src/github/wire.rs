//! One request to GitHub and its answer: bytes on the wire, and nothing decided.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Request, StatusCode};

use super::Failure;

use crate::http::{self, ClientError, ReadError};
use crate::last_answer;
use crate::settings::github::GithubSettings;

/// The version of the API whose answers are read. GitHub Docs, "API Versions".
pub(super) const API_VERSION: &str = "2022-11-28";
const API_VERSION_NAME: HeaderName = HeaderName::from_static("x-github-api-version");
/// What is asked for.
pub(super) const MEDIA_TYPE: &str = "application/vnd.github+json";

/// The largest answer that is read, in bytes. A larger one ends the job, since the
/// same request would bring the same again. A page of 100 issues is rarely a
/// tenth of this.
pub(super) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How much of a refusal is read, in bytes; the rest is left unread.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// How long a refusal's body may take; what came by then is used.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(5);

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The whole body of a success, the start of any other.
    pub(super) body: Bytes,
    /// When the headers came: the times in them count from there.
    pub(super) at: Instant,
}

/// Sends requests to GitHub.
pub(super) struct Wire {
    http: Client,
    headers: HeaderMap,
}

impl Wire {
    pub(super) fn new(settings: &GithubSettings) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static(MEDIA_TYPE)),
            (API_VERSION_NAME, HeaderValue::from_static(API_VERSION)),
        ]);
        if let Some(authorization) = &settings.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(Self {
            http: http::github_client(settings.timeout)?,
            headers,
        })
    }

    /// Sends `request`, which is about `subject` (for the reasons), with the headers
    /// that every request carries.
    pub(super) async fn send(&self, subject: &str, mut request: Request) -> Result<Reply, Failure> {
        let headers = self.headers.iter();
        request
            .headers_mut()
            .extend(headers.map(|(name, value)| (name.clone(), value.clone())));
        last_answer::forget();
        let answer = self.http.execute(request).await;
        let mut response = answer.map_err(|error| unanswered(subject, error))?;
        last_answer::note(response.status());
        let at = Instant::now();
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = if status.is_success() {
            let body = http::read_bounded(response, BODY_BYTES_MAX).await;
            body.map_err(|error| unread(subject, error))?
        } else {
            log_refusal(status, &headers);
            http::read_start(response, REFUSAL_BYTES_MAX, REFUSAL_TIME_MAX).await
        };
        Ok(Reply {
            status,
            headers,
            body,
            at,
        })
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

fn unanswered(subject: &str, error: reqwest::Error) -> Failure {
    Failure::Later {
        reason: format!(
            "GitHub did not answer for {subject}: {}",
            http::describe(error)
        ),
        retry_after: None,
    }
}

fn unread(subject: &str, error: ReadError) -> Failure {
    match error {
        ReadError::TooLong { bytes_max } => Failure::Final {
            reason: format!("GitHub's answer for {subject} is longer than {bytes_max} bytes"),
        },
        ReadError::Interrupted(error) => Failure::Later {
            reason: format!(
                "GitHub's answer for {subject} broke off: {}",
                http::describe(error)
            ),
            retry_after: None,
        },
    }
}
