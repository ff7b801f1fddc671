//! Clients and a worker whose every step a test decides, in virtual time.

use std::time::Duration;

use hookme_shared::feedback::Grade;
use hookme_shared::job::{JobId, Stage};
use hookme_shared::queue::{
    Batch, ClaimRequest, Claimed, Clock, Explanation, Identity, Pace, Queue, Settled, Settlement,
    Submitted, Terms,
};
use hookme_tests::House;
use hookme_tests::by_hand::{self, REPOSITORY, WORKER};

/// Where the clock begins.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// The worker's default settings.
pub(crate) const PACE: Pace = Pace {
    in_flight: 1,
    read_gap: Duration::from_millis(100),
    write_gap: Duration::from_secs(1),
    content_per_minute: 40,
    content_per_hour: 450,
};

pub(crate) struct Desk {
    pub(crate) house: House,
    pub(crate) queue: Queue,
    pub(crate) identity: Identity,
    pub(crate) now_ms: u64,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::under(Terms::default()).await
    }

    pub(crate) async fn under(terms: Terms) -> Self {
        let house = House::start().await.unwrap();
        let queue = house.queue_under(terms, Clock::Virtual).await.unwrap();
        house.set_clock(BEGIN_MS).await.unwrap();
        Self {
            house,
            queue,
            identity: Identity {
                name: "api.github.com/user-1".to_owned(),
                token: "token-1".to_owned(),
            },
            now_ms: BEGIN_MS,
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&mut self, span: Duration) {
        self.now_ms += u64::try_from(span.as_millis()).unwrap();
        self.house.set_clock(self.now_ms).await.unwrap();
    }

    /// Sets the clock back.
    pub(crate) async fn set_back(&mut self, span: Duration) {
        self.now_ms -= u64::try_from(span.as_millis()).unwrap();
        self.pass(Duration::ZERO).await;
    }

    pub(crate) async fn offer(&self, pull_request: u64, commit: u32) -> Submitted {
        let work = by_hand::feedback(pull_request, commit).unwrap();
        let offered = by_hand::offer(&self.queue, REPOSITORY, work, Duration::ZERO);
        offered.await.unwrap()
    }

    /// Submits feedback that is taken.
    pub(crate) async fn submit(&self, pull_request: u64, commit: u32) -> JobId {
        let submitted = by_hand::submit_feedback(&self.queue, pull_request, commit, Duration::ZERO);
        submitted.await.unwrap()
    }

    /// Claims what is due, for a worker whom GitHub does not concern.
    pub(crate) async fn claim(&self, wanted: usize) -> Batch {
        by_hand::claim(&self.queue, wanted, 0).await.unwrap()
    }

    /// Claims what is due, for a worker that asks GitHub.
    pub(crate) async fn claim_to_ask(&self, wanted: usize, turn: u32) -> Batch {
        let request = ClaimRequest {
            request: JobId::random().to_string(),
            wanted,
            holds_nothing: true,
            turn,
            asking: Some((self.identity.clone(), PACE)),
            fetches: true,
        };
        self.queue.claim(WORKER, &request).await.unwrap()
    }

    /// Claims the one job that is due.
    pub(crate) async fn claim_one(&self) -> Claimed {
        let mut jobs = self.claim(2).await.jobs;
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    pub(crate) async fn settle(&self, claimed: &Claimed, settlement: Settlement) {
        let settled = self
            .queue
            .settle(claimed.job.id, &claimed.fence, &settlement);
        assert_eq!(settled.await.unwrap(), Settled::Done);
    }

    /// Grades all that is due to be.
    pub(crate) async fn grade_all(&self) {
        loop {
            let due = self.queue.counts().await.unwrap().due;
            if due.contains(&(Stage::Grade, 0)) {
                return;
            }
            // A turn that is not one of comments.
            let batch = by_hand::claim(&self.queue, 1, 4).await.unwrap();
            for claimed in batch.jobs {
                assert_eq!(claimed.job.stage, Stage::Grade);
                self.settle(&claimed, graded()).await;
            }
        }
    }

    /// Gives a claimed job back, to go on at once.
    pub(crate) async fn put_back(&self, claimed: &Claimed) {
        let back = Settlement::Defer {
            delay: Duration::ZERO,
            reason: "it waits".to_owned(),
        };
        self.settle(claimed, back).await;
    }

    pub(crate) async fn job(&self, id: JobId) -> Explanation {
        self.queue.explain(id).await.unwrap().unwrap()
    }
}

pub(crate) fn graded() -> Settlement {
    Settlement::Grade(Grade {
        passed: 1,
        total: 2,
    })
}
