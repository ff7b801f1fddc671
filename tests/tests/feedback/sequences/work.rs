//! What a worker does with a job that it has in hand, one call at a time.
//!
//! It goes by the product's own rule of what comes next for a comment. What it posts
//! exists at once or never.

use std::time::Duration;

use hookme_shared::job::{Fence, Job, JobId, Stage};
use hookme_shared::queue::{Claimed, Loaded, Settled, Settlement};
use hookme_worker::policy::outbox::{self, TRIES_MAX};

use super::super::desk::graded;
use super::crew::{Crew, LEASE_MS, any};

/// The longest that one request to GitHub takes.
const TERM: Duration = Duration::from_secs(30);

/// How far a worker has come with a job.
#[derive(Debug)]
enum Place {
    Start,
    /// There is no comment yet.
    ToOpen,
    Opened,
    /// Whether GitHub made it is not known.
    Unclear,
    /// GitHub refused it.
    Refused,
    NotMade,
    /// It is in GitHub.
    Made,
    /// Redis knows where it is.
    Closed,
}

/// A job that a worker has in hand.
#[derive(Debug)]
pub(super) struct Hand {
    pub job: Job,
    pub fence: Fence,
    place: Place,
    pub renewed_ms: u64,
    /// Its lease is renewed no more.
    pub is_stalled: bool,
}

impl Hand {
    pub(super) fn new(claimed: Claimed, now_ms: u64) -> Self {
        Self {
            job: claimed.job,
            fence: claimed.fence,
            place: Place::Start,
            renewed_ms: now_ms,
            is_stalled: false,
        }
    }

    /// Notes that Redis does not take this claim for the holder's any more.
    fn lose(&self) -> Option<Self> {
        assert!(self.is_stalled, "a renewed lease was lost: {self:?}");
        None
    }

    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

impl Crew {
    /// A worker goes on by so many calls with one of the jobs in hand, as far as it gets.
    pub(super) async fn act(&mut self, number: usize, calls: u8, chance: u8) {
        let Some(place) = any(number, self.hands.len()) else {
            return;
        };
        let mut hand = self.hands.swap_remove(place);
        for left in (0..calls).rev() {
            let chance = if left == 0 { chance } else { 0 };
            match self.go_on(hand, chance).await {
                Some(kept) => hand = kept,
                None => return,
            }
        }
        self.hands.push(hand);
    }

    /// One call; returns what is still in hand after it.
    async fn go_on(&mut self, hand: Hand, chance: u8) -> Option<Hand> {
        match hand.place {
            Place::Start => self.start(hand, chance).await,
            Place::ToOpen => {
                let opened = self.desk.queue.open_comment(hand.job.id, &hand.fence);
                match opened.await.unwrap() {
                    Some(_) => Some(hand.at(Place::Opened)),
                    None => hand.lose(),
                }
            }
            Place::Opened => self.post(hand, chance).await,
            Place::Unclear => self.settle(&hand, back(TERM)).await,
            Place::Refused => self.close(hand, None, Place::NotMade).await,
            Place::NotMade => self.settle(&hand, failed(chance)).await,
            Place::Made => {
                let url = format!("https://github.com/{}", hand.job.id);
                self.close(hand, Some(&url), Place::Closed).await
            }
            Place::Closed => {
                let end = if chance == 0 {
                    Settlement::Finish
                } else {
                    failed(chance)
                };
                self.settle(&hand, end).await
            }
        }
    }

    async fn start(&mut self, hand: Hand, chance: u8) -> Option<Hand> {
        if hand.job.stage == Stage::Deliver {
            return Some(hand.at(Place::Closed));
        }
        let load = self.desk.queue.load_evaluation(hand.job.id, &hand.fence);
        match load.await.unwrap() {
            Loaded::Kept(_) => {}
            Loaded::Lost => return hand.lose(),
            Loaded::Missing => panic!("nothing is left to grade: {hand:?}"),
        }
        if (1..=3).contains(&chance) {
            return self.settle(&hand, failed(chance)).await;
        }
        if hand.job.stage == Stage::Grade {
            return self.settle(&hand, graded()).await;
        }
        let feedback = hand.job.feedback.clone().unwrap();
        let claimed_ms = hand.job.started_ms.unwrap();
        match outbox::next(feedback.comment_tried_ms, claimed_ms, TERM) {
            outbox::Step::Wait(delay) => self.settle(&hand, back(delay)).await,
            outbox::Step::Look if self.exists(hand.job.id) => Some(hand.at(Place::Made)),
            outbox::Step::Look if feedback.comment_tries >= TRIES_MAX => {
                self.settle(&hand, failed(3)).await
            }
            outbox::Step::Create | outbox::Step::Look => Some(hand.at(Place::ToOpen)),
        }
    }

    pub(super) fn exists(&self, id: JobId) -> bool {
        self.github[self.tasks[&id].pull_request].contains(&id)
    }

    /// GitHub makes the comment, or not, and says so, or not.
    async fn post(&mut self, hand: Hand, chance: u8) -> Option<Hand> {
        if hand.renewed_ms + LEASE_MS <= self.desk.now_ms {
            return self.settle(&hand, back(Duration::ZERO)).await;
        }
        let id = hand.job.id;
        if !matches!(chance, 3 | 4) {
            assert!(!self.exists(id), "a second comment: {hand:?}");
            self.github[self.tasks[&id].pull_request].push(id);
        }
        Some(hand.at(match chance {
            1..=3 => Place::Unclear,
            4 => Place::Refused,
            _ => Place::Made,
        }))
    }

    async fn close(&self, hand: Hand, url: Option<&str>, next: Place) -> Option<Hand> {
        let closed = self.desk.queue.close_comment(hand.job.id, &hand.fence, url);
        if closed.await.unwrap() {
            Some(hand.at(next))
        } else {
            hand.lose()
        }
    }

    async fn settle(&mut self, hand: &Hand, settlement: Settlement) -> Option<Hand> {
        let (id, fence) = (hand.job.id, &hand.fence);
        let settled = self
            .desk
            .queue
            .settle(id, fence, &settlement)
            .await
            .unwrap();
        match settled {
            Settled::Done if matches!(settlement, Settlement::Bury { .. }) => {
                self.buried.insert(id);
            }
            Settled::Done | Settled::Cancelled => {}
            Settled::Already | Settled::Stale | Settled::Gone => return hand.lose(),
        }
        None
    }
}

fn back(delay: Duration) -> Settlement {
    Settlement::Defer {
        delay,
        reason: "it waits".to_owned(),
    }
}

fn failed(chance: u8) -> Settlement {
    let reason = "it failed".to_owned();
    match chance {
        1 => Settlement::Retry {
            delay: Duration::from_secs(1),
            reason,
        },
        2 => Settlement::Release { reason },
        3 => Settlement::Bury { reason },
        _ => back(Duration::from_secs(3)),
    }
}
