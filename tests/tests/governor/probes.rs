//! After a pause one request tries whether it is over.

use hookme_shared::queue::{Class, Outcome, Resource};

use super::crew::{Crew, OPEN, Start};
use super::{MINUTE, SECOND, TERM, ms};

/// While a probe is under way others look again after this.
const LOOK_MS: u64 = 200;

/// A crew whose pause of `scope` has just ended.
async fn after_a_pause(scope: &str) -> Crew {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    let wait_ms = crew.refused(&start, scope, None).await;
    crew.pass(wait_ms).await;
    crew
}

/// Lets several workers ask; returns the one request that may start.
async fn the_only_start(crew: &mut Crew, class: Class) -> Start {
    let mut starts = Vec::new();
    for worker in ["a", "b", "c", "d", "e"] {
        match crew.ask(worker, class).await {
            Ok(start) => starts.push(start),
            Err(wait) => assert_eq!(wait.ms, LOOK_MS, "{wait:?}"),
        }
    }
    assert_eq!(starts.len(), 1, "{starts:?}");
    starts.remove(0)
}

async fn all_start(crew: &mut Crew, class: Class) {
    for worker in ["a", "b", "c", "d", "e"] {
        crew.ask(worker, class).await.unwrap();
    }
}

#[tokio::test]
async fn exactly_one_probe_goes_out_after_a_pause_and_its_success_opens() {
    for scope in ["all", "core", "content", "token"] {
        let mut crew = after_a_pause(scope).await;
        let probe = the_only_start(&mut crew, Class::Content).await;
        crew.answered(&probe).await;
        all_start(&mut crew, Class::Content).await;
    }
}

#[tokio::test]
async fn of_the_requests_of_one_call_one_is_the_probe() {
    let mut crew = after_a_pause("all").await;
    let wants: Vec<_> = (0..5)
        .map(|_| crew.want(Class::Read, Resource::Core, ms(0)))
        .collect();
    let answers = crew.ask_all("a", &wants).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_probe_that_is_refused_again_doubles_the_pause() {
    let mut crew = after_a_pause("all").await;
    for minutes in [2, 4, 8, 16] {
        let probe = the_only_start(&mut crew, Class::Read).await;
        let wait_ms = crew.refused(&probe, "all", None).await;
        assert_eq!(wait_ms, minutes * MINUTE);
        let wait = crew.ask("a", Class::Read).await.unwrap_err();
        assert_eq!(wait.ms, wait_ms);
        crew.pass(wait_ms).await;
    }
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.answered(&probe).await;
    all_start(&mut crew, Class::Read).await;
}

#[tokio::test]
async fn a_probe_of_which_no_answer_came_lets_another_go() {
    let mut crew = after_a_pause("all").await;
    for _ in 0..3 {
        let probe = the_only_start(&mut crew, Class::Read).await;
        crew.end(&probe.lease, Outcome::Unknown, None, 0.0).await;
    }
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.answered(&probe).await;
    all_start(&mut crew, Class::Read).await;
}

#[tokio::test]
async fn a_probe_that_is_lost_lets_another_go_after_its_term_and_its_answer_opens_nothing() {
    let mut crew = after_a_pause("all").await;
    let lost = the_only_start(&mut crew, Class::Read).await;
    let term_ms = u64::try_from(TERM.as_millis()).unwrap();
    crew.pass(term_ms - 1).await;
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(wait.ms, 1);
    crew.pass(1).await;
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.answered(&lost).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.answered(&probe).await;
    all_start(&mut crew, Class::Read).await;
}

#[tokio::test]
async fn one_request_can_be_the_probe_of_several_pauses() {
    let mut crew = Crew::new(OPEN).await;
    let mut starts = Vec::new();
    for scope in ["core", "all", "content"] {
        starts.push((crew.read().await, scope));
    }
    for (start, scope) in &starts {
        crew.refused(start, scope, Some(ms(MINUTE))).await;
    }
    crew.pass(MINUTE).await;
    let probe = crew.ask("a", Class::Read).await.unwrap();
    crew.answered(&probe).await;
    // Nobody has tried yet whether content may be made again.
    all_start(&mut crew, Class::Read).await;
    let probe = the_only_start(&mut crew, Class::Content).await;
    crew.answered(&probe).await;
    all_start(&mut crew, Class::Content).await;
}

#[tokio::test]
async fn a_probe_that_meets_another_limit_leaves_its_own_pause_to_the_next() {
    let mut crew = after_a_pause("core").await;
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.refused(&probe, "all", Some(ms(10 * SECOND))).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(10 * SECOND).await;
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.answered(&probe).await;
    all_start(&mut crew, Class::Read).await;
}

/// It was sent before the refusal that paused everybody anew.
#[tokio::test]
async fn the_answer_to_a_probe_does_not_end_a_pause_that_began_after_it_was_sent() {
    let mut crew = Crew::new(OPEN).await;
    let (first, slow) = (crew.read().await, crew.read().await);
    crew.refused(&first, "all", Some(ms(10 * SECOND))).await;
    crew.pass(10 * SECOND).await;
    let probe = the_only_start(&mut crew, Class::Read).await;
    crew.refused(&slow, "all", Some(ms(MINUTE))).await;
    crew.answered(&probe).await;
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(wait.ms, MINUTE);
}
