//! The clients, the time and the GitHub of a sequence, and who has which jobs in hand.
//! What workers do with them stands in [`super::work`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Cancelled, ClaimRequest, Renewed, Revived, Submission, Submitted};
use hookme_tests::by_hand::{self, OWNER, REPOSITORY};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::super::desk::Desk;
use super::Step;
use super::judge::Record;
use super::work::Hand;

/// The usual lease.
pub(super) const LEASE_MS: u64 = 15_000;
/// How often leases are renewed, and taken back.
const PACE_MS: u64 = 4_900;

/// What a client asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub pull_request: usize,
    pub commit: u32,
    /// Its place among all that were accepted.
    pub place: usize,
}

pub(super) struct Crew {
    pub(super) desk: Desk,
    pub(super) redis: MultiplexedConnection,
    pub(super) hands: Vec<Hand>,
    claims: u32,
    pub(super) tasks: BTreeMap<JobId, Task>,
    /// The jobs in the order of their tasks.
    pub(super) ids: Vec<JobId>,
    /// The comments of each pull request in the order in which GitHub made them.
    pub(super) github: [Vec<JobId>; 2],
    /// How Redis had each job at the last look.
    pub(super) records: BTreeMap<JobId, Record>,
    /// What a client wanted cancelled.
    pub(super) unwanted: BTreeSet<JobId>,
    /// What a worker gave up.
    pub(super) buried: BTreeSet<JobId>,
    /// What was revived when its comment might exist.
    pub(super) reopened: BTreeSet<JobId>,
}

impl Crew {
    pub(super) async fn new() -> Self {
        let desk = Desk::new().await;
        Self {
            redis: desk.house.redis().await.unwrap(),
            desk,
            hands: Vec::new(),
            claims: 0,
            tasks: BTreeMap::new(),
            ids: Vec::new(),
            github: [Vec::new(), Vec::new()],
            records: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            buried: BTreeSet::new(),
            reopened: BTreeSet::new(),
        }
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match step {
            Step::Submit {
                pull_request,
                commit,
                salt,
            } => self.submit(*pull_request, *commit, *salt).await,
            Step::Claim {
                wanted,
                turn,
                worker,
            } => self.claim(*wanted, *turn, *worker).await,
            Step::Act {
                hand,
                calls,
                chance,
            } => self.act(*hand, *calls, *chance).await,
            Step::Stall { hand } => {
                if let Some(place) = any(*hand, self.hands.len()) {
                    self.hands[place].is_stalled = true;
                }
            }
            Step::Cancel { job } => self.cancel(*job).await,
            Step::Revive { job } => self.revive(*job).await,
            Step::Reap => self.reap().await,
            Step::Wait { ms } => self.wait(*ms).await,
            Step::Lapse => {
                for _ in 0..4 {
                    self.reap().await;
                    self.wait(PACE_MS).await;
                }
                self.reap().await;
            }
        }
    }

    /// All workers die.
    pub(super) fn give_up_all(&mut self) {
        self.hands.clear();
    }

    /// Lets some time pass, then claims whatever is due and takes each job as far as it
    /// goes without a fault.
    pub(super) async fn round(&mut self) {
        self.wait(PACE_MS).await;
        self.reap().await;
        self.claim(10, 0, 0).await;
        while !self.hands.is_empty() {
            self.act(0, 1, 0).await;
        }
    }

    pub(super) fn has_live(&self) -> bool {
        self.records.values().any(|record| record.state.is_live())
    }

    async fn submit(&mut self, pull_request: usize, commit: u32, salt: u64) {
        let place = self.ids.len();
        let task = Submission {
            id: format!("{salt:016x}{place:016x}").parse().unwrap(),
            username: Username::parse(OWNER).unwrap(),
            repository: RepositoryName::parse(REPOSITORY).unwrap(),
            work: by_hand::feedback(pull_request as u64 + 1, commit).unwrap(),
            delay: Duration::ZERO,
            owner: None,
            destination: None,
            idempotency: None,
        };
        match self.desk.queue.submit(&task).await.unwrap() {
            Submitted::Accepted(receipt) => {
                let task = Task {
                    pull_request,
                    commit,
                    place,
                };
                self.tasks.insert(receipt.id, task);
                self.ids.push(receipt.id);
            }
            Submitted::Duplicate(receipt) => {
                let same = self.tasks[&receipt.id];
                assert_eq!((same.pull_request, same.commit), (pull_request, commit));
                assert!(self.records[&receipt.id].state.is_live());
            }
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&mut self, wanted: usize, turn: u32, worker: u8) {
        self.claims += 1;
        let request = ClaimRequest {
            request: format!("r{}", self.claims),
            wanted,
            holds_nothing: true,
            turn,
            asking: None,
            fetches: true,
        };
        let worker = format!("worker-{worker}");
        let batch = self.desk.queue.claim(&worker, &request).await.unwrap();
        let now_ms = self.desk.now_ms;
        let hands = batch
            .jobs
            .into_iter()
            .map(|claimed| Hand::new(claimed, now_ms));
        self.hands.extend(hands);
    }

    /// Lets time pass, in which workers renew what they hold.
    async fn wait(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let part = left.min(PACE_MS);
            left -= part;
            self.desk.now_ms += part;
            let clock = self.desk.house.key("clock");
            let () = self.redis.set(clock, self.desk.now_ms).await.unwrap();
            self.renew().await;
        }
    }

    async fn renew(&mut self) {
        let awake: Vec<_> = self
            .hands
            .iter_mut()
            .filter(|hand| !hand.is_stalled)
            .collect();
        let claims: Vec<_> = awake
            .iter()
            .map(|hand| (hand.job.id, hand.fence.clone()))
            .collect();
        if claims.is_empty() {
            return;
        }
        let renewed = self
            .desk
            .queue
            .renew("worker-0", &[], &claims)
            .await
            .unwrap();
        for (hand, answer) in awake.into_iter().zip(renewed) {
            assert_ne!(answer, Renewed::Lost, "{hand:?}");
            hand.renewed_ms = self.desk.now_ms;
        }
    }

    async fn reap(&mut self) {
        self.desk.queue.reap(0.5).await.unwrap();
    }

    /// One of the jobs that are as wanted; if none is, any.
    fn pick(&self, number: usize, is_wanted: impl Fn(State) -> bool) -> Option<JobId> {
        let wanted = self
            .ids
            .iter()
            .filter(|id| is_wanted(self.records[id].state));
        let wanted: Vec<_> = wanted.copied().collect();
        let from = if wanted.is_empty() {
            &self.ids
        } else {
            &wanted
        };
        any(number, from.len()).map(|place| from[place])
    }

    async fn cancel(&mut self, number: usize) {
        let Some(id) = self.pick(number, State::is_live) else {
            return;
        };
        let cancelled = self.desk.queue.cancel(id).await.unwrap();
        if matches!(cancelled, Cancelled::Done | Cancelled::Asked) {
            self.unwanted.insert(id);
        }
    }

    async fn revive(&mut self, number: usize) {
        let Some(id) = self.pick(number, |state| state == State::Dead) else {
            return;
        };
        let revived = self.desk.queue.revive(id).await.unwrap();
        if matches!(revived, Revived::Done(_)) && self.records[&id].is_begun {
            self.reopened.insert(id);
        }
    }
}

/// One of so many, if there are any.
pub(super) fn any(number: usize, of: usize) -> Option<usize> {
    number.checked_rem(of)
}
