//! Listens for hints that something became due sooner than the claimer knows.
//!
//! It stands beside the claim. A hint wakes one worker of all, so it listens
//! only while this one has a permit to spare, and passes on what comes late.

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::queue::{Hints, Queue, QueueError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long one wait on Redis is.
const WAIT: Duration = Duration::from_secs(5);
/// How long to leave Redis alone after it did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// What the claimer and the listener share.
#[derive(Debug, Clone)]
pub struct Bell {
    idle: Arc<watch::Sender<bool>>,
    rung: Arc<Notify>,
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            idle: Arc::new(watch::Sender::new(false)),
            rung: Arc::default(),
        }
    }
}

impl Bell {
    /// Waits until a hint comes, but no longer than `longest`.
    pub async fn wait(&self, longest: Duration) {
        self.idle.send_replace(true);
        let _elapsed = tokio::time::timeout(longest, self.rung.notified()).await;
        self.idle.send_replace(false);
    }
}

/// Listens until `done`.
pub async fn listen(queue: Queue, bell: Bell, done: CancellationToken) {
    let mut connection: Option<Hints> = None;
    let mut idle = bell.idle.subscribe();
    loop {
        let waited = tokio::select! {
            () = done.cancelled() => return,
            waited = wait_once(&queue, &mut connection, &mut idle) => waited,
        };
        match waited {
            Ok(true) if *bell.idle.borrow() => bell.rung.notify_one(),
            Ok(true) => {
                if let Err(error) = queue.pass_hint_on().await {
                    tracing::debug!(%error, "a hint could not be passed on; others look by themselves soon");
                }
            }
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "cannot listen for hints; due jobs are looked for at intervals");
                let _elapsed = tokio::time::timeout(AWAY, done.cancelled()).await;
            }
        }
    }
}

async fn wait_once(
    queue: &Queue,
    connection: &mut Option<Hints>,
    idle: &mut watch::Receiver<bool>,
) -> Result<bool, QueueError> {
    // The sender lives as long as the bell that this task holds.
    let _is_open = idle.wait_for(|idle| *idle).await.is_ok();
    let hints = match connection.take() {
        Some(hints) => hints,
        None => queue.hints().await?,
    };
    let (hints, came) = hints.wait(WAIT).await?;
    *connection = Some(hints);
    Ok(came)
}
