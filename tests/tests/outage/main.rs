//! A Redis that is away, hangs, or loses a request or a reply.

#![cfg(test)]

mod api;
mod ends;
mod idle;
mod lives;
mod lost_replies;
mod stale;
mod starts;
mod workers;

use std::time::Duration;

use hookme_tests::Site;

/// How long to wait for what takes a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How Redis goes away.
#[derive(Debug, Clone, Copy)]
enum Outage {
    /// It hangs: connections stay open, and what is sent is done when it wakes.
    Paused,
    /// It dies, and comes back with what it had synced.
    Killed,
}

impl Outage {
    fn begin(self, site: &Site) {
        match self {
            Self::Paused => site.redis.pause().unwrap(),
            Self::Killed => site.redis.kill().unwrap(),
        }
    }

    async fn end(self, site: &Site) {
        match self {
            Self::Paused => site.redis.resume().unwrap(),
            Self::Killed => site.redis.restart().await.unwrap(),
        }
    }
}
