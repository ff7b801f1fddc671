//! Keeps clients from making us reach what only we can reach.
//!
//! A URL that a client names is judged twice: by its text, where the task is taken and
//! again before anything is sent; and by each address that its host turns out to have,
//! where a connection is made. Rules only: nothing here looks a name up. What the operator
//! sets is trusted as given and does not come here.

mod ranges;

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use crate::destination::Destination;

/// The longest URL, in bytes.
pub const URL_MAX_BYTES: usize = 2048;

/// Ends of names that are never on the public Internet.
///
/// Source: IANA, "Special-Use Domain Names", and ICANN's reservation of `internal`.
const PRIVATE_NAMES: [&str; 8] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "home.arpa",
    "onion",
    "test",
    "invalid",
];

/// Why a URL of a client is not sent to, in words for that client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No URL, or one with characters that parsers read in different ways.
    #[error(
        "it must be a URL of at most {URL_MAX_BYTES} bytes without spaces, control characters or backslashes"
    )]
    Unreadable,
    /// Neither https nor, where that is allowed, http.
    #[error("it must begin with https://")]
    Scheme,
    /// A user name, a password or a fragment.
    #[error("it must have no user name, password or fragment")]
    Credentials,
    /// A port of something that is no web server.
    #[error("its port must be 443, 80 or one from 1024 on")]
    Port,
    /// A name that is never public.
    #[error("its host must have a name that is known everywhere, like hooks.example.com")]
    Name,
    /// An address that is not public.
    #[error("its host must not have a private address")]
    Address,
}

/// Says what clients may make us reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// Networks that are allowed though they are not public.
    pub allowed: Vec<IpNet>,
    /// Whether a URL may begin with `http://`.
    pub allow_http: bool,
}

impl Guard {
    /// Judges a client's URL by its text.
    ///
    /// # Errors
    ///
    /// Why it is not sent to.
    pub fn parse(&self, text: &str) -> Result<Destination, Refusal> {
        // The parser drops tabs and line feeds, and takes a backslash for a slash; others
        // do not, and would see another host.
        let odd = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'\\';
        if text.len() > URL_MAX_BYTES || text.bytes().any(odd) {
            return Err(Refusal::Unreadable);
        }
        let url = Url::parse(text).map_err(|_| Refusal::Unreadable)?;
        self.judge(&url)?;
        // What is stored is what was parsed, and may be longer than what was given.
        if url.as_str().len() > URL_MAX_BYTES {
            return Err(Refusal::Unreadable);
        }
        Ok(Destination::new(url))
    }

    /// Judges a URL that was parsed: by everything but the addresses of a host that has a
    /// name.
    ///
    /// # Errors
    ///
    /// Why it is not sent to.
    pub fn judge(&self, url: &Url) -> Result<(), Refusal> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            _ => return Err(Refusal::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Refusal::Credentials);
        }
        if !matches!(url.port_or_known_default(), Some(80 | 443 | 1024..)) {
            return Err(Refusal::Port);
        }
        match url.host().ok_or(Refusal::Unreadable)? {
            Host::Ipv4(address) if self.allows(address.into()) => Ok(()),
            Host::Ipv6(address) if self.allows(address.into()) => Ok(()),
            Host::Ipv4(_) | Host::Ipv6(_) => Err(Refusal::Address),
            Host::Domain(name) => self.judge_name(name),
        }
    }

    /// Whether a connection to this address may be made.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        ranges::is_public(address) || self.allowed.iter().any(|net| net.contains(&canonical))
    }

    /// Where private networks are allowed, so are their names: the address will tell.
    fn judge_name(&self, name: &str) -> Result<(), Refusal> {
        // A dot at the end names the same host in another way.
        let labels: Vec<&str> = name.split('.').collect();
        let is_whole = labels.iter().all(|label| !label.is_empty());
        let ends_with = |end: &str| {
            let before = name.strip_suffix(end);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let is_private = labels.len() < 2 || PRIVATE_NAMES.iter().any(|end| ends_with(end));
        if is_whole && (!is_private || !self.allowed.is_empty()) {
            Ok(())
        } else {
            Err(Refusal::Name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &str, allow_http: bool) -> Guard {
        Guard {
            allowed: allowed
                .split_whitespace()
                .map(|net| net.parse().unwrap())
                .collect(),
            allow_http,
        }
    }

    #[test]
    fn a_public_place_passes_as_it_was_given() {
        for url in [
            "https://hooks.example.com/in?key=1",
            "https://hooks.example.com:8443/",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
            "https://local.example.com/",
            "https://bücher.example/",
            "https://100.63.255.255/",
        ] {
            let passed = guard("", false).parse(url).unwrap();
            assert_eq!(passed.url(), &url.parse::<Url>().unwrap());
        }
        let http = "http://hooks.example.com/";
        assert_eq!(guard("", false).parse(http), Err(Refusal::Scheme));
        assert!(guard("", true).parse(http).is_ok());
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        let long = format!("https://example.com/{}", "a".repeat(URL_MAX_BYTES));
        // Each letter takes six bytes as it is stored.
        let grows = format!("https://example.com/{}", "é".repeat(500));
        for (url, refusal) in [
            ("", Refusal::Unreadable),
            ("example.com", Refusal::Unreadable),
            ("https://", Refusal::Unreadable),
            (&long, Refusal::Unreadable),
            (&grows, Refusal::Unreadable),
            ("https://exam\tple.com/", Refusal::Unreadable),
            ("https://example.com/\r\nx: y", Refusal::Unreadable),
            ("https://example.com\\@10.0.0.1/", Refusal::Unreadable),
            ("ftp://example.com/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("https://me@example.com/", Refusal::Credentials),
            ("https://:pw@example.com/", Refusal::Credentials),
            ("https://example.com/#part", Refusal::Credentials),
            ("https://example.com:0/", Refusal::Port),
            ("https://example.com:22/", Refusal::Port),
            ("https://example.com:1023/", Refusal::Port),
            ("https://intranet/", Refusal::Name),
            ("https://a.local/", Refusal::Name),
            ("https://local./", Refusal::Name),
            ("https://example.com./", Refusal::Name),
            ("https://a..example.com/", Refusal::Name),
            ("https://10.1.2.3/", Refusal::Address),
        ] {
            assert_eq!(guard("", true).parse(url), Err(refusal), "{url}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached_by_address_and_by_name_and_no_other_is() {
        let guard = guard("10.1.0.0/16 fd00:1::/32", false);
        for address in ["10.1.255.1", "::ffff:10.1.0.1", "fd00:1::9", "8.8.8.8"] {
            assert!(guard.allows(address.parse().unwrap()), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "fd00:2::9", "169.254.169.254"] {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
        for url in [
            "https://10.1.0.1/",
            "https://[fd00:1::1]/",
            "https://receiver.internal/",
            "https://receiver/",
        ] {
            assert!(guard.parse(url).is_ok(), "{url}");
        }
        assert_eq!(guard.parse("https://10.2.0.1/"), Err(Refusal::Address));
    }
}
