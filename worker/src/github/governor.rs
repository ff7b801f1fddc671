//! The governor: lets requests to GitHub start, for all workers as one client.
//!
//! What may start is decided in Redis (`lua/github_acquire.lua`), because it holds
//! over all workers. Here the jobs of one process queue up behind one task, which
//! asks for them and takes back what they were given. Redis away means that nothing
//! is sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookme_shared::queue::{
    Class, Granted, Identity, Outcome, Pace, Queue, QueueError, Release, Resource, Want,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout_at};

use super::Failure;

/// The longest that a job sleeps because of GitHub. What would take longer puts
/// the job back.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// A job that waited in vain for its turn comes back after about this long.
const TURN_AGAIN: Duration = Duration::from_secs(2);
/// From this wait on, the process has enough jobs that wait for their turn.
const CROWDED: Duration = Duration::from_millis(500);
/// A start this late is none: everybody may have been told to pause meanwhile.
const LATE: Duration = Duration::from_secs(1);
/// Messages that may wait for the task; jobs wait when there are more.
const MESSAGES_MAX: usize = 4_096;
/// Requests that one call asks for or releases.
const BATCH: usize = 64;
/// The first and the longest wait before Redis is told again what it did not take.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// What the governor's task is told.
enum Message {
    Want(Waiting),
    Release(Release, Option<oneshot::Sender<Duration>>),
}

/// A request that waits for its permit.
struct Waiting {
    want: Want,
    since: Instant,
    /// When it is worth asking for it.
    ask_at: Instant,
    answer: oneshot::Sender<Result<Start, Failure>>,
}

/// What a request was granted.
struct Start {
    at: Instant,
    /// After this it is none.
    until: Instant,
    /// Whether Redis must hear of its end whatever the answer says.
    noted: bool,
}

/// Hands out permits for one identity. Clones feed the same task.
#[derive(Clone)]
pub(super) struct Governor {
    messages: mpsc::Sender<Message>,
    oldest: Arc<std::sync::Mutex<Option<Instant>>>,
    pub(super) identity: Identity,
}

/// The right to send one request, once, now. It is given back with what came of it;
/// one that is dropped says that no answer came.
pub(super) struct Permit {
    messages: mpsc::Sender<Message>,
    lease: Option<String>,
    noted: bool,
}

/// The task behind a [`Governor`]; it ends when every clone and permit is gone.
pub(super) struct GovernorTask {
    messages: mpsc::Receiver<Message>,
    oldest: Arc<std::sync::Mutex<Option<Instant>>>,
    queue: Queue,
    identity: Identity,
    worker: String,
    pace: Pace,
    term: Duration,
    waiting: VecDeque<Waiting>,
    releases: Vec<(Release, Option<oneshot::Sender<Duration>>)>,
    /// Permits that are out, and when each counts as lost.
    out: HashMap<String, Instant>,
    again: Duration,
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
        let oldest = Arc::default();
        let task = GovernorTask {
            messages: receiver,
            oldest: Arc::clone(&oldest),
            queue,
            identity: identity.clone(),
            worker,
            pace,
            term,
            waiting: VecDeque::new(),
            releases: Vec::new(),
            out: HashMap::new(),
            again: AGAIN_MIN,
        };
        (
            Self {
                messages,
                oldest,
                identity,
            },
            task,
        )
    }

    /// Waits for a permit, [`PATIENCE`] at most, and until its start.
    pub(super) async fn acquire(
        &self,
        class: Class,
        resource: Resource,
    ) -> Result<Permit, Failure> {
        let since = Instant::now();
        let (answer, answered) = oneshot::channel();
        let want = Want {
            lease: format!("{:016x}", rand::random::<u64>()),
            class,
            resource,
            patience: PATIENCE,
        };
        let mut permit = Permit {
            messages: self.messages.clone(),
            lease: Some(want.lease.clone()),
            noted: true,
        };
        let waiting = Waiting {
            want,
            since,
            ask_at: since,
            answer,
        };
        if self.messages.send(Message::Want(waiting)).await.is_err() {
            permit.forget();
            return Err(ended());
        }
        // The task answers in time unless Redis keeps it waiting.
        let deadline = since + 2 * PATIENCE;
        let start = match timeout_at(deadline.into(), answered).await {
            Ok(Ok(Ok(start))) => start,
            Ok(Ok(Err(failure))) => {
                permit.forget();
                return Err(failure);
            }
            Ok(Err(_)) => {
                permit.forget();
                return Err(ended());
            }
            // The permit is dropped, in case it is granted yet.
            Err(_) => return Err(turn_failure()),
        };
        permit.noted = start.noted;
        sleep_until(start.at.into()).await;
        if Instant::now() > start.until {
            return Err(turn_failure());
        }
        Ok(permit)
    }

    /// Whether so many requests wait that more jobs would only wait with them.
    pub(super) fn is_crowded(&self) -> bool {
        let oldest = *lock(&self.oldest);
        oldest.is_some_and(|since| since.elapsed() > CROWDED)
    }
}

