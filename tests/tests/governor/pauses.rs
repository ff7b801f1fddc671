//! A refusal makes everybody wait, as far as it goes.

use std::time::Duration;

use hookme_shared::queue::{Class, Outcome, Resource};

use super::crew::{Crew, OPEN, left, refusal};
use super::{BEGIN_MS, HOUR, MINUTE, SECOND, ms};

const KINDS: [(Class, Resource); 5] = [
    (Class::Read, Resource::Core),
    (Class::Write, Resource::Core),
    (Class::Content, Resource::Core),
    (Class::Read, Resource::Graphql),
    (Class::Content, Resource::Graphql),
];

/// Which of [`KINDS`] each worker may start now.
async fn open(crew: &mut Crew, worker: &str) -> [bool; 5] {
    let mut open = [false; 5];
    for (open, (class, resource)) in open.iter_mut().zip(KINDS) {
        let asked = crew.ask_for(worker, class, resource, Duration::ZERO).await;
        if let Err(wait) = &asked {
            assert!(wait.until_ms > crew.now_ms, "{wait:?}");
        }
        *open = asked.is_ok();
    }
    open
}

#[tokio::test]
async fn a_refusal_pauses_every_worker_for_what_its_scope_names_and_for_nothing_else() {
    let mut crew = Crew::new(OPEN).await;
    for (scope, expected) in [
        ("all", [false; 5]),
        ("core", [false, false, false, true, true]),
        ("graphql", [true, true, true, false, false]),
        ("content", [true, true, false, true, false]),
        ("search", [true; 5]),
    ] {
        crew.become_somebody_else();
        let start = crew.read().await;
        assert_eq!(
            crew.refused(&start, scope, Some(ms(MINUTE))).await,
            MINUTE,
            "{scope}"
        );
        for (worker, token) in [("a", "token-1"), ("b", "token-2"), ("c", "")] {
            token.clone_into(&mut crew.identity.token);
            assert_eq!(open(&mut crew, worker).await, expected, "{scope} {worker}");
        }
        crew.pass(MINUTE - 1).await;
        assert_eq!(open(&mut crew, "late").await, expected, "{scope}");
    }
}

#[tokio::test]
async fn one_identity_is_not_paused_by_the_refusal_of_another() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.refused(&start, "all", None).await;
    crew.become_somebody_else();
    assert_eq!(open(&mut crew, "a").await, [true; 5]);
}

#[tokio::test]
async fn a_refused_token_is_parked_and_no_other_is() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.refused(&start, "token", None).await;
    for (token, expected) in [("token-1", false), ("token-2", true), ("", true)] {
        token.clone_into(&mut crew.identity.token);
        assert_eq!(open(&mut crew, "a").await, [expected; 5], "{token:?}");
    }
    crew.pass(30 * MINUTE - 1).await;
    "token-1".clone_into(&mut crew.identity.token);
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(
        wait.awaited,
        "a valid API_TOKEN, as GitHub refused this one,"
    );
}

/// Several bad logins shortly after one another make GitHub refuse the good ones too.
#[tokio::test]
async fn two_refused_tokens_of_one_identity_are_both_parked_each_for_its_time() {
    let mut crew = Crew::new(OPEN).await;
    for token in ["token-1", "token-2"] {
        token.clone_into(&mut crew.identity.token);
        let start = crew.read().await;
        let wait_ms = crew.refused(&start, "token", None).await;
        assert_eq!(wait_ms, 30 * MINUTE, "{token}");
        crew.pass(20 * MINUTE).await;
    }
    crew.set(BEGIN_MS + 30 * MINUTE - 1).await;
    for token in ["token-1", "token-2"] {
        token.clone_into(&mut crew.identity.token);
        crew.ask("a", Class::Read).await.unwrap_err();
    }
    crew.set(BEGIN_MS + 50 * MINUTE - 1).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    "token-1".clone_into(&mut crew.identity.token);
    crew.ask("a", Class::Read).await.unwrap();
}

