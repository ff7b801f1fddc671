//! What the task does between its calls of Redis.

use hookme_shared::queue::{Address, BudgetLeft, Class, Clock, Resource, Terms};
use hookme_shared::secret::Secret;

use super::*;
use crate::github::governor::Governor;
use crate::github::patience::Patience;

/// A task of which two requests may fly at once. Its Redis is never asked.
fn task() -> GovernorTask {
    let address = Address {
        url: Secret::from("redis://127.0.0.1:1".to_owned()),
        certificate_authority: None,
        namespace: "unused".to_owned(),
        response_timeout: Duration::from_secs(1),
        clock: Clock::Redis,
    };
    let pace = Pace {
        in_flight: 2,
        read_gap: Duration::ZERO,
        write_gap: Duration::ZERO,
        content_per_minute: 0,
        content_per_hour: 0,
    };
    GovernorTask::new(
        mpsc::channel(1).1,
        Arc::default(),
        Queue::new(&address, Terms::default()).unwrap(),
        Identity {
            name: "github/user-1".to_owned(),
            token: String::new(),
        },
        "worker".to_owned(),
        pace,
        Duration::from_secs(30),
    )
}

/// A request that is worth asking for at once.
fn waiting(now: Instant, patience: Duration) -> Waiting {
    Waiting {
        want: Want {
            lease: "lease".to_owned(),
            class: Class::Read,
            resource: Resource::Core,
            patience,
        },
        since: now,
        until: now + patience,
        ask_at: now,
        answer: oneshot::channel().0,
    }
}

#[tokio::test]
async fn while_its_own_requests_fill_the_limit_it_sleeps_until_patience_ends() {
    let (mut task, now) = (task(), Instant::now());
    let (longer, long) = (Duration::from_secs(2), Duration::from_secs(1));
    assert_eq!(task.next_ask(), None);
    task.waiting
        .extend([waiting(now, longer), waiting(now, long)]);
    for (out, expected) in [(0, now), (1, now), (2, now + long), (3, now + long)] {
        task.out = (0..out)
            .map(|index: u32| (index.to_string(), now + longer))
            .collect();
        assert_eq!(task.next_ask(), Some(expected), "{out} out");
    }
}
#[tokio::test]
async fn who_has_no_patience_left_is_sent_away_and_does_not_take_a_place() {
    let (mut task, now) = (task(), Instant::now());
    let (answer, mut answered) = oneshot::channel();
    let impatient = Waiting {
        answer,
        ..waiting(now, Duration::ZERO)
    };
    let (kept, _answered) = oneshot::channel();
    let gone = waiting(now, Duration::from_secs(1));
    let patient = Waiting {
        answer: kept,
        ..waiting(now, Duration::from_secs(1))
    };
    task.waiting.extend([impatient, gone, patient]);
    assert_eq!(task.choose(now).len(), 1);
    assert!(task.waiting.is_empty());
    let told = answered.try_recv().unwrap();
    assert!(matches!(told, Err(Failure::Wait { .. })));
}

#[tokio::test]
async fn what_is_to_be_told_is_kept_while_redis_is_away_and_not_if_it_refuses() {
    let refused = QueueError::Corrupt {
        operation: "github_release",
        detail: "no number".to_owned(),
    };
    let away = QueueError::Unavailable {
        operation: "github_release",
        source: None,
    };
    for (error, kept) in [(away, 1), (refused, 0)] {
        let (mut task, now) = (task(), Instant::now());
        task.doubt(vec![waiting(now, Duration::from_secs(1))], &error);
        let (answer, mut answered) = oneshot::channel();
        task.waiting.push_back(Waiting {
            answer,
            ..waiting(now, Duration::from_secs(1))
        });
        lock(&task.board).answered(now, true);
        assert!(lock(&task.board).free_until.is_some());
        task.give_up(&error);
        assert_eq!(lock(&task.board).free_until, None);
        assert_eq!((task.releases.len(), task.waiting.len()), (kept, 0));
        assert!(matches!(answered.try_recv(), Ok(Err(Failure::Queue(_)))));
    }
}

#[tokio::test]
async fn what_redis_said_to_one_read_holds_for_others_until_something_is_limited() {
    let of = task();
    let (governor, served) = Governor::new(of.queue, of.identity, of.worker, of.pace, of.term);
    // Nobody asks Redis: only what need not ask comes through.
    drop(served);
    let acquire = async |class, resource| {
        let asked = governor.acquire(class, resource, Patience::begin());
        asked.await.ok()
    };
    let refused = Outcome::Refused {
        scope: "all".to_owned(),
        wait: None,
        request_id: String::new(),
    };
    let told = Some(BudgetLeft {
        resource: "core".to_owned(),
        limit: 60,
        remaining: 59,
        reset_in: Duration::from_secs(3_600),
    });
    for (outcome, left, still_free) in [
        (Outcome::Answered, None, true),
        (Outcome::Unknown, None, true),
        (Outcome::Answered, told, false),
        (refused, None, false),
    ] {
        assert!(acquire(Class::Read, Resource::Core).await.is_none());
        lock(&governor.board).free_until = Some(Instant::now() + Duration::from_secs(60));
        assert!(acquire(Class::Read, Resource::Graphql).await.is_none());
        assert!(acquire(Class::Write, Resource::Core).await.is_none());
        let permit = acquire(Class::Read, Resource::Core).await.unwrap();
        assert_eq!(permit.release(outcome.clone(), left).await, None);
        assert_eq!(governor.is_free(), still_free, "{outcome:?}");
        lock(&governor.board).free_until = Some(Instant::now());
    }
}

#[test]
fn a_call_that_was_made_before_a_limit_was_told_does_not_free_anything() {
    let (mut board, sent) = (Board::default(), Instant::now());
    board.answered(sent, true);
    assert!(board.free_until.is_some_and(|until| until > sent));
    board.limited(sent + Duration::from_millis(1));
    board.answered(sent, true);
    assert_eq!(board.free_until, None);
    let later = sent + Duration::from_millis(2);
    board.answered(later, true);
    assert!(board.free_until.is_some_and(|until| until > later));
    board.answered(later, false);
    assert_eq!(board.free_until, None);
}

#[tokio::test]
async fn a_comment_goes_before_the_reads_that_came_first_and_keeps_no_fetch_from_being_claimed() {
    let (mut task, now) = (task(), Instant::now());
    task.pace.in_flight = 1;
    let patience = Duration::from_secs(2);
    let (mut wants, mut answered) = (Vec::new(), Vec::new());
    for class in [Class::Read, Class::Read, Class::Content] {
        let (answer, kept) = oneshot::channel();
        answered.push(kept);
        let mut one = waiting(now, patience);
        one.want.class = class;
        wants.push(Waiting { answer, ..one });
    }
    task.waiting.extend(wants);
    let chosen = task.choose(now);
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0].want.class, Class::Content);
    task.waiting.clear();
    task.waiting.extend(chosen);
    assert_eq!(task.oldest_read(), None);
    task.waiting.push_back(waiting(now, patience));
    assert_eq!(task.oldest_read(), Some(now));
}
