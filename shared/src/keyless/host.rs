//! The hosts that a listener without keys answers to.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name of a host, in characters (RFC 1035, section 2.3.4).
const NAME_MAX: usize = 253;
/// The name of this machine, which leads nowhere else (RFC 6761, section 6.3).
const LOCALHOST: &str = "localhost";

/// The hosts that a listener without keys answers to, beside IP addresses, which are no
/// names, and `localhost`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Host>);

/// A host, without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// An IP address.
    Address,
    /// A name, in lower case and without a dot at its end.
    Name(String),
}

/// A text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no name of a host")]
pub struct NoHost;

impl AllowedHosts {
    /// Says whether requests for `authority`, a host with or without a port, are answered.
    pub(super) fn allows(&self, authority: &str) -> bool {
        match authority.parse() {
            Ok(Host::Address) => true,
            Ok(Host::Name(name)) if name == LOCALHOST => true,
            Ok(named) => self.0.contains(&named),
            Err(NoHost) => false,
        }
    }
}

impl FromStr for AllowedHosts {
    type Err = NoHost;

    /// Reads names with commas between; between two commas may be nothing.
    fn from_str(text: &str) -> Result<Self, NoHost> {
        let names = text.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Host {
    type Err = NoHost;

    /// Reads `host[:port]`; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
    fn from_str(text: &str) -> Result<Self, NoHost> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, port) = bracketed.split_once(']').ok_or(NoHost)?;
            let is_address = address.parse::<Ipv6Addr>().is_ok();
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return (is_address && is_port)
                .then_some(Self::Address)
                .ok_or(NoHost);
        }
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        let host = host.strip_suffix('.').unwrap_or(host);
        if !is_port(port) || !is_name(host) {
            return Err(NoHost);
        }
        Ok(if host.parse::<Ipv4Addr>().is_ok() {
            Self::Address
        } else {
            Self::Name(host.to_ascii_lowercase())
        })
    }
}

/// Says whether `text` is a port, or the nothing that may stand in its place.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Says whether `text` has the letters of a name; an underscore is none of DNS, but of
/// container engines.
fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let mut labels = text.split('.');
    text.len() <= NAME_MAX && labels.all(|label| !label.is_empty() && label.bytes().all(is_letter))
}
