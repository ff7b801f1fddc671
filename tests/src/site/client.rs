//! A client of the API: one that keeps nothing to itself, for tests.

use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hookme_shared::job::JobId;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use rustls::crypto::CryptoProvider;
use serde_json::{Value, json};

/// How long a client waits. The API promises an answer much sooner; that is for
/// tests to measure, not to be cut off.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client waits before it repeats a request.
const AGAIN: Duration = Duration::from_millis(20);

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; `null` if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The id of the task that it is about.
    ///
    /// # Errors
    ///
    /// When it names none.
    pub fn id(&self) -> anyhow::Result<JobId> {
        let id = self.body["id"].as_str();
        let id = id.with_context(|| format!("no id in {self:?}"))?;
        Ok(JobId::from_str(id)?)
    }
}

/// Speaks HTTP with one API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    origin: String,
}

impl ApiClient {
    /// A client of the API at `address`, an IP address and a port.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up.
    pub fn new(address: &str) -> anyhow::Result<Self> {
        if CryptoProvider::get_default().is_none() {
            // Fails if another test of this process was faster, which is as good.
            rustls::crypto::ring::default_provider()
                .install_default()
                .ok();
        }
        let http = reqwest::Client::builder()
            .user_agent("hookme-tests")
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            http,
            origin: format!("http://{address}"),
        })
    }

    /// A request that a test completes and hands to [`ApiClient::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin))
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// `POST /tasks` with this body, and with this `Idempotency-Key` if one is given.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn post_task(&self, body: &Value, key: Option<&str>) -> anyhow::Result<Answer> {
        let request = self.request(Method::POST, "/tasks");
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        self.send(request.body(body.to_string())).await
    }

    /// Posts a task and returns its id. With a key, an answer of 503 is repeated.
    ///
    /// # Errors
    ///
    /// When it is answered with anything but 202.
    pub async fn submit(
        &self,
        username: &str,
        repository: &str,
        key: Option<&str>,
    ) -> anyhow::Result<JobId> {
        let body = json!({"username": username, "repository": repository});
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.post_task(&body, key).await?;
            let again = answer.status == StatusCode::SERVICE_UNAVAILABLE && key.is_some();
            if !again || Instant::now() > end {
                ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
                return answer.id();
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// `GET /tasks/{id}`.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn show(&self, id: JobId) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, &format!("/tasks/{id}")))
            .await
    }

    /// `DELETE /tasks/{id}`.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn cancel(&self, id: JobId) -> anyhow::Result<Answer> {
        self.send(self.request(Method::DELETE, &format!("/tasks/{id}")))
            .await
    }

    /// `POST /tasks/{id}/retry`.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn revive(&self, id: JobId) -> anyhow::Result<Answer> {
        self.send(self.request(Method::POST, &format!("/tasks/{id}/retry")))
            .await
    }
}
