//! The answers of a GitHub that is well.
//!
//! The allowance in `x-ratelimit-*` never shrinks: nothing is counted or refused
//! here.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LINK, USER_AGENT,
    VARY,
};
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::catalog::{Catalog, Entry};
use super::page::Page;
use super::shape;
use super::target::{Query, Resource, Target};
use super::template::Template;

/// The requests an hour that GitHub grants a user's token.
const HOURLY_LIMIT: &str = "5000";

/// An answer before it is sent, so that a fault can still change it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// An answer with a JSON body and without an `ETag`.
    pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(CONTENT_TYPE, json);
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// A refusal in GitHub's words.
    pub(super) fn error(status: StatusCode, message: &str, documentation: &str) -> Self {
        Self::json(
            status,
            shape::error(status.as_u16(), message, documentation).to_string(),
        )
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(super) fn set(&mut self, name: hyper::header::HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Answers a GET.
pub(super) fn answer(catalog: &Catalog, target: &Target, asked: &HeaderMap) -> Answer {
    if !asked.contains_key(USER_AGENT) {
        // Source: GitHub's documentation, "User agent required".
        let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return Answer::error(StatusCode::FORBIDDEN, message, "");
    }
    let mut answer = match &target.resource {
        Resource::Unknown => not_found(""),
        Resource::User(login) => user(catalog, login),
        Resource::Repository(name) => match catalog.find(name) {
            None => not_found("repos/repos#get-a-repository"),
            Some(entry) => repository(catalog, &entry),
        },
        Resource::Issues(name) => match catalog.find(name) {
            None => not_found("issues/issues#list-repository-issues"),
            Some(entry) => issues(catalog, &entry, &target.query),
        },
        Resource::Contributors(name) => match catalog.find(name) {
            None => not_found("repos/repos#list-repository-contributors"),
            Some(entry) => contributors(catalog, &entry, &target.query),
        },
    };
    let unchanged = answer
        .headers
        .get(ETAG)
        .is_some_and(|tag| Some(tag) == asked.get(IF_NONE_MATCH));
    if unchanged {
        answer.status = StatusCode::NOT_MODIFIED;
        answer.headers.remove(CONTENT_TYPE);
        answer.body = Bytes::new();
    }
    answer
}

/// The headers that every answer of GitHub's API carries. `reset`: the end of the
/// hour's allowance, in seconds since 1970. `number`: tells requests apart.
pub(super) fn add_common_headers(headers: &mut HeaderMap, reset: u64, number: usize) {
    let fixed = [
        ("server", "github.com"),
        ("x-github-media-type", "github.v3; format=json"),
        ("x-github-api-version-selected", "2022-11-28"),
        ("x-ratelimit-limit", HOURLY_LIMIT),
        ("x-ratelimit-remaining", "4999"),
        ("x-ratelimit-used", "1"),
        ("x-ratelimit-resource", "core"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in fixed {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry("x-ratelimit-reset")
        .or_insert(HeaderValue::from(reset));
    if let Ok(id) = HeaderValue::from_str(&format!("5AFE:1D00:{number:07X}:{number:07X}:67656B38"))
    {
        headers.entry("x-github-request-id").or_insert(id);
    }
}

fn user(catalog: &Catalog, login: &str) -> Answer {
    let name = catalog.user_name(login);
    let shape = shape::user(catalog.api(), login, name.as_deref());
    cacheable(&shape, ("user", login, name))
}

fn repository(catalog: &Catalog, entry: &Entry) -> Answer {
    let open = entry
        .content
        .issues
        .iter()
        .filter(|(_, closed)| !closed)
        .count();
    let shape = shape::repository(catalog.api(), &entry.full_name, entry.id, open);
    cacheable(&shape, ("repository", entry.id, entry.content.version))
}

fn issues(catalog: &Catalog, entry: &Entry, query: &Query) -> Answer {
    let wanted = |closed: bool| match query.get("state") {
        Some("all") => true,
        Some("closed") => closed,
        _ => !closed,
    };
    let all = entry.content.issues.iter();
    let items = all.filter(|(_, closed)| wanted(*closed));
    let items: Vec<_> = items.map(|(item, _)| item).collect();
    list(catalog, entry, query, "issues", &items)
}

fn contributors(catalog: &Catalog, entry: &Entry, query: &Query) -> Answer {
    if entry.content.contributors.is_empty() {
        // An empty repository: no body and no `ETag`.
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        return Answer {
            status: StatusCode::NO_CONTENT,
            headers,
            body,
        };
    }
    let with_anonymous = matches!(query.get("anon"), Some("1" | "true"));
    let all = entry.content.contributors.iter();
    let items = all.filter(|(_, anonymous)| with_anonymous || !anonymous);
    let items: Vec<_> = items.map(|(item, _)| item).collect();
    list(catalog, entry, query, "contributors", &items)
}

/// One page of `items`. Its links name the repository by its id, as GitHub's do.
fn list(
    catalog: &Catalog,
    entry: &Entry,
    query: &Query,
    segment: &str,
    items: &[&Template],
) -> Answer {
    let page = Page::of(query, items.len());
    let mut body = String::from("[");
    for (index, item) in items[page.items()].iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        item.write(&entry.full_name, entry.id, &mut body);
    }
    body.push(']');
    let mut answer = Answer::json(StatusCode::OK, body);
    let asked = query.with_page(0);
    tag(
        &mut answer,
        (
            segment,
            entry.id,
            entry.content.version,
            page.items(),
            asked,
        ),
    );
    let url = format!("{}/repositories/{}/{segment}", catalog.api(), entry.id);
    if let Some(link) = page.link(&url, query) {
        answer.set(LINK, &link);
    }
    answer
}

fn not_found(documentation: &str) -> Answer {
    let mut answer = Answer::error(StatusCode::NOT_FOUND, "Not Found", documentation);
    tag(&mut answer, ("not found", documentation));
    answer
}

fn cacheable(shape: &Value, identity: impl Hash) -> Answer {
    let mut answer = Answer::json(StatusCode::OK, shape.to_string());
    tag(&mut answer, identity);
    answer
}

/// Makes an answer cacheable. Its `ETag` follows from what was asked and from which
/// version of the content was shown; hashing long bodies would cost too much.
fn tag(answer: &mut Answer, identity: impl Hash) {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    let parts = [(); 4].map(|()| {
        hasher.write_u8(0);
        hasher.finish()
    });
    let [a, b, c, d] = parts;
    answer.set(ETAG, &format!("W/\"{a:016x}{b:016x}{c:016x}{d:016x}\""));
    answer.set(CACHE_CONTROL, "private, max-age=60, s-maxage=60");
    answer.set(
        VARY,
        "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With",
    );
}
