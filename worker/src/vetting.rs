//! Looks up the hosts of clients' URLs, and lets a connection be made only if all of
//! their addresses may be reached.
//!
//! The client dials what comes out of here and looks nothing up itself, so an answer that
//! changes between the look and the connection changes nothing. A host that is an address
//! is never looked up: [`Guard::judge`] sees to those.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hookme_shared::guard::Guard;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Some address of a host may not be reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its host has a private address")]
pub struct Forbidden;

/// Asks the system for addresses.
#[derive(Debug)]
pub struct SystemLookup;

impl Resolve for SystemLookup {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// Asks somebody else for addresses and judges the answer.
pub struct Vetting {
    guard: Arc<Guard>,
    lookup: Arc<dyn Resolve>,
}

impl Vetting {
    /// Judges by `guard` what `lookup` finds.
    pub fn new(guard: Arc<Guard>, lookup: Arc<dyn Resolve>) -> Self {
        Self { guard, lookup }
    }
}

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let found = self.lookup.resolve(name);
        Box::pin(async move {
            let addresses = vet(&guard, found.await?.collect())?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// All of them or none: a host that has one private address among its public ones may
/// lead to either.
fn vet(guard: &Guard, addresses: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    if addresses.iter().all(|address| guard.allows(address.ip())) {
        Ok(addresses)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, Forbidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_private_address_among_public_ones_is_enough_to_refuse_them_all() {
        let addresses = |list: &str| -> Vec<SocketAddr> {
            list.split(' ')
                .map(|address| address.parse().unwrap())
                .collect()
        };
        let guard = Guard::default();
        let public = addresses("1.1.1.1:0 [2606:4700::1]:0");
        assert_eq!(vet(&guard, public.clone()).unwrap(), public);
        for mixed in [
            "1.1.1.1:0 127.0.0.1:0",
            "10.0.0.1:0 1.1.1.1:0",
            "1.1.1.1:0 [::ffff:127.0.0.1]:0",
            "1.1.1.1:0 [fe80::1]:0",
        ] {
            assert!(vet(&guard, addresses(mixed)).is_err(), "{mixed}");
        }
    }
}
