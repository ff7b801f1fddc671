//! Permits that come back at odd moments, and a clock that is set back under them.

use std::time::Duration;

use hookme_shared::queue::{DeliveryOutcome, Entered, Left, OriginState, Return};
use redis::AsyncCommands;

use super::gate::{BEGIN_MS, FAILED, Flight, Gate, OK, ONE, OTHER, UNKNOWN};

const HOUR: u64 = 3_600_000;

/// What is told of a delivery that ended like this.
fn back(flight: &Flight, outcome: DeliveryOutcome) -> Return {
    Return {
        lease: flight.entry.lease.clone(),
        destination: flight.entry.destination.clone(),
        origin: flight.entry.origin.clone(),
        outcome,
        started_ms: flight.started_ms,
        slow: None,
        reason: "it said so".to_owned(),
    }
}

/// The key of the one origin that is known.
async fn origin_key(gate: &Gate) -> String {
    let mut redis = gate.house.redis().await.unwrap();
    let keys: Vec<String> = redis.keys(gate.house.key("origin:*")).await.unwrap();
    let mut keys = keys.into_iter().filter(|key| !key.contains(":flights:"));
    let key = keys.next().unwrap();
    assert_eq!(keys.next(), None);
    key
}

#[tokio::test]
async fn a_delivery_that_finds_every_field_of_its_origin_set_leaves_with_its_batch() {
    let mut gate = Gate::new().await;
    gate.most = 2;
    let (first, second) = (gate.enter(ONE).await, gate.enter(ONE).await);
    let key = origin_key(&gate).await;
    let other = gate.enter(OTHER).await;
    let mut redis = gate.house.redis().await.unwrap();
    let later = BEGIN_MS + 60_000;
    for (field, value) in [
        ("since_ms", BEGIN_MS),
        ("ok", 1),
        ("failed", 1),
        ("opens", 1),
        ("open_until_ms", BEGIN_MS),
        ("probe", 1),
        ("probe_until_ms", later),
        ("gap_ms", 1_000),
        ("next_ms", BEGIN_MS),
        ("slowed_ms", BEGIN_MS),
        ("place_ms", BEGIN_MS),
    ] {
        let () = redis.hset(&key, field, value).await.unwrap();
    }
    let returns = [
        back(&first, FAILED),
        back(&second, UNKNOWN),
        back(&other, DeliveryOutcome::Gone),
    ];
    let left = gate.queue.leave_destinations(&returns).await.unwrap();
    assert_eq!(left, [Left::Nothing, Left::Nothing, Left::Disabled]);
    let () = redis.del(&key).await.unwrap();
    gate.enter(ONE).await;
    gate.enter(ONE).await;
    assert!(matches!(gate.ask(OTHER).await.1, Entered::Disabled { .. }));
}

#[tokio::test]
async fn an_outcome_that_is_told_again_counts_once_and_that_nobody_wants_more_always() {
    let mut gate = Gate::new().await;
    for _ in 0..9 {
        let flight = gate.enter(ONE).await;
        for _ in 0..3 {
            let left = gate
                .queue
                .leave_destinations(&[back(&flight, FAILED)])
                .await;
            assert_eq!(left.unwrap(), [Left::Nothing]);
        }
    }
    let opened = gate.send(ONE, FAILED).await;
    assert_eq!(opened, Left::Opened(Duration::from_secs(30)));
    gate.pass(30_000).await;
    let probe = gate.enter(ONE).await;
    let closed = gate.queue.leave_destinations(&[back(&probe, OK)]).await;
    assert_eq!(closed.unwrap(), [Left::Closed]);
    let again = gate.queue.leave_destinations(&[back(&probe, OK)]).await;
    assert_eq!(again.unwrap(), [Left::Nothing]);
    let late = gate.enter(ONE).await;
    gate.pass(60_000).await;
    let gone = back(&late, DeliveryOutcome::Gone);
    let left = gate.queue.leave_destinations(&[gone]).await.unwrap();
    assert_eq!(left, [Left::Disabled]);
}

#[tokio::test]
async fn an_origin_that_fails_is_left_alone_no_longer_because_the_clock_is_set_back() {
    let mut gate = Gate::new().await;
    gate.break_open().await;
    gate.set_back(HOUR).await;
    assert_eq!(gate.refused(ONE).await, (30_000, OriginState::Open));
    gate.pass(30_000).await;
    let _probe = gate.enter(ONE).await;
    gate.set_back(HOUR).await;
    assert_eq!(gate.refused(ONE).await.1, OriginState::Probing);
    let shown = gate.queue.destinations().await.unwrap();
    assert_eq!(shown.len(), 1, "{shown:?}");
    gate.pass(20_000).await;
    // The probe was lost; this is the next.
    gate.enter(ONE).await;
}

#[tokio::test]
async fn an_origin_that_asked_for_less_waits_no_longer_because_the_clock_is_set_back() {
    let mut gate = Gate::new().await;
    let flight = gate.enter(ONE).await;
    gate.leave(flight, FAILED, Some(5_000)).await;
    gate.set_back(HOUR).await;
    let (wait_ms, state) = gate.refused(ONE).await;
    assert!(wait_ms <= 6_000, "{wait_ms}");
    assert_eq!(state, OriginState::Slow);
    gate.pass(6_000).await;
    gate.enter(ONE).await;
}

#[tokio::test]
async fn a_lost_delivery_holds_its_place_no_longer_because_the_clock_is_set_back() {
    let mut gate = Gate::new().await;
    gate.most = 1;
    gate.enter(ONE).await;
    gate.set_back(HOUR).await;
    assert_eq!(gate.ask(ONE).await.1, Entered::Full);
    gate.pass(20_000).await;
    gate.enter(ONE).await;
}
