//! The limiter on a clock of its own: exact boundaries, and no window ever too full.

use proptest::prelude::*;

use super::*;

const ALICE: Identity = Identity::User(1);
const BOB: Identity = Identity::User(2);
const READ: Ask = Ask {
    budget: Budget::Core,
    kind: Kind::Read,
    cost: 1,
};
const CONTENT: Ask = Ask {
    kind: Kind::Content,
    ..READ
};

fn limiter(change: impl FnOnce(&mut Limits)) -> Limiter {
    let mut limits = Limits::default();
    change(&mut limits);
    Limiter::new(limits)
}

/// Begins a request and ends it at once; its refusal and `Retry-After`, if any.
fn ask(limiter: &mut Limiter, now_ms: u64, ask: Ask) -> Option<(Refusal, Option<u64>)> {
    match limiter.begin(now_ms, ALICE, ask) {
        Verdict::Served(ticket, _) => {
            limiter.answered(ticket);
            None
        }
        Verdict::Refused {
            refusal,
            retry_after_seconds,
            ..
        } => Some((refusal, retry_after_seconds)),
    }
}

fn served(limiter: &mut Limiter, now_ms: u64, identity: Identity) -> (Ticket, Allowance) {
    match limiter.begin(now_ms, identity, READ) {
        Verdict::Served(ticket, allowance) => (ticket, allowance),
        refused @ Verdict::Refused { .. } => panic!("{refused:?}"),
    }
}

#[test]
fn the_hour_begins_with_the_first_request_and_is_whole_again_at_its_end() {
    let mut limiter = limiter(|limits| limits.hourly_token = 2);
    let (ticket, allowance) = served(&mut limiter, 5_000, ALICE);
    limiter.answered(ticket);
    let expected = Allowance {
        budget: Budget::Core,
        limit: 2,
        remaining: 1,
        used: 1,
        reset_ms: 3_605_000,
    };
    assert_eq!(allowance, expected);
    assert_eq!(ask(&mut limiter, 6_000, READ), None);
    let refused = Some((Refusal::Primary, None));
    assert_eq!(ask(&mut limiter, 7_000, READ), refused);
    assert_eq!(ask(&mut limiter, 8_000, Ask::unchanged()), refused);
    assert_eq!(ask(&mut limiter, 3_604_999, READ), refused);
    assert_eq!(ask(&mut limiter, 3_605_000, READ), None);
    let expected = Broken {
        primary: 1,
        during_pause: 2,
        ..Broken::default()
    };
    assert_eq!(limiter.broken(), expected);
    assert_eq!((limiter.served(), limiter.refused()), (3, 3));
}

#[test]
fn without_an_allowance_even_an_unchanged_answer_is_refused() {
    let mut limiter = limiter(|limits| limits.hourly_token = 1);
    assert_eq!(ask(&mut limiter, 0, READ), None);
    assert_eq!(
        ask(&mut limiter, 1, Ask::unchanged()),
        Some((Refusal::Primary, None))
    );
}

#[test]
fn budgets_and_identities_do_not_touch_one_another() {
    let mut limiter = limiter(|limits| {
        limits.hourly_token = 1;
        limits.hourly_anonymous = 3;
    });
    assert_eq!(ask(&mut limiter, 0, READ), None);
    assert!(ask(&mut limiter, 0, READ).is_some());
    assert_eq!(ask(&mut limiter, 0, Ask::query()), None);
    assert_eq!(served(&mut limiter, 0, BOB).1.remaining, 0);
    assert_eq!(served(&mut limiter, 0, Identity::Anonymous).1.remaining, 2);
    assert_eq!(
        (limiter.spent(Budget::Core), limiter.spent(Budget::Graphql)),
        (3, 1)
    );
    assert_eq!(limiter.spent_by(ALICE, Budget::Core), 1);
}

#[test]
fn an_unchanged_answer_costs_a_point_of_the_minute_and_nothing_of_the_hour() {
    let mut limiter = limiter(|limits| limits.points_per_minute = 3);
    for now_ms in [0, 1, 2] {
        assert_eq!(ask(&mut limiter, now_ms, Ask::unchanged()), None);
    }
    assert_eq!(limiter.spent(Budget::Core), 0);
    assert_eq!(
        ask(&mut limiter, 3, Ask::unchanged()),
        Some((Refusal::Secondary, Some(60)))
    );
    assert_eq!(limiter.broken().points_per_minute, 1);
}

