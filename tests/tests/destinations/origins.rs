//! What all workers learn from each other about an origin, in virtual time.

use std::time::Duration;

use hookme_shared::queue::{Entered, Entry, Left, OriginState};

use super::gate::{BEGIN_MS, FAILED, Gate, OK, ONE, OTHER, TERM, UNKNOWN};

#[tokio::test]
async fn an_origin_that_fails_is_left_alone_and_others_are_not() {
    let mut gate = Gate::new().await;
    gate.break_open().await;
    gate.pass(10_000).await;
    assert_eq!(gate.refused(ONE).await, (20_000, OriginState::Open));
    assert_eq!(gate.send(OTHER, OK).await, Left::Nothing);
}

#[tokio::test]
async fn a_share_of_failures_opens_and_a_smaller_one_does_not() {
    let mut gate = Gate::new().await;
    for _ in 0..50 {
        assert_eq!(gate.send(ONE, OK).await, Left::Nothing);
        assert_eq!(gate.send(ONE, OK).await, Left::Nothing);
        assert_eq!(gate.send(ONE, FAILED).await, Left::Nothing);
    }
    // What nobody knows counts on neither side.
    for _ in 0..50 {
        gate.send(ONE, UNKNOWN).await;
    }
    let mut more = 0;
    while gate.send(ONE, FAILED).await == Left::Nothing {
        more += 1;
    }
    // 100 succeeded and 50 had failed.
    assert_eq!(more, 49);
}

#[tokio::test]
async fn failures_of_long_ago_do_not_count() {
    let mut gate = Gate::new().await;
    for _ in 0..9 {
        gate.send(ONE, FAILED).await;
    }
    gate.pass(60_000).await;
    assert_eq!(gate.send(ONE, FAILED).await, Left::Nothing);
}

#[tokio::test]
async fn one_probe_tries_and_its_success_opens_the_door_to_all() {
    let mut gate = Gate::new().await;
    gate.break_open().await;
    gate.pass(30_000).await;
    let probe = gate.enter(ONE).await;
    assert_eq!(gate.refused(ONE).await, (2_000, OriginState::Probing));
    assert_eq!(gate.leave(probe, OK, None).await, Left::Closed);
    gate.enter(ONE).await;
    gate.enter(ONE).await;
}

