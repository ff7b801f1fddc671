//! How many requests fly at once, and how far apart they start.

use std::time::Duration;

use hookme_shared::queue::{Class, Pace, Resource};
use proptest::prelude::*;

use super::crew::{Crew, OPEN, Start, USUAL, left};
use super::{HOUR, PATIENCE, TERM, ms, run};

const TURN: &str = "its turn to ask GitHub";

#[tokio::test]
async fn no_more_requests_fly_at_once_than_may_over_all_workers() {
    let mut crew = Crew::new(Pace {
        in_flight: 3,
        ..OPEN
    })
    .await;
    let mut flying = Vec::new();
    for worker in ["a", "b", "c", "d", "e"] {
        match crew.ask(worker, Class::Read).await {
            Ok(start) => flying.push(start),
            Err(wait) => assert_eq!(wait.awaited, TURN),
        }
    }
    assert_eq!(flying.len(), 3);
    crew.answered(&flying[1]).await;
    let mut more = 0;
    for worker in ["d", "e", "a"] {
        more += usize::from(crew.ask(worker, Class::Write).await.is_ok());
    }
    assert_eq!(more, 1);
}

#[tokio::test]
async fn the_requests_of_one_call_count_too() {
    let mut crew = Crew::new(Pace {
        in_flight: 3,
        ..OPEN
    })
    .await;
    let wants: Vec<_> = (0..10)
        .map(|_| crew.want(Class::Read, Resource::Graphql, Duration::ZERO))
        .collect();
    let answers = crew.ask_all("a", &wants).await;
    let started: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(started, [vec![true; 3], vec![false; 7]].concat());
}

