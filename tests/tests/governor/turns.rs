//! Who goes first when there is not room for all.

use std::collections::HashMap;

use hookme_shared::queue::{Class, Pace};
use proptest::prelude::*;

use super::crew::{Crew, OPEN, Start};
use super::run;

const SERIAL: Pace = Pace {
    in_flight: 1,
    ..OPEN
};
/// Who was told to wait for its turn counts as waiting for this long.
const WAITING_MS: u64 = 550;
/// A worker that asks as often as the others misses no more turns than this, but
/// for a chance of 1 in 2^40.
const MISSED_MAX: usize = 40;

#[tokio::test]
async fn the_worker_that_was_served_last_lets_a_waiting_one_go_first() {
    let mut crew = Crew::new(SERIAL).await;
    let first = crew.ask("a", Class::Read).await.unwrap();
    crew.ask("b", Class::Read).await.unwrap_err();
    crew.answered(&first).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    let second = crew.ask("b", Class::Read).await.unwrap();
    crew.answered(&second).await;
    crew.ask("b", Class::Read).await.unwrap_err();
    crew.ask("a", Class::Read).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_alone_goes_on_at_once() {
    let mut crew = Crew::new(SERIAL).await;
    for _ in 0..5 {
        let start = crew.ask("a", Class::Read).await.unwrap();
        crew.answered(&start).await;
    }
}

#[tokio::test]
async fn a_worker_that_gave_up_its_turn_holds_nobody_up() {
    let mut crew = Crew::new(SERIAL).await;
    let first = crew.ask("a", Class::Read).await.unwrap();
    crew.ask("gone", Class::Read).await.unwrap_err();
    crew.answered(&first).await;
    crew.pass(WAITING_MS - 1).await;
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(wait.awaited, "its turn to ask GitHub");
    crew.pass(1).await;
    crew.ask("a", Class::Read).await.unwrap();
}

#[tokio::test]
async fn who_waits_looks_again_the_later_the_more_wait() {
    let mut crew = Crew::new(SERIAL).await;
    crew.ask("holder", Class::Read).await.unwrap();
    let mut looks = Vec::new();
    for worker in 0..20 {
        let wait = crew.ask(&format!("w{worker}"), Class::Read).await;
        looks.push(wait.unwrap_err().ms);
    }
    assert!(looks.is_sorted(), "{looks:?}");
    assert_eq!((looks[0], looks[1], looks[19]), (20, 40, 250));
}

/// A few workers that always have something to ask, in any order of calls.
struct Queue {
    crew: Crew,
    holder: Option<(usize, Start)>,
    last: Option<usize>,
    waits_since: HashMap<usize, u64>,
    missed: Vec<usize>,
}

impl Queue {
    async fn call(&mut self, worker: usize, after_ms: u64) {
        self.crew.pass(after_ms).await;
        if let Some((_, start)) = self.holder.take_if(|(holder, _)| *holder == worker) {
            self.crew.answered(&start).await;
        }
        let name = format!("worker-{worker}");
        match self.crew.ask(&name, Class::Read).await {
            Err(_) => drop(self.waits_since.insert(worker, self.crew.now_ms)),
            Ok(start) => self.served(worker, start),
        }
    }

    fn served(&mut self, worker: usize, start: Start) {
        assert!(self.holder.is_none(), "two fly at once");
        self.waits_since.remove(&worker);
        if self.last == Some(worker) {
            let now_ms = self.crew.now_ms;
            let waiting = |since: &u64| now_ms - since < WAITING_MS;
            let waiting = self.waits_since.values().filter(|since| waiting(since));
            assert_eq!(waiting.count(), 0, "worker {worker} pushed in");
        }
        self.missed.iter_mut().for_each(|missed| *missed += 1);
        self.missed[worker] = 0;
        let starved = self.missed.iter().any(|missed| *missed > MISSED_MAX);
        assert!(!starved, "{:?}", self.missed);
        (self.last, self.holder) = (Some(worker), Some((worker, start)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn of_two_or_three_workers_none_pushes_in_and_none_starves(
        workers in 2_usize..4,
        calls in proptest::collection::vec((0_usize..6, 0_u64..60), 50..250),
    ) {
        run(async {
            let mut queue = Queue {
                crew: Crew::new(SERIAL).await,
                holder: None,
                last: None,
                waits_since: HashMap::new(),
                missed: vec![0; workers],
            };
            for (worker, after_ms) in calls {
                queue.call(worker % workers, after_ms).await;
            }
        });
    }
}
