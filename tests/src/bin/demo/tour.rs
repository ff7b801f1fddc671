//! What the steps have in common: asking the API and looking at the answer, in
//! view of the audience.

use std::time::Duration;

use anyhow::Context;
use hookme_tests::eventually;
use hookme_tests::site::Site;
use redis::aio::MultiplexedConnection;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::screen::{Screen, Style};
use crate::stage::{self, OWNER};

/// How long anything may take. Far more than it takes on an idle machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The parts, and where they are shown.
pub(super) struct Tour {
    pub(super) screen: Screen,
    pub(super) site: Site,
    pub(super) redis: MultiplexedConnection,
    /// The API's origin.
    pub(super) url: String,
}

/// What the API answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The body as it came.
    pub(super) text: String,
    /// The body as JSON.
    pub(super) body: Value,
}

impl Answer {
    /// The id of the task that it is about.
    pub(super) fn id(&self) -> anyhow::Result<String> {
        let id = self.body["id"].as_str();
        let id = id.with_context(|| format!("{} without an id: {}", self.status, self.text))?;
        Ok(id.to_owned())
    }
}

impl Tour {
    pub(super) async fn new(screen: Screen, site: Site) -> anyhow::Result<Self> {
        Ok(Self {
            screen,
            redis: site.connection().await?,
            url: stage::api_url(&site).await?,
            site,
        })
    }

    /// Posts a task and shows the request and the head of the answer.
    ///
    /// `more` is what follows the two members that every task has.
    pub(super) async fn post(&mut self, repository: &str, more: &str) -> anyhow::Result<Answer> {
        let body = format!(r#"{{"username": "{OWNER}", "repository": "{repository}"{more}}}"#);
        self.screen
            .command(format_args!("curl -i $API/tasks --json '{body}'"))?;
        let request = self.site.client.request(Method::POST, "/tasks");
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await?;
        let status = response.status();
        let style = if status.is_success() {
            Style::Good
        } else {
            Style::Bad
        };
        let status_line = format!("{:?} {status}", response.version());
        self.screen.lines(style, status_line)?;
        if let Some(location) = response.headers().get("location") {
            let location = format!("location: {}", location.to_str()?);
            self.screen.lines(Style::Faint, location)?;
        }
        let text = response.text().await?;
        let body = serde_json::from_str(&text)?;
        Ok(Answer { status, text, body })
    }

    /// Shows these members of a task, as a client gets them.
    pub(super) fn show(&mut self, id: &str, task: &Value, members: &[&str]) -> anyhow::Result<()> {
        let filter = members.join(", ");
        self.screen
            .command(format_args!("curl -s $API/tasks/{id} | jq '{{{filter}}}'"))?;
        let members = members
            .iter()
            .map(|name| format!("\"{name}\":{}", task[name]));
        let members: Vec<_> = members.collect();
        self.screen
            .json(&format!("{{{}}}", members.join(",")))
            .map_err(Into::into)
    }

    /// Waits until the API says of the task what `wanted` waits for.
    pub(super) async fn task_when<W>(
        &self,
        id: &str,
        what: &str,
        wanted: W,
    ) -> anyhow::Result<Value>
    where
        W: Fn(&Value) -> bool,
    {
        let what = format!("task {id}, {what}");
        eventually(PATIENCE, &what, async || {
            let task = self.task(id).await.map_err(|error| error.to_string())?;
            if wanted(&task) {
                Ok(task)
            } else {
                Err(task.to_string())
            }
        })
        .await
    }

    /// Waits until the task is in this state.
    pub(super) async fn task_in(&self, id: &str, state: &str) -> anyhow::Result<Value> {
        self.task_when(id, state, |task| task["state"] == state)
            .await
    }

    async fn task(&self, id: &str) -> anyhow::Result<Value> {
        let request = self
            .site
            .client
            .request(Method::GET, &format!("/tasks/{id}"));
        Ok(self.site.client.send(request).await?.body)
    }

    /// A command for the demo's Redis, as a person would type it.
    pub(super) fn redis_cli(&self, words: &str) -> String {
        format!("redis-cli -p {} {words}", self.site.redis.port())
    }
}
