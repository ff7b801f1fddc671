//! `JOBS_PER_INTERVAL`: an exact window that rolls, in virtual time.

use std::collections::HashMap;
use std::time::Duration;

use hookme_shared::job::{Fence, JobId, State};
use hookme_shared::queue::{Clock, Limits, Next, Queue, Settlement, Terms};
use hookme_tests::{House, by_hand};
use proptest::prelude::*;

use super::{again, claimed, settle, submit, submit_many};

const STARTS: usize = 3;
const INTERVAL_MS: u64 = 1_000;
const LEASE_MS: u64 = 900;
/// From this many crashes a job comes alone; `lua/prelude.lua` has the number.
const ALONE_FROM: u32 = 3;

fn terms() -> Terms {
    let limits = Limits {
        starts: Some(STARTS as u64),
        interval: Duration::from_millis(INTERVAL_MS),
        ..Limits::default()
    };
    Terms {
        limits,
        lease: Duration::from_millis(LEASE_MS),
        ..Terms::default()
    }
}

async fn house_at(now_ms: u64) -> (House, Queue) {
    let house = House::start().await.unwrap();
    house.set_clock(now_ms).await.unwrap();
    let queue = house.queue_under(terms(), Clock::Virtual).await.unwrap();
    (house, queue)
}

#[tokio::test]
async fn a_full_window_at_the_end_of_one_interval_leaves_nothing_for_the_start_of_the_next() {
    let (house, queue) = house_at(1_990).await;
    submit_many(&queue, "r", 10).await;
    assert_eq!(claimed(&queue, 10).await, 3);
    // A counter per calendar interval would give three more here.
    house.set_clock(2_000).await.unwrap();
    let batch = by_hand::claim(&queue, 10, 0).await.unwrap();
    assert_eq!(
        (batch.jobs.len(), batch.next),
        (0, Next::In(Duration::from_millis(990)))
    );
    house.set_clock(2_989).await.unwrap();
    assert_eq!(claimed(&queue, 10).await, 0);
    house.set_clock(2_990).await.unwrap();
    assert_eq!(claimed(&queue, 10).await, 3);
}

#[tokio::test]
async fn a_window_frees_its_places_one_by_one_as_they_were_taken() {
    let (house, queue) = house_at(10_000).await;
    submit_many(&queue, "r", 10).await;
    for at_ms in [10_000, 10_300, 10_700] {
        house.set_clock(at_ms).await.unwrap();
        assert_eq!(claimed(&queue, 1).await, 1);
    }
    for (at_ms, starts) in [
        (10_999, 0),
        (11_000, 1),
        (11_299, 0),
        (11_300, 1),
        (11_699, 0),
        (11_700, 1),
    ] {
        house.set_clock(at_ms).await.unwrap();
        assert_eq!(claimed(&queue, 10).await, starts, "at {at_ms}");
    }
}

#[tokio::test]
async fn a_retry_counts_and_what_resumes_does_not() {
    for (settlement, counts) in [
        (again(), true),
        (
            Settlement::Defer {
                delay: Duration::ZERO,
                reason: "why".to_owned(),
            },
            false,
        ),
        (
            Settlement::Release {
                reason: "why".to_owned(),
            },
            false,
        ),
    ] {
        let (_house, queue) = house_at(10_000).await;
        submit(&queue, "r").await;
        // In a window of three there is room for the first claim and two more.
        let mut claims = 0;
        while let Some(one) = by_hand::claim(&queue, 1, 0).await.unwrap().jobs.pop() {
            settle(&queue, (one.job.id, one.fence), &settlement).await;
            claims += 1;
            if claims == 10 {
                break;
            }
        }
        assert_eq!(claims, if counts { STARTS } else { 10 }, "{settlement:?}");
    }
}

/// What happens to a job after it was claimed.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Finish,
    Retry,
    Defer,
    Release,
    Crash,
}

#[derive(Debug, Clone)]
enum Step {
    Submit(u64),
    Claim(usize, u32, Fate),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        2 => Just(Fate::Finish),
        3 => Just(Fate::Retry),
        1 => Just(Fate::Defer),
        1 => Just(Fate::Release),
        1 => Just(Fate::Crash),
    ];
    let wait = prop_oneof![
        Just(1_u64),
        1_u64..400,
        Just(INTERVAL_MS - 1),
        Just(INTERVAL_MS)
    ];
    prop_oneof![
        3 => prop_oneof![Just(0_u64), 0_u64..1_500].prop_map(Step::Submit),
        5 => (1_usize..6, any::<u32>(), fate).prop_map(|(wanted, turn, fate)| Step::Claim(wanted, turn, fate)),
        4 => wait.prop_map(Step::Wait),
    ]
}

