//! The door to receivers: lets deliveries start, for all workers together.
//!
//! What may start is decided in Redis (`lua/destination_enter.lua`), because an origin's
//! trouble and the number of deliveries under way are those of all workers. The jobs of
//! one process queue up behind one task (`task.rs`), which asks and tells in batches.

mod task;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookme_shared::queue::{DeliveryOutcome, Entry, OriginState, Queue, QueueError, Return};
use hookme_shared::supervisor::Supervisor;
use tokio::sync::{mpsc, oneshot};

use self::task::DestinationsTask;
use crate::deliver::Target;

/// The longest that a delivery waits for others to its origin to end. The job's place in
/// the worker is for others then.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages that may wait for the task; jobs wait when there are more.
const MESSAGES_MAX: usize = 4_096;
/// Origins that this process remembers as closed.
const CLOSED_MAX: usize = 1_000;

/// What the task is told.
enum Message {
    Enter(Waiting),
    Leave(Return, Option<oneshot::Sender<()>>),
}

/// A delivery that waits for its permit.
struct Waiting {
    entry: Entry,
    /// After this it does not wait for others to end.
    until: Instant,
    /// When it is worth asking for it.
    ask_at: Instant,
    /// A permit that nobody takes out of here is dropped, and so given back.
    answer: oneshot::Sender<Result<Result<Permit, Closed>, QueueError>>,
}

/// Why nothing is to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It may be sent after this.
    For {
        /// How long.
        delay: Duration,
        /// Why, in words for whoever looks at the job.
        reason: String,
        /// Whether that holds for all deliveries to the origin.
        for_all: bool,
    },
    /// It may never be sent.
    ForGood {
        /// What the receiver said.
        reason: String,
    },
}

/// Lets deliveries start. Clones feed the same task.
#[derive(Clone)]
pub struct Destinations {
    messages: mpsc::Sender<Message>,
    /// Until when origins are closed to all, so that nothing is fetched for them.
    closed: Arc<Mutex<HashMap<String, (Instant, String)>>>,
}

/// The right to send one delivery, once, now. It is given back with what came of it; one
/// that is dropped says that nobody knows.
pub struct Permit {
    messages: mpsc::Sender<Message>,
    entry: Option<Entry>,
    started_ms: u64,
}

impl Destinations {
    /// Starts the task under the `supervisor`; it ends when every clone and permit is gone.
    ///
    /// - `term`: after which a delivery counts as lost.
    /// - `most`: deliveries at once to one origin, over all workers; 0 is no limit.
    #[must_use]
    pub fn start(queue: Queue, term: Duration, most: u32, supervisor: &Supervisor) -> Self {
        let (messages, receiver) = mpsc::channel(MESSAGES_MAX);
        let own = messages.downgrade();
        let task = DestinationsTask::new((own, receiver), queue, term, most, supervisor.clone());
        supervisor.spawn("destinations task", task.run());
        Self {
            messages,
            closed: Arc::default(),
        }
    }

    /// Waits for a permit, a moment at most.
    pub async fn enter(&self, target: &Target) -> Result<Result<Permit, Closed>, QueueError> {
        let entry = Entry {
            lease: format!("{:016x}", rand::random::<u64>()),
            destination: target.id(),
            url: target.destination.to_string(),
            origin: target.destination.origin(),
        };
        let now = Instant::now();
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            entry,
            until: now + PATIENCE,
            ask_at: now,
            answer,
        };
        let sent = self.messages.send(Message::Enter(waiting)).await;
        sent.map_err(|_| ended())?;
        let entered = answered.await.map_err(|_| ended())??;
        if let Err(closed) = &entered {
            self.remember(target.destination.origin(), closed);
        }
        Ok(entered)
    }

    /// How long an origin is closed yet to all, as far as this process knows, and why.
    #[must_use]
    pub fn closed(&self, target: &Target) -> Option<Closed> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, reason) = closed.get(&target.destination.origin())?;
        let delay = until.checked_duration_since(Instant::now())?;
        Some(Closed::For {
            delay,
            reason: reason.clone(),
            for_all: true,
        })
    }

    fn remember(&self, origin: String, closed: &Closed) {
        let Closed::For {
            delay,
            reason,
            for_all: true,
        } = closed
        else {
            return;
        };
        let now = Instant::now();
        let mut known = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CLOSED_MAX {
            known.retain(|_, (until, _)| *until > now);
        }
        if known.len() < CLOSED_MAX {
            known.insert(origin, (now + *delay, reason.clone()));
        }
    }
}

impl Permit {
    /// Gives it back. Where the receiver wants no more, that is stored before this ends, or
    /// will not be.
    ///
    /// - `slow`: if the receiver asked for less, the wait that it named, or zero.
    /// - `reason`: what the receiver said, if it wants no more.
    pub async fn leave(mut self, outcome: DeliveryOutcome, slow: Option<Duration>, reason: &str) {
        let Some(message) = self.message(outcome, slow, reason) else {
            return;
        };
        if outcome != DeliveryOutcome::Gone {
            self.tell(Message::Leave(message, None)).await;
            return;
        }
        let (answer, answered) = oneshot::channel();
        self.tell(Message::Leave(message, Some(answer))).await;
        if answered.await.is_err() {
            tracing::warn!(
                "that a receiver wants no more could not be stored; the next delivery will learn of it"
            );
        }
    }

    async fn tell(&self, message: Message) {
        if self.messages.send(message).await.is_err() {
            tracing::debug!("a delivery could not be given back; it ends with its term");
        }
    }

    fn message(
        &mut self,
        outcome: DeliveryOutcome,
        slow: Option<Duration>,
        reason: &str,
    ) -> Option<Return> {
        let entry = self.entry.take()?;
        Some(Return {
            lease: entry.lease,
            destination: entry.destination,
            origin: entry.origin,
            outcome,
            started_ms: self.started_ms,
            slow,
            reason: reason.to_owned(),
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(message) = self.message(DeliveryOutcome::Unknown, None, "") else {
            return;
        };
        if self
            .messages
            .try_send(Message::Leave(message, None))
            .is_err()
        {
            tracing::debug!("a delivery could not be given back; it ends with its term");
        }
    }
}

/// The task has ended: the worker shuts down.
fn ended() -> QueueError {
    QueueError::Unavailable {
        operation: "destination_enter",
        source: None,
    }
}

/// Why nothing is sent to an origin, in words for whoever looks at the job.
fn words(origin: &str, state: OriginState) -> String {
    match state {
        OriginState::Open => format!("{origin} fails, and nothing is sent there for a while"),
        OriginState::Probing => {
            format!("{origin} failed, and one delivery tries whether it works again")
        }
        OriginState::Slow => format!("{origin} asked for fewer deliveries"),
    }
}