#[tokio::test]
async fn a_gap_of_zero_and_an_in_flight_of_zero_let_everything_through() {
    let mut crew = Crew::new(OPEN).await;
    for class in [Class::Read, Class::Write, Class::Content] {
        for resource in [Resource::Core, Resource::Graphql] {
            let wants: Vec<_> = (0..500)
                .map(|_| crew.want(class, resource, Duration::ZERO))
                .collect();
            for answer in crew.ask_all("a", &wants).await {
                assert_eq!(answer.unwrap().at_ms, crew.now_ms);
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_is_never_released_holds_others_back_no_longer_than_its_term() {
    let mut crew = Crew::new(Pace {
        in_flight: 1,
        ..OPEN
    })
    .await;
    crew.ask("dead", Class::Read).await.unwrap();
    let term_ms = u64::try_from(TERM.as_millis()).unwrap();
    crew.pass(term_ms - 1).await;
    crew.ask("alive", Class::Read).await.unwrap_err();
    crew.pass(1).await;
    crew.ask("alive", Class::Read).await.unwrap();
}

#[tokio::test]
async fn a_start_is_given_ahead_only_to_a_request_that_flies_alone() {
    let mut crew = Crew::new(Pace {
        in_flight: 4,
        read_gap: ms(100),
        ..OPEN
    })
    .await;
    let (read, core) = (Class::Read, Resource::Core);
    let first = crew.ask_for("a", read, core, PATIENCE).await.unwrap();
    let wait = crew.ask_for("b", read, core, PATIENCE).await.unwrap_err();
    assert_eq!((wait.ms, &*wait.awaited), (100, TURN));
    crew.answered(&first).await;
    let second = crew.ask_for("b", read, core, PATIENCE).await.unwrap();
    assert_eq!(second.at_ms, crew.now_ms + 100);
    crew.ask_for("a", read, core, PATIENCE).await.unwrap_err();
}

#[tokio::test]
async fn a_start_is_given_ahead_to_one_alone_also_where_no_number_limits_those_in_flight() {
    let mut crew = Crew::new(Pace {
        in_flight: 0,
        read_gap: ms(100),
        ..OPEN
    })
    .await;
    crew.told(left("core", 5_000, 4_000, HOUR)).await;
    let (read, core) = (Class::Read, Resource::Core);
    let first = crew.ask_for("a", read, core, PATIENCE).await.unwrap();
    let wait = crew.ask_for("b", read, core, PATIENCE).await.unwrap_err();
    assert_eq!((wait.ms, &*wait.awaited), (100, TURN));
    crew.answered(&first).await;
    crew.ask_for("b", read, core, PATIENCE).await.unwrap();
}

/// Else the other's refusal could come before that start, which no pause stops.
#[tokio::test]
async fn nobody_starts_before_a_start_that_was_given_ahead() {
    let mut crew = Crew::new(Pace {
        in_flight: 4,
        write_gap: ms(1_000),
        ..OPEN
    })
    .await;
    let first = crew.ask("a", Class::Write).await.unwrap();
    crew.answered(&first).await;
    let write = crew.ask_for("a", Class::Write, Resource::Core, PATIENCE);
    let ahead = write.await.unwrap();
    assert_eq!(ahead.at_ms, crew.now_ms + 1_000);
    let early = crew.ask("b", Class::Read).await;
    assert!(early.is_err(), "{early:?} flies beside {ahead:?}");
}

#[tokio::test]
async fn who_is_not_patient_is_told_when_the_gap_is_over() {
    let mut crew = Crew::new(USUAL).await;
    let first = crew.ask("a", Class::Write).await.unwrap();
    crew.answered(&first).await;
    let core = Resource::Core;
    let wait = crew.ask_for("a", Class::Write, core, ms(999)).await;
    assert_eq!(wait.unwrap_err().ms, 1_000);
    let read = crew.ask_for("a", Class::Read, core, ms(99)).await;
    assert_eq!(read.unwrap_err().ms, 100);
    let read = crew.ask_for("a", Class::Read, core, ms(100)).await;
    assert_eq!(read.unwrap().at_ms, crew.now_ms + 100);
}

#[tokio::test]
async fn only_a_request_that_something_depends_on_must_be_released() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    assert!(!start.noted, "nothing is limited");
    crew.refused(&start, "all", Some(ms(1_000))).await;
    crew.pass(1_000).await;
    let probe = crew.read().await;
    assert!(probe.noted, "others wait for the probe");
    crew.answered(&probe).await;
    crew.pace.in_flight = 1;
    assert!(crew.read().await.noted, "others wait for its end");
    crew.become_somebody_else();
    crew.pace.in_flight = 0;
    crew.told(left("core", 5_000, 4_000, HOUR)).await;
    assert!(crew.read().await.noted, "it lessens what is left");
}

#[derive(Debug, Clone)]
struct Ask {
    after_ms: u64,
    worker: u8,
    class: Class,
    patience_ms: u64,
    released: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    let class =
        prop_oneof![3 => Just(Class::Read), 2 => Just(Class::Write), 1 => Just(Class::Content)];
    let patience = prop_oneof![Just(0_u64), Just(150), Just(2_000)];
    (
        prop_oneof![Just(0_u64), 0_u64..400],
        0_u8..3,
        class,
        patience,
        any::<bool>(),
    )
        .prop_map(|(after_ms, worker, class, patience_ms, released)| Ask {
            after_ms,
            worker,
            class,
            patience_ms,
            released,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn starts_keep_their_gaps_whoever_asks_and_however_patient(
        in_flight in 0_u32..4,
        read_gap in prop_oneof![Just(0_u64), Just(100)],
        asks in proptest::collection::vec(ask(), 1..80),
    ) {
        run(async {
            let (read_gap, write_gap) = (ms(read_gap), ms(1_000));
            let mut crew = Crew::new(Pace { in_flight, read_gap, write_gap, ..OPEN }).await;
            let mut starts: Vec<(Start, Class)> = Vec::new();
            for ask in asks {
                crew.pass(ask.after_ms).await;
                let worker = format!("worker-{}", ask.worker);
                let core = Resource::Core;
                if let Ok(start) = crew.ask_for(&worker, ask.class, core, ms(ask.patience_ms)).await {
                    assert!(start.at_ms <= crew.now_ms + ask.patience_ms);
                    if ask.released {
                        crew.answered(&start).await;
                    }
                    starts.push((start, ask.class));
                }
            }
            apart(starts.iter().map(|(start, _)| start.at_ms), read_gap);
            let writes = starts.iter().filter(|(_, class)| *class != Class::Read);
            apart(writes.map(|(start, _)| start.at_ms), write_gap);
        });
    }
}

fn apart(starts: impl Iterator<Item = u64>, gap: Duration) {
    let mut starts: Vec<u64> = starts.collect();
    starts.sort_unstable();
    for two in starts.windows(2) {
        assert!(
            ms(two[1] - two[0]) >= gap,
            "{two:?} are nearer than {gap:?}"
        );
    }
}
