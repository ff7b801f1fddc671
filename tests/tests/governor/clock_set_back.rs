//! Redis's clock is set back by an hour: nobody waits any longer for that.

use hookme_shared::queue::{Class, Looked, Pace, Resource};

use super::answers::{KEEP, answer, asker};
use super::crew::{Crew, OPEN, USUAL, left};
use super::{HOUR, MINUTE, PATIENCE, SECOND, TERM, ms};

impl Crew {
    async fn set_back(&mut self, by_ms: u64) {
        self.set(self.now_ms - by_ms).await;
    }
}

#[tokio::test]
async fn a_gap_between_requests_is_no_longer() {
    let mut crew = Crew::new(USUAL).await;
    for class in [Class::Read, Class::Write, Class::Content] {
        let start = crew.ask_for("a", class, Resource::Core, PATIENCE).await;
        crew.answered(&start.unwrap()).await;
        crew.set_back(HOUR).await;
        let next = crew.ask_for("a", class, Resource::Core, PATIENCE).await;
        let next = next.unwrap_or_else(|wait| panic!("{class:?}: {wait:?}"));
        crew.set(next.at_ms).await;
        crew.answered(&next).await;
        crew.pass(10 * SECOND).await;
    }
}

#[tokio::test]
async fn a_pause_is_as_long_as_it_was_to_be() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    assert_eq!(crew.refused(&start, "all", None).await, MINUTE);
    crew.set_back(HOUR).await;
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(wait.ms, MINUTE);
    crew.pass(MINUTE).await;
    let probe = crew.read().await;
    assert!(probe.noted);
    // The probe is lost too.
    crew.set_back(HOUR).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    let term_ms = u64::try_from(TERM.as_millis()).unwrap();
    crew.pass(term_ms).await;
    let probe = crew.read().await;
    crew.answered(&probe).await;
    crew.read().await;
}

#[tokio::test]
async fn a_spent_hour_ends_when_it_was_to_end() {
    let mut crew = Crew::new(OPEN).await;
    crew.told(left("core", 5_000, 0, 10 * MINUTE)).await;
    crew.set_back(HOUR).await;
    let wait = crew.ask("a", Class::Read).await.unwrap_err();
    assert_eq!(wait.ms, 10 * MINUTE + SECOND);
    crew.pass(wait.ms).await;
    crew.read().await;
}

#[tokio::test]
async fn who_vanished_with_a_request_or_in_the_queue_is_forgotten_in_time() {
    let mut crew = Crew::new(USUAL).await;
    let lost = crew.ask("lost", Class::Read).await.unwrap();
    crew.ask("gone", Class::Read).await.unwrap_err();
    crew.set_back(HOUR).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(u64::try_from(TERM.as_millis()).unwrap()).await;
    let start = crew.ask("a", Class::Read).await.unwrap();
    assert_ne!(start.lease, lost.lease);
    crew.ask("gone", Class::Read).await.unwrap_err();
    crew.answered(&start).await;
    crew.set_back(HOUR).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(SECOND).await;
    // Nobody else waits any more, so it need not take turns.
    crew.ask("a", Class::Read).await.unwrap();
}

#[tokio::test]
async fn content_keeps_to_its_caps_and_waits_no_longer() {
    let mut crew = Crew::new(Pace {
        content_per_minute: 2,
        ..OPEN
    })
    .await;
    for _ in 0..2 {
        let start = crew.ask("a", Class::Content).await.unwrap();
        crew.answered(&start).await;
    }
    crew.set_back(HOUR).await;
    let wait = crew.ask("a", Class::Content).await.unwrap_err();
    assert_eq!(wait.ms, MINUTE);
    crew.pass(MINUTE).await;
    crew.ask("a", Class::Content).await.unwrap();
}

#[tokio::test]
async fn caps_that_fell_rise_again_in_time() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.refused(&start, "all", None).await;
    crew.set_back(12 * HOUR).await;
    crew.ask("a", Class::Read).await.unwrap_err();
    crew.pass(HOUR).await;
    let start = crew.read().await;
    assert_eq!(crew.refused(&start, "all", None).await, MINUTE);
    // From 50 they had risen to 60.
    assert_eq!(crew.record().await["caps_percent"], "30");
}

#[tokio::test]
async fn the_word_to_people_is_of_the_same_clock() {
    let mut crew = Crew::new(OPEN).await;
    let start = crew.read().await;
    crew.refused(&start, "all", None).await;
    crew.set_back(HOUR).await;
    let counts = crew.queue.counts().await.unwrap();
    assert_eq!(counts.github_paused_ms, MINUTE, "{counts:?}");
}

#[tokio::test]
async fn who_asks_for_an_answer_is_lost_and_no_kept_answer_is_fresh_for_longer() {
    let mut crew = Crew::new(OPEN).await;
    let (one, two) = (asker("h", "t", "one"), asker("h", "t", "two"));
    let look = async |crew: &Crew, name| crew.queue.github_look(name, TERM).await.unwrap();
    assert_eq!(look(&crew, &one).await, Looked::Missing);
    assert_eq!(look(&crew, &two).await, Looked::Asked);
    crew.set_back(HOUR).await;
    assert_eq!(look(&crew, &two).await, Looked::Missing);
    assert_eq!(look(&crew, &one).await, Looked::Asked);
    let (kept, keep) = (answer("\"1\"", 10), KEEP);
    let keeping = crew.queue.github_keep(&two, &keep, ms(MINUTE), &kept);
    keeping.await.unwrap();
    assert_eq!(look(&crew, &two).await, Looked::Fresh(kept.clone()));
    crew.set_back(2 * HOUR).await;
    assert_eq!(look(&crew, &two).await, Looked::Stale(kept));
}

#[tokio::test]
async fn a_name_is_believed_no_longer() {
    let mut crew = Crew::new(OPEN).await;
    let names = [(1, ms(HOUR), "Mona".to_owned())];
    crew.queue.know_github_names("host", &names).await.unwrap();
    crew.set_back(30 * 24 * HOUR).await;
    let known = crew.queue.github_names("host", &[1]).await.unwrap();
    assert_eq!(known, [None]);
}
