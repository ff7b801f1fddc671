//! Clients with a fixed pace. A refusal holds back the comment that met it; the others
//! go on.

use std::time::Duration;

use anyhow::Context;

use super::backlog::{Backlog, Waiting};
use super::scene::Scene;

/// GitHub's documented least gap between writes.
///
/// Source: GitHub's documentation, "Best practices for using the REST API".
pub(super) const ONE_A_SECOND: Fixed = Fixed {
    starts: 1,
    span_ms: 1_000,
    again: Again::WhenTold,
};

/// Trybe's delivery processor: Broadway's rate limit lets ten deliveries start in an
/// interval of 30 s, one after another; a sweep takes up what has failed.
pub(super) const TRYBE: Fixed = Fixed {
    starts: 10,
    span_ms: 30_000,
    again: Again::AtSweep { every_ms: 300_000 },
};

/// The gap of octokit's throttling plugin between requests that notify people; its
/// gap between other writes is shorter.
///
/// Source: `octokit/plugin-throttling.js`, `triggersNotification`.
pub(super) const OCTOKIT: Fixed = Fixed {
    starts: 1,
    span_ms: 3_000,
    again: Again::WhenTold,
};

/// A pace that nothing changes.
#[derive(Debug)]
pub(super) struct Fixed {
    /// How many requests start in any span, at most.
    starts: usize,
    span_ms: u64,
    again: Again,
}

/// When a comment that was refused is tried again.
#[derive(Debug)]
enum Again {
    /// After the wait that GitHub named.
    WhenTold,
    /// With all others that have failed.
    AtSweep { every_ms: u64 },
}

impl Fixed {
    /// Makes all comments in the order in which they are due.
    ///
    /// # Errors
    ///
    /// When GitHub does not answer as it should, or the backlog does not end.
    pub(super) async fn clear(
        &self,
        backlog: &mut Backlog,
        scene: &mut Scene,
    ) -> anyhow::Result<()> {
        let (begin_ms, mut starts) = (scene.now_ms(), Vec::new());
        while let Some(waiting) = backlog.take()? {
            let now_ms = self
                .next_start(&starts)
                .max(waiting.due_ms)
                .max(scene.now_ms());
            scene.set_now(now_ms);
            starts.push(now_ms);
            if let Some(refusal) = scene.post(waiting.number).await?.refusal {
                let wait_ms = self.again.wait_ms(refusal.wait, now_ms - begin_ms)?;
                backlog.put_back(Waiting {
                    due_ms: now_ms + wait_ms,
                    ..waiting
                });
            }
        }
        Ok(())
    }

    /// The earliest next start after these.
    fn next_start(&self, starts: &[u64]) -> u64 {
        let before = starts.len().checked_sub(self.starts);
        before.map_or(0, |place| starts[place] + self.span_ms)
    }
}

impl Again {
    /// The wait of a comment that was refused `since_ms` after the beginning, in ms.
    fn wait_ms(&self, named: Option<Duration>, since_ms: u64) -> anyhow::Result<u64> {
        match self {
            Self::AtSweep { every_ms } => Ok(every_ms - since_ms % every_ms),
            Self::WhenTold => {
                let named = named.context("a refusal names no wait")?;
                Ok(u64::try_from(named.as_millis())?)
            }
        }
    }
}
