//! What can go wrong with GitHub, on order.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::shape;
use super::target::{Pattern, Target};
use crate::http_server::{self, endless, truncated};

/// What one request meets instead of a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This answer: status, headers, body. JSON unless a header says otherwise.
    Status(u16, Vec<(String, String)>, String),
    /// 502 with a page of HTML.
    Html502,
    /// No answer, and the connection stays open.
    Hang,
    /// The good answer, that much later.
    Delay(Duration),
    /// The connection is closed without an answer.
    DropConnection,
    /// The good answer's head and half of its body; then the connection is closed.
    TruncatedBody,
    /// 200 with white space that never ends, which is no invalid JSON at any point.
    EndlessBody,
    /// The good answer, with `user: null` in each item: deleted accounts.
    UserNull,
    /// 301 to this URL; one that begins with `/` is on this server.
    MovedTo(String),
    /// 403: the contributors are too many to list. It is for good, no rate limit.
    TooLarge,
    /// This status, 5xx, although what was asked for has been done: for a POST, what
    /// it creates exists.
    CreatedThen(u16),
}

impl Fault {
    /// This status, with GitHub's shape of an error.
    #[must_use]
    pub fn status(code: u16) -> Self {
        let body = json!({ "message": format!("Scripted {code}"), "status": code.to_string() });
        Self::Status(code, Vec::new(), body.to_string())
    }

    /// Whether what a request asks for is done nevertheless.
    pub(super) fn lets_happen(&self) -> bool {
        match self {
            Self::Delay(_) | Self::TruncatedBody | Self::UserNull | Self::CreatedThen(_) => true,
            Self::Status(..)
            | Self::Html502
            | Self::Hang
            | Self::DropConnection
            | Self::EndlessBody
            | Self::MovedTo(_)
            | Self::TooLarge => false,
        }
    }
}

/// The faults that are waiting for their requests.
#[derive(Debug, Default)]
pub(super) struct Script {
    once: Vec<(Pattern, VecDeque<Fault>)>,
    always: Vec<(Pattern, Fault)>,
}

impl Script {
    pub(super) fn add(&mut self, pattern: &str, faults: Vec<Fault>) {
        self.once.push((Pattern::parse(pattern), faults.into()));
    }

    pub(super) fn add_always(&mut self, pattern: &str, fault: Fault) {
        self.always.push((Pattern::parse(pattern), fault));
    }

    /// Takes the next fault for this target: scripted ones first, in the order in
    /// which they were added.
    pub(super) fn take(&mut self, target: &Target) -> Option<Fault> {
        let hits = |pattern: &Pattern| pattern.matches(&target.path, &target.query);
        let once = self
            .once
            .iter_mut()
            .find(|(pattern, left)| !left.is_empty() && hits(pattern));
        if let Some((_, left)) = once {
            return left.pop_front();
        }
        self.always
            .iter()
            .find(|(pattern, _)| hits(pattern))
            .map(|(_, fault)| fault.clone())
    }
}

/// Turns the good answer into what `fault` makes of it.
pub(super) async fn apply(fault: Fault, good: Answer, api: &str) -> http_server::Answer {
    match fault {
        Fault::Status(code, headers, body) => Ok(scripted(code, headers, body).into_response()),
        Fault::CreatedThen(code) => {
            let body = shape::error(code, "Server Error", "").to_string();
            Ok(scripted(code, Vec::new(), body).into_response())
        }
        Fault::Html502 => Ok(html_502().into_response()),
        Fault::Hang => std::future::pending().await,
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            Ok(good.into_response())
        }
        Fault::DropConnection => Err(http_server::Cut),
        Fault::TruncatedBody => Ok(cut_short(good)),
        Fault::EndlessBody => {
            let mut response = Answer::json(StatusCode::OK, Bytes::new()).into_response();
            *response.body_mut() = endless(&[b' '; 16 * 1_024]);
            Ok(response)
        }
        Fault::UserNull => Ok(without_users(good).into_response()),
        Fault::MovedTo(location) => Ok(moved(api, &location).into_response()),
        Fault::TooLarge => Ok(too_large().into_response()),
    }
}

/// An answer that was written out; what HTTP cannot carry becomes a plain 500.
fn scripted(code: u16, headers: Vec<(String, String)>, body: String) -> Answer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Answer::json(status, body);
    for (name, value) in headers {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => _ = answer.headers.insert(name, value),
            _ => answer.status = StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
    answer
}

fn html_502() -> Answer {
    let page = "<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body>This page is taking too long to load.</body></html>\n";
    let mut answer = Answer::json(StatusCode::BAD_GATEWAY, page);
    answer.set(CONTENT_TYPE, "text/html; charset=utf-8");
    answer
}

fn cut_short(good: Answer) -> Response<Body> {
    let half = good.body.slice(..good.body.len() / 2);
    // One byte more than there is, should there be none at all.
    let promised = HeaderValue::from(good.body.len().max(1));
    let mut response = good.into_response();
    response.headers_mut().insert(CONTENT_LENGTH, promised);
    *response.body_mut() = truncated(half);
    response
}

fn without_users(mut good: Answer) -> Answer {
    if let Ok(Value::Array(mut items)) = serde_json::from_slice(&good.body) {
        for item in &mut items {
            item["user"] = Value::Null;
        }
        good.body = Value::Array(items).to_string().into();
    }
    good
}

fn moved(api: &str, location: &str) -> Answer {
    let origin = if location.starts_with('/') { api } else { "" };
    Answer::redirect(
        StatusCode::MOVED_PERMANENTLY,
        &format!("{origin}{location}"),
    )
}

fn too_large() -> Answer {
    let message = "The history or contributor list is too large to list contributors for this repository via the API.";
    let page = "reference/repos#list-repository-contributors";
    Answer::error(StatusCode::FORBIDDEN, message, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripted_faults_come_in_order_and_then_the_permanent_one() {
        let mut script = Script::default();
        script.add_always("/", Fault::Hang);
        script.add("/repos/o/r/issues", vec![Fault::Html502, Fault::TooLarge]);
        let target = |path| Target::parse(path, "", |_| None);
        let issues = target("/repos/O/R/issues");
        assert_eq!(
            script.take(&target("/repos/o/r2/issues")),
            Some(Fault::Hang)
        );
        assert_eq!(script.take(&issues), Some(Fault::Html502));
        assert_eq!(script.take(&issues), Some(Fault::TooLarge));
        assert_eq!(script.take(&issues), Some(Fault::Hang));
    }
}