#[tokio::test]
async fn the_longest_of_several_pauses_counts_and_is_named() {
    let mut crew = Crew::new(OPEN).await;
    let (first, second, third) = (crew.read().await, crew.read().await, crew.read().await);
    crew.refused(&first, "core", Some(ms(2 * MINUTE))).await;
    crew.refused(&second, "all", Some(ms(3 * MINUTE))).await;
    crew.refused(&third, "content", Some(ms(MINUTE))).await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.until_ms, BEGIN_MS + 3 * MINUTE);
    assert_eq!(wait.awaited, "the end of GitHub's secondary rate limit");
    crew.told(left("core", 5_000, 0, 5 * MINUTE)).await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.until_ms, BEGIN_MS + 5 * MINUTE + SECOND);
    assert_eq!(wait.awaited, "GitHub's rate limit of core");
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_sent_before_the_pause_ends_nothing() {
    let mut crew = Crew::new(OPEN).await;
    let (refused, early, late) = (crew.read().await, crew.read().await, crew.read().await);
    crew.refused(&refused, "all", Some(ms(20 * SECOND))).await;
    crew.answered(&early).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(20 * SECOND).await;
    crew.answered(&late).await;
    crew.ask("a", Class::Read).await.unwrap();
    crew.ask("b", Class::Read).await.unwrap_err();
}

#[tokio::test]
async fn a_refusal_that_was_sent_before_the_pause_began_does_not_count_twice() {
    let mut crew = Crew::new(OPEN).await;
    let mut starts = Vec::new();
    for _ in 0..5 {
        starts.push(crew.read().await);
    }
    for (index, start) in starts.iter().enumerate() {
        let wait_ms = crew.refused(start, "all", None).await;
        assert_eq!(wait_ms, MINUTE - SECOND * index as u64);
        crew.pass(SECOND).await;
    }
    crew.set(BEGIN_MS + MINUTE).await;
    let probe = crew.read().await;
    assert_eq!(crew.refused(&probe, "all", None).await, 2 * MINUTE);
}

#[tokio::test]
async fn a_later_refusal_of_the_same_event_can_lengthen_its_pause_and_not_shorten_it() {
    let mut crew = Crew::new(OPEN).await;
    let (first, second, third) = (crew.read().await, crew.read().await, crew.read().await);
    crew.refused(&first, "all", Some(ms(MINUTE))).await;
    let wait_ms = crew.refused(&second, "all", Some(ms(HOUR))).await;
    assert_eq!(wait_ms, HOUR);
    let wait_ms = crew.refused(&third, "all", Some(ms(SECOND))).await;
    assert_eq!(wait_ms, HOUR);
}

#[tokio::test]
async fn telling_a_refusal_again_after_a_lost_reply_changes_nothing() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    assert_eq!(crew.refused(&start, "all", None).await, MINUTE);
    let known = crew.record().await;
    assert_eq!(crew.refused(&start, "all", None).await, MINUTE);
    assert_eq!(crew.record().await, known);
}

#[tokio::test]
async fn a_refused_request_flies_no_more_and_its_answer_tells_what_is_left() {
    let mut crew = Crew::new(hookme_shared::queue::Pace {
        in_flight: 1,
        ..OPEN
    })
    .await;
    let start = crew.read().await;
    let told = Some(left("core", 5_000, 0, HOUR));
    let outcome = refusal("graphql", Some(ms(SECOND)));
    crew.end(&start.lease, outcome, told, 0.0).await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.until_ms, BEGIN_MS + HOUR + SECOND);
    crew.set(wait.until_ms).await;
    let next = crew.read().await;
    let again = crew.end(&next.lease, Outcome::Unknown, None, 0.0).await;
    assert_eq!(again, 0);
}

/// While a token is being replaced, workers with the old one and with the new one
/// work side by side.
#[tokio::test]
async fn the_answers_to_another_token_do_not_free_a_refused_one() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.refused(&start, "token", None).await;
    "token-2".clone_into(&mut crew.identity.token);
    for _ in 0..3 {
        let start = crew.read().await;
        crew.answered(&start).await;
    }
    "token-1".clone_into(&mut crew.identity.token);
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(30 * MINUTE).await;
    crew.ask("a", Class::Read).await.unwrap();
    crew.ask("b", Class::Read).await.unwrap_err();
}
