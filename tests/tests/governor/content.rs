//! What makes content starts within the caps of any minute and any hour.

use std::time::Duration;

use hookme_shared::queue::{Class, Pace, Resource};
use proptest::prelude::*;

use super::crew::{Crew, OPEN, USUAL, refusal};
use super::{HOUR, MINUTE, PATIENCE, SECOND, ms, run};

/// Makes so many comments one after another, as a worker would; returns when each
/// started. GitHub answers at once.
async fn comments(crew: &mut Crew, count: usize) -> Vec<u64> {
    let mut starts = Vec::new();
    // Each is told once how long to wait, or twice if it was for a turn.
    for _ in 0..4 * count {
        if starts.len() == count {
            break;
        }
        let asked = crew.ask_for("a", Class::Content, Resource::Core, PATIENCE);
        match asked.await {
            Err(wait) => crew.pass(wait.ms).await,
            Ok(start) => {
                crew.set(start.at_ms).await;
                crew.answered(&start).await;
                starts.push(start.at_ms);
            }
        }
    }
    assert_eq!(starts.len(), count, "they wait in vain");
    starts
}

/// How many of these starts lie in the span that ends with each, at most.
fn most_within(starts: &[u64], span_ms: u64) -> usize {
    let within = |end: usize| {
        let since = starts[..=end]
            .iter()
            .filter(|at| starts[end] - **at < span_ms);
        since.count()
    };
    (0..starts.len()).map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn a_backlog_of_300_is_worked_off_in_nine_minutes_within_the_caps() {
    let mut crew = Crew::new(USUAL).await;
    let starts = comments(&mut crew, 300).await;
    let took_ms = starts[299] - starts[0];
    assert!(took_ms <= 9 * MINUTE, "{}", took_ms / SECOND);
    assert!(most_within(&starts, MINUTE) <= 40);
    for two in starts.windows(2) {
        assert!(two[1] - two[0] >= SECOND, "{two:?}");
    }
}

#[tokio::test]
async fn a_backlog_of_2000_is_worked_off_in_four_and_a_half_hours_within_the_caps() {
    let mut crew = Crew::new(USUAL).await;
    let starts = comments(&mut crew, 2_000).await;
    let took_ms = starts[1_999] - starts[0];
    assert!(took_ms <= 4 * HOUR + 35 * MINUTE, "{}", took_ms / MINUTE);
    assert!(most_within(&starts, MINUTE) <= 40);
    assert!(most_within(&starts, HOUR) <= 450);
    let longest = starts.windows(2).map(|two| two[1] - two[0]).max();
    // Without the slower second half it would stand still for 49 minutes.
    let longest_ms = longest.unwrap();
    assert!(longest_ms <= 40 * MINUTE, "{}", longest_ms / MINUTE);
}

#[tokio::test]
async fn from_half_of_the_hours_cap_on_content_slows_from_one_second_to_eight() {
    let mut crew = Crew::new(Pace {
        content_per_hour: 100,
        ..OPEN
    })
    .await;
    let starts = comments(&mut crew, 100).await;
    let gaps: Vec<u64> = starts.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps[..50].iter().all(|gap| *gap == 0), "{gaps:?}");
    assert!(gaps[50..].is_sorted(), "{gaps:?}");
    assert!((SECOND..1_200).contains(&gaps[50]), "{gaps:?}");
    assert!((7_700..=8_000).contains(&gaps[98]), "{gaps:?}");
}

#[tokio::test]
async fn who_waits_for_content_is_told_so_and_when_it_may_start() {
    let mut crew = Crew::new(Pace {
        content_per_minute: 2,
        ..OPEN
    })
    .await;
    comments(&mut crew, 1).await;
    crew.pass(10 * SECOND).await;
    comments(&mut crew, 1).await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!((wait.ms, wait.until_ms), (50_000, crew.now_ms + 50_000));
    assert_eq!(wait.awaited, "GitHub's limit of new content");
    crew.ask("a", Class::Read).await.unwrap();
    crew.ask("a", Class::Write).await.unwrap();
    crew.pass(49_999).await;
    crew.ask("a", Class::Content).await.unwrap_err();
    crew.pass(1).await;
    crew.ask("a", Class::Content).await.unwrap();
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.ms, 10_000);
}

#[tokio::test]
async fn content_counts_from_its_start_whatever_became_of_it() {
    let mut crew = Crew::new(Pace {
        content_per_hour: 1,
        ..OPEN
    })
    .await;
    let start = crew.ask("a", Class::Content).await.unwrap();
    let unknown = hookme_shared::queue::Outcome::Unknown;
    crew.end(&start.lease, unknown, None, 0.0).await;
    let wait = crew.ask("b", Class::Content).await.unwrap_err();
    assert_eq!(wait.ms, HOUR);
}