#[test]
fn a_secondary_refusal_holds_everything_back_to_the_millisecond() {
    let mut limiter = limiter(|limits| {
        limits.points_per_minute = 5;
        limits.block_ms = 72_000;
    });
    assert_eq!(ask(&mut limiter, 0, Ask::rest(Kind::Write)), None);
    let refused = |seconds| Some((Refusal::Secondary, Some(seconds)));
    assert_eq!(ask(&mut limiter, 59_999, READ), refused(72));
    assert_eq!(ask(&mut limiter, 60_000, READ), refused(72));
    assert_eq!(ask(&mut limiter, 61_000, Ask::query()), refused(71));
    assert_eq!(ask(&mut limiter, 131_998, READ), refused(1));
    assert_eq!(ask(&mut limiter, 131_999, READ), None);
    let broken = limiter.broken();
    assert_eq!((broken.points_per_minute, broken.during_pause), (1, 3));
}

#[test]
fn a_refusal_for_content_lets_everything_else_pass() {
    let mut limiter = limiter(|limits| limits.content_per_minute = 1);
    assert_eq!(ask(&mut limiter, 0, CONTENT), None);
    let refused = Some((Refusal::Content, Some(60)));
    assert_eq!(ask(&mut limiter, 59_999, CONTENT), refused);
    assert_eq!(ask(&mut limiter, 60_000, READ), None);
    assert_eq!(ask(&mut limiter, 60_000, Ask::rest(Kind::Write)), None);
    assert_eq!(ask(&mut limiter, 119_999, CONTENT), None);
    assert_eq!(limiter.broken().content_per_minute, 1);
}

#[test]
fn ten_in_thirty_seconds_is_within_the_minute_and_breaks_the_hour_after_500() {
    let mut limiter = limiter(|_| {});
    let refused_at = (0..2_000).find(|index| ask(&mut limiter, index * 3_000, CONTENT).is_some());
    assert_eq!(refused_at, Some(500));
    let expected = Broken {
        content_per_hour: 1,
        ..Broken::default()
    };
    assert_eq!(limiter.broken(), expected);
}

#[test]
fn what_is_being_answered_counts_until_it_is() {
    let mut limiter = limiter(|limits| {
        limits.concurrent = 2;
        limits.block_ms = 1_000;
    });
    let (first, _) = served(&mut limiter, 0, ALICE);
    let (second, _) = served(&mut limiter, 0, ALICE);
    assert_eq!(
        ask(&mut limiter, 0, READ),
        Some((Refusal::Secondary, Some(1)))
    );
    limiter.answered(first);
    assert_eq!(ask(&mut limiter, 1_000, READ), None);
    limiter.answered(second);
    assert_eq!(limiter.broken().concurrent, 1);
}

#[test]
fn only_what_begins_before_the_first_answer_after_a_pause_is_beside_the_probe() {
    let mut limiter = limiter(|limits| limits.points_per_minute = 4);
    for _ in 0..4 {
        assert_eq!(ask(&mut limiter, 0, READ), None);
    }
    assert!(ask(&mut limiter, 0, READ).is_some());
    let (probe, _) = served(&mut limiter, 60_000, ALICE);
    let (beside, _) = served(&mut limiter, 60_001, ALICE);
    limiter.answered(beside);
    assert_eq!(limiter.broken().beside_probe, 1);
    limiter.answered(probe);
    let (next, _) = served(&mut limiter, 60_002, ALICE);
    let (after, _) = served(&mut limiter, 60_002, ALICE);
    assert_eq!(limiter.broken().beside_probe, 1);
    limiter.answered(next);
    limiter.answered(after);
}

#[test]
fn writes_a_second_apart_are_polite_and_a_millisecond_less_is_not() {
    let mut limiter = limiter(|_| {});
    for now_ms in [0, 1_000, 1_999] {
        assert_eq!(ask(&mut limiter, now_ms, CONTENT), None);
    }
    assert_eq!(ask(&mut limiter, 1_999, READ), None);
    assert_eq!(limiter.broken().writes_too_close, 1);
    assert_eq!(
        limiter.broken().rules()[7],
        ("writes_too_close", limiter.broken().total())
    );
}

/// What a random client does next: wait, ask, or end the oldest request.
fn step() -> impl Strategy<Value = (u64, u8)> {
    (
        prop_oneof![3 => 0u64..40, 1 => 200u64..1_500, 1 => Just(100), 1 => Just(1_000)],
        0u8..7,
    )
}

