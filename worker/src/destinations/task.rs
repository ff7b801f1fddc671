//! The task of the door to receivers: asks Redis for the deliveries of one process, and
//! takes them back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hookme_shared::job::Stage;
use hookme_shared::queue::{Entered, Entry, Left, OriginState, Queue, QueueError, Return};
use hookme_shared::span::whole_ms;
use hookme_shared::supervisor::Supervisor;
use tokio::sync::{mpsc, oneshot};

use super::{Closed, Message, Permit, Waiting, ended, words};

/// Deliveries that one call asks for or takes back.
const BATCH: usize = 64;
/// A delivery that waits for others to end looks again after this, or as soon as one of
/// this process ends.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Where others do not end in time, the job comes back after this and up to as much more.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// Jobs that wait for the end of a trouble come back up to this share later, so that not
/// all do at once.
const SPREAD: f64 = 0.125;

pub(super) struct DestinationsTask {
    /// For permits, which are given back here. It keeps nobody waiting for the end.
    own: mpsc::WeakSender<Message>,
    messages: mpsc::Receiver<Message>,
    queue: Queue,
    term: Duration,
    most: u32,
    supervisor: Supervisor,
    waiting: VecDeque<Waiting>,
    returns: Vec<(Return, Option<oneshot::Sender<()>>)>,
}

impl DestinationsTask {
    pub(super) fn new(
        (own, messages): (mpsc::WeakSender<Message>, mpsc::Receiver<Message>),
        queue: Queue,
        term: Duration,
        most: u32,
        supervisor: Supervisor,
    ) -> Self {
        Self {
            own,
            messages,
            queue,
            term,
            most,
            supervisor,
            waiting: VecDeque::new(),
            returns: Vec::new(),
        }
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut gathered = Vec::with_capacity(BATCH);
        loop {
            let wake = self.waiting.iter().map(|waiting| waiting.ask_at).min();
            tokio::select! {
                biased;
                count = self.messages.recv_many(&mut gathered, BATCH) => {
                    if count == 0 {
                        break;
                    }
                }
                () = wait_until(wake) => {}
            }
            for message in gathered.drain(..) {
                match message {
                    Message::Enter(waiting) => self.waiting.push_back(waiting),
                    Message::Leave(one, answer) => self.returns.push((one, answer)),
                }
            }
            // Takes back first: so a process never waits for itself.
            self.take_back().await;
            self.ask().await;
        }
    }

    /// What Redis does not take is not told again: it ends with its term, and an outcome
    /// more or less decides nothing.
    async fn take_back(&mut self) {
        if self.returns.is_empty() {
            return;
        }
        let (returns, answers): (Vec<_>, Vec<_>) = self.returns.drain(..).unzip();
        match self.queue.leave_destinations(&returns).await {
            Ok(left) => {
                for ((one, answer), left) in returns.iter().zip(answers).zip(left) {
                    self.note(one, left);
                    if answer.is_some_and(|answer| answer.send(()).is_err()) {
                        tracing::debug!("nobody waits any more for a delivery to be taken back");
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "deliveries could not be given back; they end with their term");
            }
        }
        let now = Instant::now();
        self.waiting
            .iter_mut()
            .for_each(|waiting| waiting.ask_at = now);
    }

    /// Says what changed with an outcome, to whoever reads the log.
    fn note(&self, one: &Return, left: Left) {
        let origin = &one.origin;
        match left {
            Left::Nothing => {}
            Left::Opened(wait) => {
                tracing::warn!(
                    origin,
                    wait_ms = whole_ms(wait),
                    "a receiver fails; nothing is sent to its origin for a while"
                );
            }
            Left::Closed => tracing::info!(origin, "a receiver works again"),
            Left::Slowed(wait) => {
                tracing::info!(
                    origin,
                    wait_ms = whole_ms(wait),
                    "a receiver asked for fewer deliveries"
                );
            }
            Left::Disabled => {
                let destination = one.destination.clone();
                tracing::warn!(
                    origin,
                    destination,
                    "a receiver wants no more; its destination is disabled until POST /destinations/{{id}}/enable"
                );
                self.supervisor
                    .spawn_short(sweep(self.queue.clone(), destination));
            }
        }
    }

    async fn ask(&mut self) {
        let now = Instant::now();
        let mut asking: Vec<Waiting> = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.ask_at <= now && asking.len() < BATCH {
                asking.push(waiting);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        // Whoever does not wait any more needs no permit.
        asking.retain(|waiting| !waiting.answer.is_closed());
        if asking.is_empty() {
            return;
        }
        let entries: Vec<Entry> = asking.iter().map(|waiting| waiting.entry.clone()).collect();
        match self
            .queue
            .enter_destinations(self.term, self.most, &entries)
            .await
        {
            Ok(answers) => {
                for (waiting, entered) in asking.into_iter().zip(answers) {
                    self.answer(waiting, entered, now);
                }
            }
            Err(error) => {
                for waiting in asking {
                    tell(waiting, Err(unavailable(&error)));
                }
            }
        }
    }

    fn answer(&mut self, mut waiting: Waiting, entered: Entered, now: Instant) {
        let origin = &waiting.entry.origin;
        let closed = match entered {
            Entered::Go { started_ms } => {
                let permit = self.own.upgrade().map(|messages| Permit {
                    messages,
                    entry: Some(waiting.entry.clone()),
                    started_ms,
                });
                return tell(waiting, permit.map(Ok).ok_or_else(ended));
            }
            Entered::Full if now < waiting.until => {
                waiting.ask_at = now + LOOK_AGAIN;
                self.waiting.push_back(waiting);
                return;
            }
            Entered::Full => Closed::For {
                delay: FULL_WAIT.mul_f64(1.0 + rand::random_range(0.0..1.0)),
                reason: format!(
                    "as many deliveries are under way to {origin} as WEBHOOK_IN_FLIGHT allows"
                ),
                for_all: false,
            },
            Entered::Wait { delay, state } => Closed::For {
                delay: delay.mul_f64(1.0 + SPREAD * rand::random_range(0.0..1.0)),
                reason: words(origin, state),
                for_all: state != OriginState::Slow,
            },
            Entered::Disabled { reason } => Closed::ForGood { reason },
        };
        tell(waiting, Ok(Err(closed)));
    }
}

fn tell(waiting: Waiting, answer: Result<Result<Permit, Closed>, QueueError>) {
    if waiting.answer.send(answer).is_err() {
        tracing::debug!("nobody waits any more for the word on a delivery");
    }
}

/// What each of those who asked is told of one failed call.
fn unavailable(error: &QueueError) -> QueueError {
    tracing::debug!(%error, "redis does not say whether deliveries may start");
    QueueError::Unavailable {
        operation: "destination_enter",
        source: None,
    }
}

/// Buries what waits for a place that wants no more. What it misses, as when Redis or
/// this worker goes away, is buried when its turn comes.
async fn sweep(queue: Queue, destination: String) {
    let mut buried = 0;
    for lane in Stage::ALL {
        let mut cursor = Some(String::new());
        while let Some(from) = cursor {
            match queue.sweep_destination(&destination, *lane, &from).await {
                Ok((found, next)) => (buried, cursor) = (buried + found, next),
                Err(error) => {
                    tracing::warn!(%error, destination, "the jobs that wait for a disabled destination are buried one by one");
                    return;
                }
            }
        }
    }
    tracing::info!(
        destination,
        buried,
        "the jobs that waited for a disabled destination are dead"
    );
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
