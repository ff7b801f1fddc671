//! What is left of an hour, as answers in any order tell it.

use std::time::Duration;

use hookme_shared::queue::{BudgetLeft, Class, Resource};
use proptest::prelude::*;

use super::crew::{Crew, OPEN, left};
use super::{BEGIN_MS, HOUR, MINUTE, SECOND, run};

const CORE: &str = "GitHub's rate limit of core";

#[tokio::test]
async fn nothing_is_granted_from_exhaustion_until_a_second_after_the_reset() {
    let mut crew = Crew::new(OPEN).await;
    crew.told(left("core", 5_000, 0, 20 * MINUTE)).await;
    let until_ms = BEGIN_MS + 20 * MINUTE + SECOND;
    for at_ms in [
        BEGIN_MS,
        BEGIN_MS + 20 * MINUTE,
        until_ms - SECOND,
        until_ms - 1,
    ] {
        crew.set(at_ms).await;
        for class in [Class::Read, Class::Write, Class::Content] {
            let wait = crew.ask("a", class).await.unwrap_err();
            assert_eq!((wait.until_ms, &*wait.awaited), (until_ms, CORE));
            assert_eq!(wait.ms, until_ms - at_ms);
        }
    }
    crew.set(until_ms).await;
    for class in [Class::Read, Class::Write, Class::Content] {
        crew.ask("a", class).await.unwrap();
    }
}

#[tokio::test]
async fn reads_leave_the_floor_to_what_makes_content() {
    let mut crew = Crew::new(OPEN).await;
    for (limit, floor) in [
        (5_000, 100),
        (15_000, 300),
        (5_001, 101),
        (1_000, 20),
        (400, 20),
        (150, 15),
        (60, 6),
        (10, 1),
    ] {
        for (remaining, class, starts) in [
            (floor, Class::Read, false),
            (floor + 1, Class::Read, true),
            (0, Class::Content, false),
            (1, Class::Content, true),
            (0, Class::Write, false),
            (1, Class::Write, true),
        ] {
            crew.become_somebody_else();
            crew.told(left("core", limit, remaining, HOUR)).await;
            let answer = crew.ask("a", class).await;
            assert_eq!(
                answer.is_ok(),
                starts,
                "{class:?} with {remaining} of {limit}"
            );
        }
    }
}

#[tokio::test]
async fn requests_in_flight_count_as_if_they_had_been_answered() {
    let mut crew = Crew::new(OPEN).await;
    crew.told(left("core", 60, 8, HOUR)).await;
    let first = crew.read().await;
    crew.read().await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.answered(&first).await;
    crew.read().await;
}

#[tokio::test]
async fn an_answer_without_numbers_is_not_an_answer_of_zero() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.answered(&start).await;
    let start = crew.read().await;
    crew.told(left("core", 5_000, 4_000, HOUR)).await;
    let known = crew.record().await;
    crew.answered(&start).await;
    assert_eq!(crew.record().await, known);
    crew.read().await;
}

#[tokio::test]
async fn what_is_left_of_one_resource_does_not_matter_to_another() {
    let mut crew = Crew::new(OPEN).await;
    for (told, open, closed) in [
        ("graphql", Resource::Core, Resource::Graphql),
        ("core", Resource::Graphql, Resource::Core),
    ] {
        crew.become_somebody_else();
        crew.told(left(told, 5_000, 0, HOUR)).await;
        let ask = crew.ask_for("a", Class::Read, open, Duration::ZERO);
        ask.await.unwrap();
        let ask = crew.ask_for("a", Class::Read, closed, Duration::ZERO);
        let wait = ask.await.unwrap_err();
        assert_eq!(wait.awaited, format!("GitHub's rate limit of {told}"));
    }
}

#[tokio::test]
async fn only_spans_count_whatever_the_clock_shows() {
    let mut crew = Crew::new(OPEN).await;
    for begin_ms in [1, BEGIN_MS, 100 * BEGIN_MS] {
        crew.become_somebody_else();
        crew.set(begin_ms).await;
        crew.told(left("core", 5_000, 3, MINUTE)).await;
        crew.told(left("core", 5_000, 0, MINUTE)).await;
        crew.told(left("core", 5_000, 2, MINUTE)).await;
        let wait = crew.ask("a", Class::Content).await.unwrap_err();
        assert_eq!(wait.ms, MINUTE + SECOND);
        crew.pass(wait.ms).await;
        crew.read().await;
    }
}

/// Slow answers are told some seconds late: then the reset seems to be so much
/// later than it is.
#[tokio::test]
async fn an_answer_that_was_told_late_does_not_make_later_ones_old() {
    let mut crew = Crew::new(OPEN).await;
    crew.told(left("core", 5_000, 4_000, 30 * MINUTE)).await;
    crew.pass(10 * SECOND).await;
    crew.told(left("core", 5_000, 3_999, 30 * MINUTE)).await;
    crew.pass(SECOND).await;
    crew.told(left("core", 5_000, 0, 30 * MINUTE - 11 * SECOND))
        .await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.awaited, CORE);
    assert_eq!(wait.until_ms, BEGIN_MS + 30 * MINUTE + SECOND);
}

#[derive(Debug, Clone)]
struct Answer {
    window: u64,
    /// GitHub tells whole seconds.
    off_ms: u64,
    remaining: u64,
}

fn answer() -> impl Strategy<Value = Answer> {
    (0_u64..3, 0_u64..1_000, 0_u64..500).prop_map(|(window, off_ms, remaining)| Answer {
        window,
        off_ms,
        remaining,
    })
}

impl Answer {
    fn told(&self) -> BudgetLeft {
        let reset_in_ms = 10 * MINUTE + self.window * HOUR + self.off_ms;
        left("core", 5_000 + self.window, self.remaining, reset_in_ms)
    }
}

/// Every order of these.
fn orders(answers: &[Answer]) -> Vec<Vec<Answer>> {
    if answers.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..answers.len() {
        let mut others = answers.to_vec();
        let first = others.remove(first);
        for mut rest in orders(&others) {
            rest.push(first.clone());
            all.push(rest);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_smaller_remaining_of_the_latest_window_counts_in_whatever_order_answers_come(
        answers in proptest::collection::vec(answer(), 1..5)
    ) {
        run(async {
            let mut crew = Crew::new(OPEN).await;
            let latest = answers.iter().map(|one| one.window).max().unwrap();
            let of_latest = answers.iter().filter(|one| one.window == latest);
            let least = of_latest.map(|one| one.remaining).min().unwrap();
            let mut before = None;
            for order in orders(&answers) {
                crew.become_somebody_else();
                for one in &order {
                    crew.told(one.told()).await;
                }
                let known = crew.record().await;
                assert_eq!(known["core:remaining"], least.to_string(), "{order:?}");
                assert_eq!(known["core:limit"], (5_000 + latest).to_string(), "{order:?}");
                let before = before.get_or_insert_with(|| known.clone());
                assert_eq!(&known, before, "{order:?}");
            }
        });
    }
}
