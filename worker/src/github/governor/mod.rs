//! The governor: lets requests to GitHub start, for all workers as one client.
//!
//! What may start is decided in Redis (`lua/github_acquire.lua`), because it holds
//! over all workers. Here stands what the jobs of one process hold: they queue up
//! behind one task (`task.rs`), which asks for them. Redis away means that nothing is
//! sent. Where nothing is limited they need not queue up each time.

mod task;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookme_shared::queue::{
    BudgetLeft, Class, Identity, Outcome, Pace, Queue, QueueError, Release, Resource, Want,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout_at};

pub(super) use self::task::GovernorTask;
use super::Failure;
use super::patience::{PATIENCE, Patience};

/// From this wait on, the process has enough jobs that wait for their turn.
const CROWDED: Duration = Duration::from_millis(500);
/// Where nothing is limited, what Redis said to one read holds for those that start so
/// soon after it was asked. What starts within it as a pause begins elsewhere is as if it
/// had been under way then.
const FREE: Duration = Duration::from_millis(10);
/// Messages that may wait for the task; jobs wait when there are more.
const MESSAGES_MAX: usize = 4_096;

/// What the governor's task is told.
enum Message {
    Want(Waiting),
    Release(Release, Option<oneshot::Sender<Duration>>),
}

/// A request that waits for its permit.
struct Waiting {
    want: Want,
    since: Instant,
    /// After this nobody waits for it.
    until: Instant,
    /// When it is worth asking for it.
    ask_at: Instant,
    answer: oneshot::Sender<Result<Start, Failure>>,
}

impl Waiting {
    /// Whether it makes content, and so goes before the others.
    fn is_content(&self) -> bool {
        self.want.class == Class::Content
    }
}

/// What a request was granted.
struct Start {
    at: Instant,
    /// After this it is none.
    until: Instant,
    /// Whether Redis must hear of its end whatever the answer says.
    noted: bool,
}

/// What a process's jobs and its task tell one another beside messages.
#[derive(Debug, Default)]
struct Board {
    /// Since when the request waits that has waited longest.
    oldest: Option<Instant>,
    /// Until when reads of the REST API may start without asking.
    free_until: Option<Instant>,
    /// When GitHub last said that something is limited.
    limited_at: Option<Instant>,
}

impl Board {
    /// Redis said to a call that was made at `sent` whether nothing is limited. It could
    /// not know of what was told since.
    fn answered(&mut self, sent: Instant, is_free: bool) {
        let is_free = is_free && self.limited_at.is_none_or(|at| at < sent);
        self.free_until = is_free.then_some(sent + FREE);
    }

    /// GitHub said at `now` that something is limited.
    fn limited(&mut self, now: Instant) {
        (self.free_until, self.limited_at) = (None, Some(now));
    }
}

/// Hands out permits for one identity. Clones feed the same task.
#[derive(Clone)]
pub(super) struct Governor {
    messages: mpsc::Sender<Message>,
    board: Arc<Mutex<Board>>,
    pub(super) identity: Identity,
}

/// The right to send one request, once, now. It is given back with what came of it;
/// one that is dropped says that no answer came.
pub(super) struct Permit {
    messages: mpsc::Sender<Message>,
    board: Arc<Mutex<Board>>,
    lease: Option<String>,
    noted: bool,
}

impl Governor {
    /// A governor and the task that must run for it. A request counts as lost `term`
    /// after its start.
    pub(super) fn new(
        queue: Queue,
        identity: Identity,
        worker: String,
        pace: Pace,
        term: Duration,
    ) -> (Self, GovernorTask) {
        let (messages, receiver) = mpsc::channel(MESSAGES_MAX);
        let handle = Self {
            messages,
            board: Arc::default(),
            identity: identity.clone(),
        };
        let board = Arc::clone(&handle.board);
        let task = GovernorTask::new(receiver, board, queue, identity, worker, pace, term);
        (handle, task)
    }

    /// Waits for a permit, and until its start.
    pub(super) async fn acquire(
        &self,
        class: Class,
        resource: Resource,
        patience: Patience,
    ) -> Result<Permit, Failure> {
        let want = Want {
            lease: format!("{:016x}", rand::random::<u64>()),
            class,
            resource,
            patience: PATIENCE,
        };
        let mut permit = Permit {
            messages: self.messages.clone(),
            board: Arc::clone(&self.board),
            lease: Some(want.lease.clone()),
            noted: true,
        };
        if want.is_plain_read() && self.is_free() {
            permit.noted = false;
            return Ok(permit);
        }
        let since = Instant::now();
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            want,
            since,
            until: patience.until,
            ask_at: since,
            answer,
        };
        if self.messages.send(Message::Want(waiting)).await.is_err() {
            permit.forget();
            return Err(ended());
        }
        // The task answers in time, or as soon as Redis has kept it waiting too long.
        let start = match answered.await {
            Ok(Ok(start)) => start,
            Ok(Err(failure)) => {
                permit.forget();
                return Err(failure);
            }
            Err(_) => {
                permit.forget();
                return Err(ended());
            }
        };
        permit.noted = start.noted;
        if start.at > Instant::now() {
            sleep_until(start.at.into()).await;
        }
        if Instant::now() > start.until {
            return Err(turn_failure());
        }
        Ok(permit)
    }

    /// Whether so many requests wait that more jobs would only wait with them.
    pub(super) fn is_crowded(&self) -> bool {
        let oldest = lock(&self.board).oldest;
        oldest.is_some_and(|since| since.elapsed() > CROWDED)
    }

    /// Whether nothing was limited a moment ago.
    fn is_free(&self) -> bool {
        let until = lock(&self.board).free_until;
        until.is_some_and(|until| Instant::now() < until)
    }
}

impl Permit {
    /// Gives it back with what GitHub answered. Returns how long everybody waits
    /// because of a refusal; `None` if Redis did not say in time.
    pub(super) async fn release(
        mut self,
        outcome: Outcome,
        budget: Option<BudgetLeft>,
    ) -> Option<Duration> {
        let lease = self.lease.take()?;
        let (sender, answered) = oneshot::channel();
        let refused = matches!(outcome, Outcome::Refused { .. });
        if !self.noted && !refused && budget.is_none() {
            return None;
        }
        if refused || budget.is_some() {
            lock(&self.board).limited(Instant::now());
        }
        let release = Release {
            lease,
            outcome,
            budget,
        };
        let message = Message::Release(release, refused.then_some(sender));
        if self.messages.send(message).await.is_err() || !refused {
            return None;
        }
        let deadline = Instant::now() + PATIENCE;
        timeout_at(deadline.into(), answered).await.ok()?.ok()
    }

    /// Nothing was granted, so nothing is to be given back.
    fn forget(mut self) {
        self.lease = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take().filter(|_| self.noted) else {
            return;
        };
        let release = Release {
            lease,
            outcome: Outcome::Unknown,
            budget: None,
        };
        if self
            .messages
            .try_send(Message::Release(release, None))
            .is_err()
        {
            tracing::debug!("a request to GitHub could not be given back; it ends with its term");
        }
    }
}

fn turn_failure() -> Failure {
    Failure::in_vain("it waits for its turn to ask GitHub")
}

/// The task has ended: the worker shuts down.
fn ended() -> Failure {
    Failure::Queue(QueueError::Unavailable {
        operation: "github_acquire",
        source: None,
    })
}

/// A panic elsewhere cannot leave a plain value half-written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