/// A queue, and what a spectator knows of it.
struct Watched {
    house: House,
    queue: Queue,
    now_ms: u64,
    /// Scheduled jobs: when each is due, and whether its next claim is a start.
    waiting: HashMap<JobId, (u64, bool)>,
    /// Jobs whose worker is gone, until they are taken back.
    lost: HashMap<JobId, Fence>,
    starts: Vec<u64>,
    submitted: usize,
}

impl Watched {
    async fn new() -> Self {
        let (house, queue) = house_at(100_000).await;
        queue.reap(0.5).await.unwrap();
        Self {
            house,
            queue,
            now_ms: 100_000,
            waiting: HashMap::new(),
            lost: HashMap::new(),
            starts: Vec::new(),
            submitted: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Submit(delay_ms) => {
                self.submitted += 1;
                let name = format!("r{}", self.submitted);
                let delay = Duration::from_millis(delay_ms);
                let id = by_hand::submit(&self.queue, &name, delay).await.unwrap();
                self.waiting.insert(id, (self.now_ms + delay_ms, true));
            }
            Step::Claim(wanted, turn, fate) => self.claim(wanted, turn, fate).await,
            Step::Wait(ms) => self.wait(ms).await,
        }
    }

    async fn claim(&mut self, wanted: usize, turn: u32, fate: Fate) {
        let batch = by_hand::claim(&self.queue, wanted, turn).await.unwrap();
        let got = batch.jobs.len();
        let came_alone = batch.jobs.iter().any(|one| one.job.crashes >= ALONE_FROM);
        for one in &batch.jobs {
            let (due_ms, is_start) = self.waiting.remove(&one.job.id).unwrap();
            assert!(due_ms <= self.now_ms, "claimed before it was due");
            if is_start {
                self.starts.push(self.now_ms);
            }
        }
        let window = self.now_ms - INTERVAL_MS;
        let lately = self.starts.iter().filter(|at| **at > window).count();
        assert!(
            lately <= STARTS,
            "{lately} starts in one window: {:?}",
            self.starts
        );
        let left = self
            .waiting
            .values()
            .filter(|(due_ms, is_start)| *is_start && *due_ms <= self.now_ms);
        if got < wanted && left.count() > 0 && !came_alone && !self.has_suspects() {
            assert_eq!(
                lately, STARTS,
                "a due job was not started though the window has room"
            );
        }
        for one in batch.jobs {
            self.meet(one.job.id, one.fence, fate).await;
        }
    }

    /// A job that crashed often runs alone, and so keeps others waiting.
    fn has_suspects(&self) -> bool {
        !self.lost.is_empty() || self.waiting.values().any(|(_, is_start)| !is_start)
    }

    async fn meet(&mut self, id: JobId, fence: Fence, fate: Fate) {
        let reason = "why".to_owned();
        let settlement = match fate {
            Fate::Finish => Settlement::Finish,
            Fate::Retry => again(),
            Fate::Defer => Settlement::Defer {
                delay: Duration::ZERO,
                reason,
            },
            Fate::Release => Settlement::Release { reason },
            Fate::Crash => {
                self.lost.insert(id, fence);
                return;
            }
        };
        settle(&self.queue, (id, fence), &settlement).await;
        match fate {
            Fate::Retry => drop(self.waiting.insert(id, (self.now_ms, true))),
            Fate::Defer | Fate::Release => drop(self.waiting.insert(id, (self.now_ms, false))),
            Fate::Finish | Fate::Crash => {}
        }
    }

    /// Lets time pass, with the reaper at its pace.
    async fn wait(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms = until_ms.min(self.now_ms + LEASE_MS / 4);
            self.house.set_clock(self.now_ms).await.unwrap();
            self.queue.reap(0.5).await.unwrap();
        }
        for id in self.lost.keys().copied().collect::<Vec<_>>() {
            let job = self.queue.explain(id).await.unwrap().unwrap().job;
            if job.state != State::Running {
                self.lost.remove(&id);
            }
            if job.state == State::Scheduled {
                self.waiting.insert(id, (job.due_ms, false));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn in_no_window_do_more_jobs_start_than_may_and_none_waits_while_there_is_room(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watched = Watched::new().await;
            for step in &steps {
                watched.take(step).await;
            }
            let starts = watched.starts;
            for window in starts.windows(STARTS + 1) {
                assert!(window[STARTS] - window[0] >= INTERVAL_MS, "{window:?} of {starts:?}");
            }
        });
    }
}