fn ask_of(choice: u8) -> Option<Ask> {
    match choice {
        0 | 1 => Some(READ),
        2 => Some(Ask::unchanged()),
        3 => Some(Ask::rest(Kind::Write)),
        4 => Some(CONTENT),
        5 => Some(Ask::query()),
        _ => None,
    }
}

/// The most of `events` (moment and weight) within any window of this length.
fn fullest(events: &[(u64, u64)], span_ms: u64) -> u64 {
    let from = |begin: u64| {
        let inside = events
            .iter()
            .filter(move |(at, _)| (begin..begin + span_ms).contains(at));
        inside.map(|(_, weight)| weight).sum()
    };
    events.iter().map(|(at, _)| from(*at)).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn whatever_a_client_does_no_window_ever_holds_more_than_its_limit(
        steps in proptest::collection::vec(step(), 1..300)
    ) {
        let limits = Limits {
            hourly_token: 25, graphql_points: 5, points_per_minute: 12,
            graphql_points_per_minute: 3, concurrent: 3, content_per_minute: 2,
            content_per_hour: 6, hour_ms: 1_000, minute_ms: 100, block_ms: 130,
            ..Limits::default()
        };
        let mut limiter = Limiter::new(limits.clone());
        let (mut now_ms, mut open) = (7_000, std::collections::VecDeque::new());
        let (mut points, mut queries, mut content) = (Vec::new(), Vec::new(), Vec::new());
        let mut hours = std::collections::HashMap::<(Budget, u64), u64>::new();
        let (mut blocked_until, mut content_blocked_until) = (0, 0);
        for (wait_ms, choice) in steps {
            now_ms += wait_ms;
            let Some(ask) = ask_of(choice) else {
                open.pop_front().into_iter().for_each(|ticket| limiter.answered(ticket));
                continue;
            };
            match limiter.begin(now_ms, ALICE, ask) {
                Verdict::Served(ticket, allowance) => {
                    prop_assert!(now_ms >= blocked_until);
                    prop_assert!(ask.kind != Kind::Content || now_ms >= content_blocked_until);
                    open.push_back(ticket);
                    prop_assert!(open.len() <= 3);
                    let minute = if ask.budget == Budget::Core { &mut points } else { &mut queries };
                    minute.push((now_ms, u64::from(ask.kind.points())));
                    if ask.kind == Kind::Content {
                        content.push((now_ms, 1));
                    }
                    prop_assert!(now_ms < allowance.reset_ms && allowance.reset_ms <= now_ms + 1_000);
                    let used = hours.entry((ask.budget, allowance.reset_ms)).or_default();
                    *used += u64::from(ask.cost);
                    prop_assert_eq!(*used, allowance.used);
                    prop_assert_eq!(allowance.used + allowance.remaining, allowance.limit);
                }
                Verdict::Refused { refusal, retry_after_seconds, .. } => {
                    prop_assert_eq!(retry_after_seconds.is_none(), refusal == Refusal::Primary);
                    let until = match refusal {
                        Refusal::Primary => continue,
                        Refusal::Secondary => &mut blocked_until,
                        Refusal::Content => &mut content_blocked_until,
                    };
                    if now_ms >= *until {
                        *until = now_ms + 130;
                    }
                }
            }
        }
        prop_assert!(fullest(&points, 100) <= 12 && fullest(&queries, 100) <= 3);
        prop_assert!(fullest(&content, 100) <= 2 && fullest(&content, 1_000) <= 6);
        prop_assert!(limiter.broken().total() >= limiter.refused());
    }

    #[test]
    fn a_client_that_waits_as_it_is_told_never_asks_in_a_pause(
        gaps_ms in proptest::collection::vec(0u64..30, 1..200)
    ) {
        let limits = Limits {
            points_per_minute: 10, hourly_token: 50, hour_ms: 5_000, minute_ms: 100,
            block_ms: 1_000, ..Limits::default()
        };
        let mut limiter = Limiter::new(limits);
        let mut now_ms = 0;
        for gap_ms in gaps_ms {
            now_ms += gap_ms;
            match limiter.begin(now_ms, ALICE, READ) {
                Verdict::Served(ticket, _) => limiter.answered(ticket),
                Verdict::Refused { allowance, retry_after_seconds, .. } => {
                    let over = |seconds| now_ms + seconds * 1_000;
                    now_ms = retry_after_seconds.map_or(allowance.reset_ms, over);
                }
            }
        }
        let broken = limiter.broken();
        prop_assert_eq!(broken.total(), broken.primary + broken.points_per_minute);
        prop_assert_eq!(broken.total(), limiter.refused());
    }
}
