//! Where a task's result goes, if its client names a place of its own.
//!
//! Whether that place may be reached at all is not decided here.

use std::fmt;

use url::Url;

use crate::digest::short_hash;

/// The id of the place that the operator set, `WEBHOOK_URL`.
pub const DEFAULT_ID: &str = "default";

/// A URL that results are sent to. Its query may hold a secret, so neither `Debug` nor
/// `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination(Url);

impl Destination {
    /// The place that `url` names. What stands behind a `#` is no part of it.
    #[must_use]
    pub fn new(mut url: Url) -> Self {
        url.set_fragment(None);
        Self(url)
    }

    /// The whole URL, for the one place that sends to it and the one that stores it.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// What tells it from others, whatever its query: 32 hexadecimal digits. What a
    /// receiver wants no more is all of these.
    #[must_use]
    pub fn id(&self) -> String {
        short_hash(&[b"hookme destination", self.to_string().as_bytes()])
    }

    /// Scheme, host and port: what a receiver's trouble is taken to be shared by.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

/// The URL without its query.
impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        formatter.write_str(shown.as_str())
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Destination({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(url: &str) -> Destination {
        Destination::new(url.parse().unwrap())
    }

    #[test]
    fn a_destination_is_its_url_without_the_query() {
        let one = destination("https://a.example/hook?key=canary#part");
        assert_eq!(one.to_string(), "https://a.example/hook");
        assert_eq!(one.url().as_str(), "https://a.example/hook?key=canary");
        assert_eq!(one.origin(), "https://a.example");
        assert_eq!(
            one.id(),
            destination("https://A.example:443/hook?key=2").id()
        );
        for other in [
            "http://a.example/hook",
            "https://a.example/hook2",
            "https://a.example:8443/hook",
        ] {
            assert_ne!(one.id(), destination(other).id(), "{other}");
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let shown = format!("{:?}", destination("https://a.example/?key=canary"));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
