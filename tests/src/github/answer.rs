//! An answer before it is sent, and the headers that every answer carries.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, VARY,
};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::date::{http_date, parse_http_date};
use super::gate::Rates;
use super::shape;

/// The requests an hour that GitHub grants a user's token.
const HOURLY_LIMIT: &str = "5000";

/// An answer before it is sent, so that a fault can still change it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What its `ETag` follows from, if it gets one.
    version: Option<u64>,
    /// When what it shows was last changed, in seconds since 1970.
    modified: Option<u64>,
    /// Whether, without a limiter, its allowance is that of no token.
    pub(super) rates_without_token: bool,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            version: None,
            modified: None,
            rates_without_token: false,
        }
    }

    /// An answer with a JSON body and without an `ETag`.
    pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status);
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        answer.headers.insert(CONTENT_TYPE, json);
        answer.body = body.into();
        answer
    }

    /// A refusal in GitHub's words.
    pub(super) fn error(status: StatusCode, message: &str, documentation: &str) -> Self {
        Self::json(
            status,
            shape::error(status.as_u16(), message, documentation).to_string(),
        )
    }

    /// Sends the client to another URL.
    pub(super) fn redirect(status: StatusCode, url: &str) -> Self {
        let message = status.canonical_reason().unwrap_or_default();
        let body = json!({
            "message": message, "url": url,
            "documentation_url": "https://docs.github.com/v3/#http-redirects",
        });
        let mut answer = Self::json(status, body.to_string());
        answer.set(LOCATION, url);
        answer
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(super) fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// Says when what it shows was last changed, in seconds since 1970.
    pub(super) fn modified(mut self, seconds: u64) -> Self {
        self.modified = Some(seconds);
        self
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// Writes what makes it cacheable, for whom asked with these headers; it becomes
    /// a 304 if the client has it already.
    pub(super) fn conditional(mut self, asked: &HeaderMap) -> Self {
        let Some(version) = self.version else {
            return self;
        };
        let tag = entity_tag(version, asked.get(AUTHORIZATION));
        self.set(CACHE_CONTROL, "private, max-age=60, s-maxage=60");
        self.set(VARY, vary(asked.contains_key(AUTHORIZATION)));
        if let Some(modified) = self.modified {
            self.set(LAST_MODIFIED, &http_date(modified));
        }
        let unchanged = match asked.get(IF_NONE_MATCH) {
            Some(known) => known.as_bytes() == tag.as_bytes(),
            None => self.is_not_newer_than(asked.get(IF_MODIFIED_SINCE)),
        };
        self.set(ETAG, &tag);
        if unchanged && self.status == StatusCode::OK {
            self.status = StatusCode::NOT_MODIFIED;
            self.headers.remove(CONTENT_TYPE);
            self.body = Bytes::new();
        }
        self
    }

    fn is_not_newer_than(&self, date: Option<&HeaderValue>) -> bool {
        let known = date.and_then(|date| parse_http_date(date.to_str().ok()?));
        self.modified
            .is_some_and(|modified| known.is_some_and(|known| modified <= known))
    }
}

/// Makes an answer cacheable. Its `ETag` follows from what was asked and from which
/// version of the content was shown; hashing long bodies would cost too much.
pub(super) fn tag(answer: &mut Answer, identity: impl Hash) {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    answer.version = Some(hasher.finish());
}

/// As on GitHub, another token gets another tag for the same thing.
fn entity_tag(version: u64, authorization: Option<&HeaderValue>) -> String {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    if let Some(authorization) = authorization {
        authorization.as_bytes().hash(&mut hasher);
    }
    let [a, b, c, d] = [(); 4].map(|()| {
        hasher.write_u8(0);
        hasher.finish()
    });
    format!("W/\"{a:016x}{b:016x}{c:016x}{d:016x}\"")
}

/// What an answer depends on; without a token, not on who asks.
fn vary(with_token: bool) -> &'static str {
    if with_token {
        "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"
    } else {
        "Accept, Accept-Encoding, Accept, X-Requested-With"
    }
}

/// The headers that every answer of GitHub's API carries. What stands there already
/// stays. `number`: tells requests apart.
pub(super) fn add_common_headers(headers: &mut HeaderMap, rates: Rates, number: usize) {
    let fixed = [
        ("server", "github.com"),
        ("x-github-media-type", "github.v3; format=json"),
        ("x-github-api-version-selected", "2022-11-28"),
        ("x-content-type-options", "nosniff"),
    ];
    add_fixed(headers, fixed);
    add_rates(headers, rates);
    if let Ok(id) = HeaderValue::from_str(&format!("5AFE:1D00:{number:07X}:{number:07X}:67656B38"))
    {
        headers.entry("x-github-request-id").or_insert(id);
    }
}

fn add_fixed<const N: usize>(headers: &mut HeaderMap, fixed: [(&'static str, &'static str); N]) {
    for (name, value) in fixed {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

fn add_rates(headers: &mut HeaderMap, rates: Rates) {
    let (resource, reset) = match rates {
        Rates::Silent => return,
        Rates::Plenty { reset, token } => {
            let limit = if token { HOURLY_LIMIT } else { "60" };
            let remaining = if token { "4999" } else { "59" };
            let fixed = [
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-used", "1"),
            ];
            add_fixed(headers, fixed);
            ("core", reset)
        }
        Rates::Counted(allowance) => {
            let counts = [
                ("x-ratelimit-limit", allowance.limit),
                ("x-ratelimit-remaining", allowance.remaining),
                ("x-ratelimit-used", allowance.used),
            ];
            for (name, count) in counts {
                headers.entry(name).or_insert(HeaderValue::from(count));
            }
            // Rounded up, so that whoever waits for it does not come too early.
            (allowance.budget.name(), allowance.reset_ms.div_ceil(1_000))
        }
    };
    headers
        .entry("x-ratelimit-resource")
        .or_insert(HeaderValue::from_static(resource));
    headers
        .entry("x-ratelimit-reset")
        .or_insert(HeaderValue::from(reset));
}