impl Permit {
    /// Gives it back with what GitHub answered. Returns how long everybody waits
    /// because of a refusal; `None` if Redis did not say in time.
    pub(super) async fn release(
        mut self,
        outcome: Outcome,
        budget: Option<hookme_shared::queue::BudgetLeft>,
    ) -> Option<Duration> {
        let lease = self.lease.take()?;
        let (sender, answered) = oneshot::channel();
        let refused = matches!(outcome, Outcome::Refused { .. });
        if !self.noted && !refused && budget.is_none() {
            return None;
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

impl GovernorTask {
    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut gathered = Vec::with_capacity(BATCH);
        loop {
            let wake = self.next_ask();
            tokio::select! {
                biased;
                count = self.messages.recv_many(&mut gathered, BATCH) => {
                    if count == 0 {
                        break;
                    }
                }
                () = wait_until(wake) => {}
            }
            gathered.drain(..).for_each(|message| self.take(message));
            self.turn().await;
        }
        while !self.releases.is_empty() && self.again < AGAIN_MAX {
            self.turn().await;
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Want(waiting) => self.waiting.push_back(waiting),
            Message::Release(release, answer) => self.releases.push((release, answer)),
        }
    }

    /// Takes back first, then asks: so a process never waits for itself.
    async fn turn(&mut self) {
        let outcome = async {
            while !self.releases.is_empty() {
                self.give_back().await?;
            }
            self.ask().await
        }
        .await;
        match outcome {
            Ok(()) => self.again = AGAIN_MIN,
            Err(error) => {
                if let QueueError::Unavailable { .. } = error {
                    tracing::debug!(%error, "redis does not answer for GitHub's limits; nothing is sent");
                } else {
                    tracing::error!(%error, "what redis holds of GitHub's limits cannot be used; nothing is sent");
                    // Sent again they would meet the same; they end with their terms.
                    self.releases.clear();
                }
                for waiting in self.waiting.drain(..) {
                    answer(waiting.answer, Err(Failure::Queue(error.clone())));
                }
                tokio::time::sleep(self.again).await;
                self.again = (self.again * 2).min(AGAIN_MAX);
            }
        }
        *lock(&self.oldest) = self.waiting.front().map(|waiting| waiting.since);
    }

    async fn give_back(&mut self) -> Result<(), QueueError> {
        let count = self.releases.len().min(BATCH);
        let releases: Vec<Release> = self.releases[..count]
            .iter()
            .map(|(release, _)| release.clone())
            .collect();
        let jitter = rand::random_range(0.0..1.0);
        let call = self.queue.github_release(&self.identity, jitter, &releases);
        let waits = call.await?;
        for ((release, sender), wait) in self.releases.drain(..count).zip(waits) {
            self.out.remove(&release.lease);
            if let Some(sender) = sender {
                answer(sender, wait);
            }
        }
        Ok(())
    }

    /// How many requests are worth asking for at once.
    fn room(&self) -> usize {
        match self.pace.in_flight as usize {
            0 => BATCH,
            most => most.saturating_sub(self.out.len()).min(BATCH),
        }
    }

    /// When to ask next, unless somebody comes first; `None`: there is nothing to
    /// ask for.
    fn next_ask(&self) -> Option<Instant> {
        if !self.releases.is_empty() {
            return Some(Instant::now());
        }
        let soonest = self.waiting.iter().map(|one| one.ask_at).min();
        let soonest = soonest.filter(|_| self.room() > 0);
        let patient = self.waiting.front().map(|one| one.since + PATIENCE);
        soonest.into_iter().chain(patient).min()
    }

    /// Asks for the requests that have waited longest.
    async fn ask(&mut self) -> Result<(), QueueError> {
        let now = Instant::now();
        self.out.retain(|_, lost_at| *lost_at > now);
        self.waiting.retain(|one| !one.answer.is_closed());
        while let Some(front) = self.waiting.front()
            && front.since + PATIENCE <= now
        {
            if let Some(late) = self.waiting.pop_front() {
                answer(late.answer, Err(turn_failure()));
            }
        }
        let (room, mut asked) = (self.room(), Vec::new());
        for one in std::mem::take(&mut self.waiting) {
            if asked.len() < room && one.ask_at <= now {
                asked.push(one);
            } else {
                self.waiting.push_back(one);
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let wants: Vec<Want> = asked
            .iter_mut()
            .map(|one| {
                one.want.patience = (one.since + PATIENCE).saturating_duration_since(now);
                one.want.clone()
            })
            .collect();
        let call =
            self.queue
                .github_acquire(&self.identity, &self.worker, self.term, &self.pace, &wants);
        let granted = match call.await {
            Ok(granted) => granted,
            Err(error) => {
                self.doubt(asked, &error);
                return Err(error);
            }
        };
        for (one, granted) in asked.into_iter().zip(granted) {
            self.answered(one, granted, now);
        }
        self.waiting.make_contiguous().sort_by_key(|one| one.since);
        Ok(())
    }

    /// Redis may have granted these without our knowing.
    fn doubt(&mut self, asked: Vec<Waiting>, error: &QueueError) {
        for one in asked {
            let release = Release {
                lease: one.want.lease,
                outcome: Outcome::Unknown,
                budget: None,
            };
            self.releases.push((release, None));
            answer(one.answer, Err(Failure::Queue(error.clone())));
        }
    }

    /// Passes on what Redis said to a call that was made at `sent`.
    fn answered(&mut self, mut one: Waiting, granted: Granted, sent: Instant) {
        let now = Instant::now();
        match granted {
            Granted::Start { after, noted } => {
                let (at, until) = (now + after, sent + after + LATE);
                // Should nobody wait for it any more, its permit was dropped, and the
                // word of that comes next.
                if noted {
                    self.out.insert(one.want.lease, at + self.term);
                }
                answer(one.answer, Ok(Start { at, until, noted }));
            }
            Granted::Wait {
                ask_after, awaited, ..
            } => {
                if now + ask_after > one.since + PATIENCE {
                    let failure = Failure::Wait {
                        delay: ask_after,
                        reason: format!("it waits for {awaited}"),
                    };
                    answer(one.answer, Err(failure));
                } else {
                    one.ask_at = now + ask_after;
                    self.waiting.push_back(one);
                }
            }
        }
    }
}

async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Whoever asked may be gone by now; then nobody needs the answer.
fn answer<T>(sender: oneshot::Sender<T>, value: T) {
    drop(sender.send(value));
}

fn unavailable() -> QueueError {
    QueueError::Unavailable {
        operation: "github_acquire",
        source: None,
    }
}

fn turn_failure() -> Failure {
    Failure::Wait {
        delay: TURN_AGAIN.mul_f64(rand::random_range(0.5..1.5)),
        reason: "it waits for its turn to ask GitHub".to_owned(),
    }
}

/// The task has ended: the worker shuts down.
fn ended() -> Failure {
    Failure::Queue(unavailable())
}

/// A panic elsewhere cannot leave a plain value half-written.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
