//! How long a pause is, and what repeated refusals teach.

use hookme_shared::queue::{Class, Pace, Resource};
use proptest::prelude::*;

use super::crew::{Crew, OPEN, refusal};
use super::{HOUR, MINUTE, ms, run};

/// The minute's cap, so that a percentage of it is a number of requests.
const CAPPED: Pace = Pace {
    content_per_minute: 100,
    ..OPEN
};

/// The probe's refusal, as often as it takes; returns the waits.
async fn refusals(crew: &mut Crew, scope: &str, times: usize) -> Vec<u64> {
    let mut waits = Vec::new();
    for _ in 0..times {
        let probe = crew.ask("a", Class::Content).await.unwrap();
        waits.push(crew.refused(&probe, scope, None).await);
        crew.pass(waits[waits.len() - 1]).await;
    }
    waits
}

#[tokio::test]
async fn pauses_that_github_does_not_name_grow_from_a_minute_to_half_an_hour() {
    for scope in ["all", "content"] {
        let mut crew = Crew::new(OPEN).await;
        let waits = refusals(&mut crew, scope, 8).await;
        let minutes: Vec<u64> = waits.iter().map(|wait| wait / MINUTE).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30, 30], "{scope}");
        assert!(waits.iter().all(|wait| wait % MINUTE == 0), "{waits:?}");
    }
}

#[tokio::test]
async fn what_github_names_is_what_everybody_waits() {
    let mut crew = Crew::new(OPEN).await;
    for scope in ["all", "content", "core"] {
        for wait_ms in [1_000, 73_000, 5 * HOUR] {
            let probe = crew.ask("a", Class::Content).await.unwrap();
            let told = crew.refused(&probe, scope, Some(ms(wait_ms))).await;
            assert_eq!(told, wait_ms, "{scope}");
            crew.pass(wait_ms).await;
        }
        let probe = crew.ask("a", Class::Content).await.unwrap();
        crew.answered(&probe).await;
    }
}

#[tokio::test]
async fn a_token_is_parked_for_half_an_hour_or_for_longer_if_github_says_so() {
    let mut crew = Crew::new(OPEN).await;
    for (named, minutes) in [(None, 30), (Some(ms(MINUTE)), 30), (Some(ms(HOUR)), 60)] {
        crew.become_somebody_else();
        let start = crew.read().await;
        let wait_ms = crew.refused(&start, "token", named).await;
        assert_eq!(wait_ms, minutes * MINUTE);
    }
}

#[tokio::test]
async fn the_refusals_of_an_hourly_limit_and_of_a_token_are_no_strikes() {
    let mut crew = Crew::new(CAPPED).await;
    for scope in ["core", "token"] {
        let waits = refusals(&mut crew, scope, 3).await;
        assert!(waits.iter().all(|wait| *wait == waits[0]), "{waits:?}");
        crew.pass(MINUTE).await;
        let probe = crew.ask("a", Class::Content).await.unwrap();
        crew.answered(&probe).await;
    }
    crew.pass(MINUTE).await;
    assert_eq!(content_at_once(&mut crew).await, 100);
}

#[tokio::test]
async fn strikes_are_forgotten_after_a_quiet_hour_and_not_before() {
    let mut crew = Crew::new(OPEN).await;
    assert_eq!(
        refusals(&mut crew, "all", 3).await,
        [MINUTE, 2 * MINUTE, 4 * MINUTE]
    );
    // The last refusal was four minutes ago.
    crew.pass(HOUR - 4 * MINUTE - 1).await;
    assert_eq!(refusals(&mut crew, "all", 1).await, [8 * MINUTE]);
    crew.pass(HOUR - 8 * MINUTE).await;
    assert_eq!(refusals(&mut crew, "all", 1).await, [MINUTE]);
}

/// How much content may start now: the percentage that is left of its caps.
async fn content_at_once(crew: &mut Crew) -> usize {
    let wants: Vec<_> = (0..150)
        .map(|_| crew.want(Class::Content, Resource::Core, ms(0)))
        .collect();
    let answers = crew.ask_all("a", &wants).await;
    let starts: Vec<_> = answers.iter().flatten().collect();
    for start in &starts {
        crew.answered(start).await;
    }
    starts.len()
}

#[tokio::test]
async fn caps_halve_with_each_strike_down_to_a_twentieth_and_regain_a_tenth_per_quiet_hour() {
    let mut crew = Crew::new(CAPPED).await;
    for percent in [50, 25, 12, 6, 5, 5] {
        let start = crew.read().await;
        let wait_ms = crew.refused(&start, "all", Some(ms(MINUTE))).await;
        crew.pass(wait_ms).await;
        let probe = crew.read().await;
        crew.answered(&probe).await;
        assert_eq!(content_at_once(&mut crew).await, percent);
        crew.pass(MINUTE).await;
    }
    // The last refusal was two minutes ago.
    crew.pass(HOUR - 2 * MINUTE - 1).await;
    assert_eq!(content_at_once(&mut crew).await, 5);
    crew.pass(MINUTE).await;
    for percent in [15, 25, 35, 45, 55, 65, 75, 85, 95, 100, 100] {
        assert_eq!(content_at_once(&mut crew).await, percent);
        crew.pass(HOUR).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn jitter_makes_a_pause_longer_by_a_tenth_at_most_and_never_shorter(
        jitter in 0.0_f64..1.0,
        named in proptest::option::of(1_000_u64..10_000_000),
        scope in prop_oneof![Just("all"), Just("content"), Just("core")],
    ) {
        run(async {
            let mut crew = Crew::new(OPEN).await;
            let start = crew.read().await;
            let wait = refusal(scope, named.map(ms));
            let told = crew.end(&start.lease, wait, None, jitter).await;
            let asked = named.unwrap_or(MINUTE);
            assert!((asked..=asked + asked / 10 + 1).contains(&told), "{told} for {asked}");
            assert!(jitter < 0.5 || told > asked, "{told}: nobody is spread");
        });
    }
}
