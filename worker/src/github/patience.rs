//! How long a job sleeps because of GitHub.

use std::time::{Duration, Instant};

/// The longest that a job sleeps for one request: for an answer or names that
/// another job asks for, for its turn and for its start together. What would take
/// longer puts the job back.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How soon to look again while another job asks, at first and at most.
const LOOK_MIN: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(250);

/// What is left of the patience for one request.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When it is over.
    pub(super) until: Instant,
    look_after: Duration,
}

impl Patience {
    /// The patience for a request that somebody wants from now on.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            look_after: LOOK_MIN,
        }
    }

    /// Sleeps until it is worth looking again at what another job does, a little
    /// longer each time. Says no at once if the patience would be over by then.
    pub async fn look_again(&mut self) -> bool {
        let fits = Instant::now() + self.look_after <= self.until;
        if fits {
            tokio::time::sleep(self.look_after).await;
            self.look_after = (self.look_after * 2).min(LOOK_MAX);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_looks_again_when_the_patience_would_be_over_by_then() {
        let mut patience = Patience {
            until: Instant::now() + LOOK_MIN / 2,
            ..Patience::begin()
        };
        assert!(!patience.look_again().await);
        let mut patience = Patience::begin();
        assert!(patience.look_again().await);
        assert!(patience.look_after > LOOK_MIN);
    }
}
