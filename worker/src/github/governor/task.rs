//! The task of a governor: asks Redis for the requests of one process, and takes back
//! what they were given.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookme_shared::queue::{Granted, Identity, Outcome, Pace, Queue, QueueError, Release, Want};
use hookme_shared::trouble::Trouble;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::{Board, Message, Start, Waiting, lock, turn_failure};
use crate::github::Failure;

/// A start this late is none: everybody may have been told to pause meanwhile.
const LATE: Duration = Duration::from_secs(1);
/// Requests that one call asks for or releases.
const BATCH: usize = 64;
/// How many that have ended are told again where the Redis user lacks a right.
const OPEN_MAX: usize = 1_024;
/// The first and the longest wait before Redis is told again what it did not take.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// The task behind a [`Governor`](super::Governor); it ends when every clone and permit is gone.
pub(in crate::github) struct GovernorTask {
    messages: mpsc::Receiver<Message>,
    board: Arc<Mutex<Board>>,
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
    trouble: Trouble,
}

impl GovernorTask {
    pub(super) fn new(
        messages: mpsc::Receiver<Message>,
        board: Arc<Mutex<Board>>,
        queue: Queue,
        identity: Identity,
        worker: String,
        pace: Pace,
        term: Duration,
    ) -> Self {
        Self {
            messages,
            board,
            queue,
            identity,
            worker,
            pace,
            term,
            waiting: VecDeque::new(),
            releases: Vec::new(),
            out: HashMap::new(),
            again: AGAIN_MIN,
            trouble: Trouble::default(),
        }
    }

    /// Serves until nobody can ask any more.
    pub(in crate::github) async fn run(mut self) {
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
        lock(&self.board).oldest = self.oldest_read();
    }

    /// Since when the read waits that has waited longest. A comment waits for a gap, and
    /// keeps nobody from reading meanwhile.
    fn oldest_read(&self) -> Option<Instant> {
        let reads = self.waiting.iter().filter(|one| !one.is_content());
        reads.map(|waiting| waiting.since).min()
    }

    /// Redis did not say what may start: nobody waits for it, and nothing is sent.
    fn give_up(&mut self, error: &QueueError) {
        lock(&self.board).free_until = None;
        let is_news = self.trouble.is_news(error);
        if error.passes() {
            tracing::debug!(%error, "redis does not answer for GitHub's limits; nothing is sent");
        } else {
            if is_news {
                tracing::error!(%error, "GitHub is asked nothing until somebody mends this");
            }
            // Told again they may meet the same, and there would be ever more of them.
            // Those that are left out end with their terms.
            let kept = if error.is_denied() { OPEN_MAX } else { 0 };
            self.releases.truncate(kept);
        }
        for waiting in self.waiting.drain(..) {
            answer(waiting.answer, Err(Failure::Queue(error.clone())));
        }
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
        let patient = self.waiting.iter().map(|one| one.until).min();
        soonest.into_iter().chain(patient).min()
    }

    /// Asks for the requests that have waited longest.
    async fn ask(&mut self) -> Result<(), QueueError> {
        let now = Instant::now();
        self.out.retain(|_, lost_at| *lost_at > now);
        let asked = self.choose(now);
        if asked.is_empty() {
            return Ok(());
        }
        let wants: Vec<Want> = asked
            .iter()
            .map(|one| Want {
                patience: one.until.saturating_duration_since(now),
                ..one.want.clone()
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
        let mut pairs = asked.iter().zip(&granted);
        let is_free = pairs.any(|(one, granted)| one.want.is_plain_read() && granted.is_free());
        lock(&self.board).answered(now, is_free);
        for (one, granted) in asked.into_iter().zip(granted) {
            self.answered(one, granted, now);
        }
        Ok(())
    }

    /// Takes out those that are worth asking for, comments before the others and the
    /// oldest first, as many as there is room for. Who has waited too long is told so.
    fn choose(&mut self, now: Instant) -> Vec<Waiting> {
        let waiting = self.waiting.make_contiguous();
        waiting.sort_by_key(|one| (!one.is_content(), one.since));
        let (room, mut chosen) = (self.room(), Vec::new());
        for one in std::mem::take(&mut self.waiting) {
            if one.answer.is_closed() {
                continue;
            }
            if one.until <= now {
                answer(one.answer, Err(turn_failure()));
            } else if chosen.len() < room && one.ask_at <= now {
                chosen.push(one);
            } else {
                self.waiting.push_back(one);
            }
        }
        chosen
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
            Granted::Wait { ask_after, awaited } => {
                if now + ask_after > one.until {
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

#[cfg(test)]
mod tests;
