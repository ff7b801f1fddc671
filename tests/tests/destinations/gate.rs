//! A worker by hand, before receivers, in virtual time.

use std::time::Duration;

use hookme_shared::queue::{
    Clock, DeliveryOutcome, Entered, Entry, Left, OriginState, Queue, Return, Terms,
};
use hookme_tests::House;

pub(crate) use DeliveryOutcome::{Failed as FAILED, Ok as OK, Unknown as UNKNOWN};

/// After so long a delivery counts as lost.
pub(crate) const TERM: Duration = Duration::from_secs(20);
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;
pub(crate) const ONE: &str = "https://one.example";
pub(crate) const OTHER: &str = "https://other.example";

/// A worker whose every step the test decides.
pub(crate) struct Gate {
    pub(crate) house: House,
    pub(crate) queue: Queue,
    pub(crate) now_ms: u64,
    pub(crate) most: u32,
    pub(crate) leases: u32,
}

/// A delivery that is under way.
pub(crate) struct Flight {
    pub(crate) entry: Entry,
    pub(crate) started_ms: u64,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        let house = House::start().await.unwrap();
        let queue = house
            .queue_under(Terms::default(), Clock::Virtual)
            .await
            .unwrap();
        house.set_clock(BEGIN_MS).await.unwrap();
        Self {
            house,
            queue,
            now_ms: BEGIN_MS,
            most: 0,
            leases: 0,
        }
    }

    /// Sets the clock back.
    pub(crate) async fn set_back(&mut self, ms: u64) {
        self.now_ms -= ms;
        self.house.set_clock(self.now_ms).await.unwrap();
    }

    pub(crate) async fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.house.set_clock(self.now_ms).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, origin: &str) -> (Entry, Entered) {
        self.leases += 1;
        let entry = Entry {
            lease: format!("lease-{}", self.leases),
            destination: format!("{origin}/hook"),
            url: format!("{origin}/hook"),
            origin: origin.to_owned(),
        };
        let asked = std::slice::from_ref(&entry);
        let answer = self.queue.enter_destinations(TERM, self.most, asked).await;
        (entry, answer.unwrap().remove(0))
    }

    pub(crate) async fn enter(&mut self, origin: &str) -> Flight {
        match self.ask(origin).await {
            (entry, Entered::Go { started_ms }) => Flight { entry, started_ms },
            (_, refused) => panic!("{refused:?}"),
        }
    }

    /// What a delivery is told that may not start: how long to wait, and why.
    pub(crate) async fn refused(&mut self, origin: &str) -> (u64, OriginState) {
        match self.ask(origin).await.1 {
            Entered::Wait { delay, state } => (delay.as_millis().try_into().unwrap(), state),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn leave(
        &self,
        flight: Flight,
        outcome: DeliveryOutcome,
        slow: Option<u64>,
    ) -> Left {
        let one = Return {
            lease: flight.entry.lease,
            destination: flight.entry.destination,
            origin: flight.entry.origin,
            outcome,
            started_ms: flight.started_ms,
            slow: slow.map(Duration::from_millis),
            reason: "it said so".to_owned(),
        };
        self.queue
            .leave_destinations(&[one])
            .await
            .unwrap()
            .remove(0)
    }

    /// Sends one delivery that ends like this.
    pub(crate) async fn send(&mut self, origin: &str, outcome: DeliveryOutcome) -> Left {
        let flight = self.enter(origin).await;
        self.leave(flight, outcome, None).await
    }

    /// Sends failing deliveries until the origin counts as failing.
    pub(crate) async fn break_open(&mut self) {
        for _ in 0..9 {
            assert_eq!(self.send(ONE, FAILED).await, Left::Nothing);
        }
        let opened = self.send(ONE, FAILED).await;
        assert_eq!(opened, Left::Opened(Duration::from_secs(30)));
    }
}