/// Some workers ask for so many at once, after a while; and then GitHub may refuse.
#[derive(Debug, Clone)]
struct Demand {
    after_ms: u64,
    count: usize,
    patience_ms: u64,
    refused: bool,
}

fn demand() -> impl Strategy<Value = Demand> {
    let after = prop_oneof![
        3 => 0_u64..5_000,
        3 => 0_u64..(10 * MINUTE),
        1 => Just(MINUTE),
        1 => Just(HOUR),
        1 => Just(HOUR - 1),
    ];
    let patience = prop_oneof![Just(0_u64), Just(2_000)];
    (after, 1_usize..30, patience, prop::bool::weighted(0.1)).prop_map(
        |(after_ms, count, patience_ms, refused)| Demand {
            after_ms,
            count,
            patience_ms,
            refused,
        },
    )
}

/// What is left of the caps, in percent, by the rule and not by the code.
#[derive(Debug, Clone, Copy)]
struct Percent {
    left: u64,
    since_ms: u64,
}

impl Percent {
    fn at(self, now_ms: u64) -> u64 {
        (self.left + (now_ms - self.since_ms) / HOUR * 10).min(100)
    }

    fn of(self, cap: u32, now_ms: u64) -> usize {
        usize::try_from(u64::from(cap) * self.at(now_ms) / 100)
            .unwrap()
            .max(1)
    }

    fn halved(self, now_ms: u64) -> Self {
        Self {
            left: (self.at(now_ms) / 2).max(5),
            since_ms: now_ms,
        }
    }
}

/// A crew that makes content, and what a spectator saw of it.
struct Watched {
    crew: Crew,
    starts: Vec<u64>,
    percent: Percent,
}

impl Watched {
    async fn meet(&mut self, demand: &Demand) {
        self.crew.pass(demand.after_ms).await;
        for _ in 0..demand.count {
            let asked_ms = self.crew.now_ms;
            let patience = ms(demand.patience_ms);
            let asked = self
                .crew
                .ask_for("a", Class::Content, Resource::Core, patience);
            let Ok(start) = asked.await else { continue };
            self.starts.push(start.at_ms);
            self.judge(asked_ms);
            self.crew.set(start.at_ms).await;
            self.crew.answered(&start).await;
        }
        if demand.refused {
            let start = self.crew.read().await;
            let wait = refusal("all", Some(ms(SECOND)));
            self.percent = self.percent.halved(self.crew.now_ms);
            self.crew.end(&start.lease, wait, None, 0.0).await;
            self.crew.pass(SECOND).await;
            let probe = self.crew.read().await;
            self.crew.answered(&probe).await;
        }
    }

    /// The newest start was within the caps that were in force.
    fn judge(&self, asked_ms: u64) {
        let newest = self.starts[self.starts.len() - 1];
        let within = |span_ms: u64| {
            let since = self.starts.iter().filter(|at| newest - **at < span_ms);
            since.count()
        };
        let pace = self.crew.pace;
        let a_minute = self.percent.of(pace.content_per_minute, asked_ms);
        let an_hour = self.percent.of(pace.content_per_hour, asked_ms);
        assert!(within(MINUTE) <= a_minute, "{:?}", self.starts);
        assert!(within(HOUR) <= an_hour, "{:?}", self.starts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn no_minute_and_no_hour_holds_more_than_its_cap_also_after_caps_were_halved(
        content_per_minute in 1_u32..12,
        content_per_hour in 1_u32..60,
        demands in proptest::collection::vec(demand(), 1..60),
    ) {
        run(async {
            let pace = Pace { content_per_minute, content_per_hour, ..OPEN };
            let crew = Crew::new(pace).await;
            let percent = Percent { left: 100, since_ms: crew.now_ms };
            let mut watched = Watched { crew, starts: Vec::new(), percent };
            for demand in &demands {
                watched.meet(demand).await;
            }
            assert!(most_within(&watched.starts, MINUTE) <= content_per_minute as usize);
            assert!(most_within(&watched.starts, HOUR) <= content_per_hour as usize);
        });
    }

    #[test]
    fn content_that_waits_as_long_as_it_is_told_always_starts(
        content_per_minute in 1_u32..12,
        content_per_hour in 1_u32..60,
        after in proptest::collection::vec(0_u64..MINUTE, 1..40),
    ) {
        run(async {
            let pace = Pace { content_per_minute, content_per_hour, ..OPEN };
            let mut crew = Crew::new(pace).await;
            for after_ms in after {
                crew.pass(after_ms).await;
                let none = Duration::ZERO;
                let asked = crew.ask_for("a", Class::Content, Resource::Core, none).await;
                if let Err(wait) = asked {
                    crew.pass(wait.ms).await;
                    crew.ask("a", Class::Content).await.unwrap();
                }
            }
        });
    }
}