#[tokio::test]
async fn each_probe_that_fails_doubles_the_wait_up_to_ten_minutes() {
    let mut gate = Gate::new().await;
    gate.break_open().await;
    let mut wait_ms = 30_000;
    for expected in [60_000, 120_000, 240_000, 480_000, 600_000, 600_000] {
        gate.pass(wait_ms).await;
        let opened = gate.send(ONE, FAILED).await;
        assert_eq!(opened, Left::Opened(Duration::from_millis(expected)));
        assert_eq!(gate.refused(ONE).await, (expected, OriginState::Open));
        wait_ms = expected;
    }
    gate.pass(wait_ms).await;
    assert_eq!(gate.send(ONE, OK).await, Left::Closed);
    // And all that is forgotten.
    let opened = loop {
        match gate.send(ONE, FAILED).await {
            Left::Nothing => {}
            other => break other,
        }
    };
    assert_eq!(opened, Left::Opened(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_probe_that_is_lost_makes_way_for_another() {
    let mut gate = Gate::new().await;
    gate.break_open().await;
    gate.pass(30_000).await;
    // Its worker died.
    let _lost = gate.enter(ONE).await;
    gate.pass(20_000).await;
    // This one was given up before it was sent.
    let dropped = gate.enter(ONE).await;
    assert_eq!(gate.leave(dropped, UNKNOWN, None).await, Left::Nothing);
    assert_eq!(gate.send(ONE, OK).await, Left::Closed);
}

#[tokio::test]
async fn what_was_sent_before_says_nothing_new_of_an_origin_that_fails() {
    let mut gate = Gate::new().await;
    let late = gate.enter(ONE).await;
    let mut early = Vec::new();
    for _ in 0..20 {
        early.push(gate.enter(ONE).await);
    }
    gate.break_open().await;
    for flight in early {
        assert_eq!(gate.leave(flight, FAILED, None).await, Left::Nothing);
    }
    assert_eq!(gate.leave(late, OK, None).await, Left::Nothing);
    assert_eq!(gate.refused(ONE).await, (30_000, OriginState::Open));
}

#[tokio::test]
async fn an_origin_that_asks_for_less_gets_a_gap_that_grows_and_shrinks() {
    let mut gate = Gate::new().await;
    let together = [
        gate.enter(ONE).await,
        gate.enter(ONE).await,
        gate.enter(ONE).await,
    ];
    for flight in together {
        gate.pass(1).await;
        // Of those under way together the first counts.
        let left = gate.leave(flight, OK, Some(0)).await;
        assert!(
            matches!(left, Left::Slowed(wait) if wait <= Duration::from_secs(1)),
            "{left:?}"
        );
    }
    assert_eq!(gate.refused(ONE).await.1, OriginState::Slow);
    gate.pass(1_000).await;
    let flight = gate.enter(ONE).await;
    assert_eq!(gate.refused(ONE).await.1, OriginState::Slow);
    let left = gate.leave(flight, OK, Some(0)).await;
    assert_eq!(left, Left::Slowed(Duration::from_secs(2)));
    for _ in 0..2 {
        gate.pass(2_000).await;
        assert_eq!(gate.send(ONE, OK).await, Left::Nothing);
    }
    // 2 s, 1 s, and then no gap at all.
    for _ in 0..5 {
        gate.send(ONE, OK).await;
    }
}

#[tokio::test]
async fn the_wait_that_a_receiver_asks_for_holds_up_its_origin_up_to_a_bound() {
    let mut gate = Gate::new().await;
    for (asked_ms, waits_ms) in [(30_000, 30_000), (86_400_000, 300_000)] {
        let flight = gate.enter(ONE).await;
        let left = gate.leave(flight, OK, Some(asked_ms)).await;
        assert_eq!(left, Left::Slowed(Duration::from_millis(waits_ms)));
        gate.enter(OTHER).await;
        gate.pass(waits_ms - 1).await;
        assert_eq!(gate.refused(ONE).await, (1, OriginState::Slow));
        gate.pass(1).await;
    }
}

#[tokio::test]
async fn those_that_wait_for_a_gap_have_their_turns_one_after_the_other() {
    let mut gate = Gate::new().await;
    let flight = gate.enter(ONE).await;
    gate.leave(flight, OK, Some(0)).await;
    let mut turns = Vec::new();
    for _ in 0..5 {
        turns.push(gate.refused(ONE).await.0);
    }
    assert_eq!(turns, [1_000, 2_000, 3_000, 4_000, 5_000]);
    // Who comes late takes nothing of the next one's turn.
    for late_ms in [1_400, 600, 1_000] {
        gate.pass(late_ms).await;
        gate.enter(ONE).await;
    }
}

#[tokio::test]
async fn no_more_are_under_way_to_an_origin_than_may_be_and_the_lost_do_not_count() {
    let mut gate = Gate::new().await;
    gate.most = 2;
    let (first, _lost) = (gate.enter(ONE).await, gate.enter(ONE).await);
    assert_eq!(gate.ask(ONE).await.1, Entered::Full);
    gate.enter(OTHER).await;
    gate.leave(first, UNKNOWN, None).await;
    gate.enter(ONE).await;
    assert_eq!(gate.ask(ONE).await.1, Entered::Full);
    gate.pass(20_000).await;
    gate.enter(ONE).await;
    gate.enter(ONE).await;
    assert_eq!(gate.ask(ONE).await.1, Entered::Full);
}

#[tokio::test]
async fn a_batch_is_judged_as_if_one_came_after_the_other() {
    let gate = Gate::new().await;
    let entry = |lease: u32, origin: &str| Entry {
        lease: lease.to_string(),
        destination: "d".to_owned(),
        url: "u".to_owned(),
        origin: origin.to_owned(),
    };
    let entries = [entry(1, ONE), entry(2, ONE), entry(3, OTHER), entry(4, ONE)];
    let answers = gate
        .queue
        .enter_destinations(TERM, 2, &entries)
        .await
        .unwrap();
    let go = Entered::Go {
        started_ms: BEGIN_MS,
    };
    assert_eq!(answers, [go.clone(), go.clone(), go, Entered::Full]);
}

#[tokio::test]
async fn what_somebody_put_in_the_place_of_a_record_holds_up_nobody() {
    use redis::AsyncCommands;
    let mut gate = Gate::new().await;
    gate.send(ONE, OK).await;
    let mut redis = gate.house.redis().await.unwrap();
    let keys: Vec<String> = redis.keys(gate.house.key("origin:*")).await.unwrap();
    let places: Vec<String> = redis.keys(gate.house.key("destination:*")).await.unwrap();
    assert_eq!((keys.len(), places.len()), (1, 1), "{keys:?} {places:?}");
    for key in keys.iter().chain(&places) {
        let () = redis.set(key, "x").await.unwrap();
    }
    gate.send(ONE, OK).await;
    assert_eq!(gate.queue.destinations().await.unwrap().len(), 1);
}
