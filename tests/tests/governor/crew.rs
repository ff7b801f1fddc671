//! Several workers by hand, before one GitHub.

use std::collections::HashMap;
use std::time::Duration;

use hookme_shared::queue::{
    BudgetLeft, Class, Clock, Granted, Identity, Outcome, Pace, Queue, Release, Resource, Terms,
    Want,
};
use hookme_tests::House;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::{BEGIN_MS, TERM};

/// No limit of any kind.
pub(crate) const OPEN: Pace = Pace {
    in_flight: 0,
    read_gap: Duration::ZERO,
    write_gap: Duration::ZERO,
    content_per_minute: 0,
    content_per_hour: 0,
};

/// What the settings say unless somebody changes them.
pub(crate) const USUAL: Pace = Pace {
    in_flight: 1,
    read_gap: Duration::from_millis(100),
    write_gap: Duration::from_secs(1),
    content_per_minute: 40,
    content_per_hour: 450,
};

/// A request that may start.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) lease: String,
    pub(crate) at_ms: u64,
    /// Whether it must be released whatever its answer says.
    pub(crate) noted: bool,
}

/// A request that may not start yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) ms: u64,
    pub(crate) until_ms: u64,
    pub(crate) awaited: String,
}

/// The workers, their clock, and the identity and pace that they ask with.
pub(crate) struct Crew {
    pub(crate) house: House,
    pub(crate) queue: Queue,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) identity: Identity,
    pub(crate) pace: Pace,
    pub(crate) now_ms: u64,
    asked: u64,
}

impl Crew {
    pub(crate) async fn new(pace: Pace) -> Self {
        let house = House::start().await.unwrap();
        let queue = house
            .queue_under(Terms::default(), Clock::Virtual)
            .await
            .unwrap();
        let mut crew = Self {
            redis: house.redis().await.unwrap(),
            house,
            queue,
            identity: Identity {
                name: "api.github.com/user-1".to_owned(),
                token: "token-1".to_owned(),
            },
            pace,
            now_ms: 0,
            asked: 0,
        };
        crew.set(BEGIN_MS).await;
        crew
    }

    /// Sets the clock.
    pub(crate) async fn set(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let () = self
            .redis
            .set(self.house.key("clock"), now_ms)
            .await
            .unwrap();
    }

    /// Lets time pass.
    pub(crate) async fn pass(&mut self, ms: u64) {
        self.set(self.now_ms + ms).await;
    }

    /// Goes on as an identity of which nothing is known.
    pub(crate) fn become_somebody_else(&mut self) {
        self.asked += 1;
        self.identity.name = format!("api.github.com/somebody-{}", self.asked);
    }

    /// What `worker` would ask for.
    pub(crate) fn want(&mut self, class: Class, resource: Resource, patience: Duration) -> Want {
        self.asked += 1;
        Want {
            lease: format!("lease-{}", self.asked),
            class,
            resource,
            patience,
        }
    }

    /// Asks for several requests in one call.
    pub(crate) async fn ask_all(&self, worker: &str, wants: &[Want]) -> Vec<Result<Start, Wait>> {
        let granted = self
            .queue
            .github_acquire(&self.identity, worker, TERM, &self.pace, wants)
            .await
            .unwrap();
        assert_eq!(granted.len(), wants.len());
        let answer = |(want, granted): (&Want, Granted)| match granted {
            Granted::Start { after, noted } => Ok(Start {
                noted,
                lease: want.lease.clone(),
                at_ms: self.now_ms + whole(after),
            }),
            Granted::Wait { ask_after, awaited } => Err(Wait {
                ms: whole(ask_after),
                until_ms: self.now_ms + whole(ask_after),
                awaited,
            }),
        };
        wants.iter().zip(granted).map(answer).collect()
    }

    pub(crate) async fn ask_for(
        &mut self,
        worker: &str,
        class: Class,
        resource: Resource,
        patience: Duration,
    ) -> Result<Start, Wait> {
        let want = self.want(class, resource, patience);
        self.ask_all(worker, &[want]).await.remove(0)
    }

    /// Asks for a request to the REST API that starts at once or not at all.
    pub(crate) async fn ask(&mut self, worker: &str, class: Class) -> Result<Start, Wait> {
        self.ask_for(worker, class, Resource::Core, Duration::ZERO)
            .await
    }

    /// A read that must be let through.
    pub(crate) async fn read(&mut self) -> Start {
        self.ask("worker", Class::Read).await.unwrap()
    }

    pub(crate) async fn end(
        &self,
        lease: &str,
        outcome: Outcome,
        budget: Option<BudgetLeft>,
        jitter: f64,
    ) -> u64 {
        let release = Release {
            lease: lease.to_owned(),
            outcome,
            budget,
        };
        let waits = self
            .queue
            .github_release(&self.identity, jitter, &[release])
            .await
            .unwrap();
        assert_eq!(waits.len(), 1);
        whole(waits[0])
    }

    pub(crate) async fn answered(&self, start: &Start) {
        assert_eq!(
            self.end(&start.lease, Outcome::Answered, None, 0.0).await,
            0
        );
    }

    /// The answer said what is left.
    pub(crate) async fn told(&self, left: BudgetLeft) {
        self.end("told", Outcome::Answered, Some(left), 0.0).await;
    }

    /// GitHub refuses it; returns how long everybody waits.
    pub(crate) async fn refused(&self, start: &Start, scope: &str, wait: Option<Duration>) -> u64 {
        self.end(&start.lease, refusal(scope, wait), None, 0.0)
            .await
    }

    /// What is known of the identity's limits.
    pub(crate) async fn record(&self) -> HashMap<String, String> {
        let at = format!("github:limits:{}", self.identity.name);
        self.redis
            .clone()
            .hgetall(self.house.key(&at))
            .await
            .unwrap()
    }
}

pub(crate) fn refusal(scope: &str, wait: Option<Duration>) -> Outcome {
    Outcome::Refused {
        scope: scope.to_owned(),
        wait,
        request_id: "ABCD:1234".to_owned(),
    }
}

pub(crate) fn left(resource: &str, limit: u64, remaining: u64, reset_in_ms: u64) -> BudgetLeft {
    BudgetLeft {
        resource: resource.to_owned(),
        limit,
        remaining,
        reset_in: Duration::from_millis(reset_in_ms),
    }
}

fn whole(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}
