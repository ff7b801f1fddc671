//! The check of requests at a listener that asks for no key, for the API and the worker.
//!
//! A browser reaches such a listener from within, and sends it what the page of any
//! website asks for. Two rules keep those pages out. A request is for a host that no
//! stranger can make a name of: else a page whose name leads here for a moment (DNS
//! rebinding) could read and send everything. And what changes something does not come
//! from a page of another origin (cross-site request forgery). What no browser sends
//! passes both.
//!
//! Where a key is asked for, neither rule is needed: a browser adds no
//! `Authorization: Bearer` by itself, and a page does not know the key.

mod host;
mod layer;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

pub use host::AllowedHosts;
pub use layer::protect;

/// The header field in which a browser says of which site the page is that makes it
/// send a request. No page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The reason why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is for a host that is not allowed.
    Host,
    /// It would change something, and a page of another origin sent it.
    CrossOrigin,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::CrossOrigin => StatusCode::FORBIDDEN,
        }
    }

    /// The meaning of the refusal, and what can be done about it.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Host => {
                "ALLOWED_HOSTS does not name the host that this request is for. Where no key is asked for, only IP addresses, localhost and the hosts in ALLOWED_HOSTS are answered. Whoever runs this program can add one."
            }
            Self::CrossOrigin => {
                "A page of another origin made a browser send this. Where no key is asked for, such a page may change nothing. A proxy before this program has to leave the header field Host as it is."
            }
        }
    }
}

impl AllowedHosts {
    /// Judges a request that came in without a key.
    pub fn judge<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let authority = authority(request)?;
        if !authority.is_none_or(|authority| self.allows(authority)) {
            return Err(Refusal::Host);
        }
        if changes_something(request.method()) && is_cross_origin(request.headers(), authority) {
            return Err(Refusal::CrossOrigin);
        }
        Ok(())
    }
}

/// The host and port that a request is for: those in its target if it has any, else
/// those in `Host` (RFC 9112, section 3.2.2). A browser always says it; `None` comes
/// with HTTP/1.0 alone, as [`crate::serve`] refuses the rest.
fn authority<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.as_str()));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => host.to_str().map(Some).map_err(|_| Refusal::Host),
        (Some(_), Some(_)) => Err(Refusal::Host),
    }
}

/// Says whether a method may change something, as far as HTTP goes.
fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Says whether a page of another origin made a browser send the request, by the rule
/// of `CrossOriginProtection` of Go 1.25.
///
/// A browser leaves `Sec-Fetch-Site` out where the address is neither https nor of its
/// own machine; then `Origin` is compared. Its scheme is not: nobody knows here whether
/// a proxy before this listener speaks https.
fn is_cross_origin(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let mut sites = values(headers, SEC_FETCH_SITE).peekable();
    if sites.peek().is_some() {
        return !sites.all(|site| site == "same-origin" || site == "none");
    }
    !values(headers, ORIGIN).all(|origin| {
        let origin = origin.to_str().ok().and_then(authority_of_origin);
        let both = origin.zip(authority);
        both.is_some_and(|(origin, own)| origin.eq_ignore_ascii_case(own))
    })
}

/// The values of a header field; one that is empty says nothing.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
    let values = headers.get_all(name).iter();
    values.filter(|value| !value.is_empty())
}

/// The host and port in an `Origin`, which is `null` for one that a browser keeps to
/// itself.
fn authority_of_origin(origin: &str) -> Option<&str> {
    origin
        .split_once("://")
        .map(|(_scheme, authority)| authority)
}

#[cfg(test)]
mod tests;
