//! Asks a site for things, and keeps all that it says.

use hookme_shared::job::JobId;
use hookme_tests::{Site, eventually};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use super::{KEY, OPERATOR_KEY, PATIENCE};

/// Who asks, and what was answered so far: status, headers and body of each answer.
pub(super) struct Asker<'a> {
    pub(super) site: &'a Site,
    pub(super) heard: String,
}

impl<'a> Asker<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        Self {
            site,
            heard: String::new(),
        }
    }

    /// Sends a request and returns the answer's status and body.
    pub(super) async fn send(&mut self, request: reqwest::RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let headers = format!("{:?}", answer.headers());
        let body = answer.text().await.unwrap();
        for part in [&*headers, "\n", &*body, "\n"] {
            self.heard += part;
        }
        (status, body)
    }

    /// GET with an operator's key.
    pub(super) async fn get(&mut self, path: &str) -> String {
        let request = self.site.client.request(Method::GET, path);
        let (_, body) = self.send(request.bearer_auth(OPERATOR_KEY)).await;
        body
    }

    /// The request of a task, with the client's key.
    pub(super) fn posting(&self, task: &Value) -> reqwest::RequestBuilder {
        let request = self.site.client.request(Method::POST, "/tasks");
        let request = request.header(AUTHORIZATION, format!("Bearer {KEY}"));
        let request = request.header(CONTENT_TYPE, "application/json");
        request.body(task.to_string())
    }

    /// Posts a task and returns its record as soon as it holds `text`.
    pub(super) async fn task_until(&mut self, task: &Value, text: &str) -> String {
        let body = loop {
            let posted = self.posting(task);
            let (status, body) = self.send(posted).await;
            // A busy machine is slower than the API waits for Redis.
            if status != 503 {
                assert!(status == 202 || status == 200, "{body}");
                break body;
            }
        };
        let id: JobId = serde_json::from_str::<Value>(&body).unwrap()["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let (site, path) = (self.site, format!("/tasks/{id}"));
        eventually(PATIENCE, text, async || {
            let request = site.client.request(Method::GET, &path).bearer_auth(KEY);
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let body = answer.text().await.map_err(|error| error.to_string())?;
            if body.contains(text) {
                Ok(())
            } else {
                Err(body)
            }
        })
        .await
        .unwrap();
        self.get(&path).await
    }

    /// What every page of the API says, and `/metrics` of both programs: the API's own is
    /// named in its log, the worker's is `operators`.
    pub(super) async fn look_everywhere(&mut self, operators: &str) {
        for path in [
            "/tasks?state=scheduled",
            "/tasks?state=running",
            "/tasks?state=succeeded",
            "/tasks?state=dead",
            "/destinations",
            "/openapi.json",
            "/docs",
            "/readyz",
            "/livez",
        ] {
            self.get(path).await;
        }
        let line = self.site.api.wait_for_log("serving operators", PATIENCE);
        let line: Value = serde_json::from_str(&line.await.unwrap()).unwrap();
        let address = line["address"].as_str().unwrap().to_owned();
        for (address, path) in [
            (&*address, "/metrics"),
            (&*address, "/tasks"),
            (operators, "/metrics"),
            (operators, "/readyz"),
        ] {
            let url = format!("http://{address}{path}");
            let (status, body) = self.send(reqwest::Client::new().get(url)).await;
            assert!(status == 200 && !body.is_empty(), "{path}: {status} {body}");
        }
    }
}
