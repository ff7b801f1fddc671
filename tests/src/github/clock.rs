//! The stand-in's time, which need not be the test's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the stand-in takes its time from: `Date`, the end of an allowance,
/// `Retry-After` and all limits follow it.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The wall clock, this far ahead of the client's; behind it, if negative.
    Wall {
        /// The difference in milliseconds.
        ahead_ms: i64,
    },
    /// Milliseconds since 1970 that a test sets.
    Virtual(Arc<AtomicU64>),
}

impl Default for Clock {
    /// The wall clock as it is.
    fn default() -> Self {
        Self::Wall { ahead_ms: 0 }
    }
}

impl Clock {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::Wall { ahead_ms } => wall_ms().saturating_add_signed(*ahead_ms),
            Self::Virtual(now_ms) => now_ms.load(Ordering::SeqCst),
        }
    }

    /// Whether it agrees with the wall clock, so that HTTP's own `Date` is right.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Wall { ahead_ms: 0 })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "GitHub states dates and ends of allowances in wall-clock time, and this stands in for it"
)]
fn wall_ms() -> u64 {
    // A clock before 1970 counts as 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
