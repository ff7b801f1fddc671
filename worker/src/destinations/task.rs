//! The task of the door to receivers: asks Redis for the deliveries of one process, and
//! takes them back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hookme_shared::job::Stage;
use hookme_shared::queue::{
    DeliveryOutcome, Entered, Entry, Left, OriginState, Queue, QueueError, Return,
};
use hookme_shared::span::whole_ms;
use hookme_shared::supervisor::Supervisor;
use hookme_shared::trouble::Trouble;
use tokio::sync::{mpsc, oneshot};

use super::{Closed, Message, Permit, Waiting, ended, words};

/// Deliveries that one call asks for or takes back.
const BATCH: usize = 64;
/// How many that have ended are told again where the Redis user lacks a right.
const OPEN_MAX: usize = 1_024;
/// The first and the longest wait before Redis is told again what it did not take.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);
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
    again: Duration,
    trouble: Trouble,
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
            again: AGAIN_MIN,
            trouble: Trouble::default(),
        }
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut gathered = Vec::with_capacity(BATCH);
        loop {
            let wake = self.next_turn();
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
            self.turn().await;
        }
        while !self.returns.is_empty() && self.again < AGAIN_MAX {
            self.turn().await;
        }
    }

    /// When there is something to tell or to ask, unless somebody comes first.
    fn next_turn(&self) -> Option<Instant> {
        if !self.returns.is_empty() {
            return Some(Instant::now());
        }
        self.waiting.iter().map(|waiting| waiting.ask_at).min()
    }

    /// Takes back first, then asks: so a process never waits for itself.
    async fn turn(&mut self) {
        let outcome = async {
            while !self.returns.is_empty() {
                self.take_back().await?;
            }
            self.ask().await
        }
        .await;
        match outcome {
            Ok(()) => {
                self.again = AGAIN_MIN;
                self.trouble.end();
            }
            Err(error) => {
                self.give_up(&error);
                tokio::time::sleep(self.again).await;
                self.again = (self.again * 2).min(AGAIN_MAX);
            }
        }
    }

    /// Redis did not say what may start: nobody waits for it, and nothing is sent.
    fn give_up(&mut self, error: &QueueError) {
        let (open, is_news) = (self.returns.len(), self.trouble.is_news(error));
        if error.passes() {
            if is_news {
                tracing::warn!(%error, open, "redis does not answer for deliveries; what is open is told again until it does");
            }
        } else {
            if is_news {
                tracing::error!(%error, open, "nothing is sent to receivers until somebody mends this");
            }
            // Told again they may meet the same, and there would be ever more of them.
            // Those that are left out end with their terms.
            let kept = if error.is_denied() { OPEN_MAX } else { 0 };
            self.returns.truncate(kept);
        }
        for waiting in self.waiting.drain(..) {
            tell(waiting, Err(error.clone()));
        }
    }

    /// Takes back those that have ended, some at a time. Told again after a lost reply
    /// they count once.
    async fn take_back(&mut self) -> Result<(), QueueError> {
        let count = self.returns.len().min(BATCH);
        let returns: Vec<Return> = self.returns[..count]
            .iter()
            .map(|(one, _)| one.clone())
            .collect();
        let all_left = self.queue.leave_destinations(&returns).await?;
        let answers: Vec<_> = self
            .returns
            .drain(..count)
            .map(|(_, answer)| answer)
            .collect();
        for ((one, answer), left) in returns.iter().zip(answers).zip(all_left) {
            self.note(one, left);
            if answer.is_some_and(|answer| answer.send(()).is_err()) {
                tracing::debug!("nobody waits any more for a delivery to be taken back");
            }
        }
        let now = Instant::now();
        self.waiting
            .iter_mut()
            .for_each(|waiting| waiting.ask_at = now);
        Ok(())
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

    /// Asks for those that are worth asking for.
    async fn ask(&mut self) -> Result<(), QueueError> {
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
            return Ok(());
        }
        let entries: Vec<Entry> = asking.iter().map(|waiting| waiting.entry.clone()).collect();
        let call = self
            .queue
            .enter_destinations(self.term, self.most, &entries);
        let answers = match call.await {
            Ok(answers) => answers,
            Err(error) => {
                self.doubt(asking, &error);
                return Err(error);
            }
        };
        for (waiting, entered) in asking.into_iter().zip(answers) {
            self.answer(waiting, entered, now);
        }
        Ok(())
    }

    /// Redis may have let these start without our knowing.
    fn doubt(&mut self, asked: Vec<Waiting>, error: &QueueError) {
        for waiting in asked {
            let Entry {
                lease,
                destination,
                origin,
                ..
            } = waiting.entry.clone();
            let back = Return {
                lease,
                destination,
                origin,
                outcome: DeliveryOutcome::Unknown,
                started_ms: 0,
                slow: None,
                reason: String::new(),
            };
            self.returns.push((back, None));
            tell(waiting, Err(error.clone()));
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
