//! Lanes take turns: what was fetched is delivered first, and still something is
//! fetched.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookme_shared::job::{JobId, Stage};
use hookme_shared::queue::{Clock, Queue, QueueError, Settlement, Terms};
use hookme_tests::{House, by_hand};
use hookme_worker::handle::{Attempt, Handle};

use super::{PATIENCE, again, settle, submit, submit_many};

/// Jobs that wait in both lanes, as many in each.
async fn fill(queue: &Queue, jobs: usize) {
    submit_many(queue, "delivering", jobs).await;
    for one in by_hand::claim(queue, jobs, 0).await.unwrap().jobs {
        queue
            .keep_report(one.job.id, &one.fence, b"bytes")
            .await
            .unwrap();
        settle(queue, (one.job.id, one.fence), &again()).await;
    }
    submit_many(queue, "fetching", jobs).await;
}

#[tokio::test]
async fn while_both_lanes_are_full_each_round_of_four_is_three_deliveries_and_a_fetch() {
    for wanted in [1, 2, 3, 4, 5, 8] {
        let house = House::start().await.unwrap();
        house.set_clock(1_000).await.unwrap();
        let queue = house
            .queue_under(Terms::default(), Clock::Virtual)
            .await
            .unwrap();
        fill(&queue, 24).await;
        let mut stages = Vec::new();
        while stages.len() < 32 {
            let turn = u32::try_from(stages.len()).unwrap();
            let batch = by_hand::claim(&queue, wanted, turn).await.unwrap();
            stages.extend(batch.jobs.iter().map(|one| one.job.stage));
        }
        for round in stages.chunks_exact(4).take(8) {
            let fetches = round.iter().filter(|stage| **stage == Stage::Fetch).count();
            assert_eq!(fetches, 1, "{wanted} at a time: {stages:?}");
        }
    }
}

#[tokio::test]
async fn a_lane_gets_the_turns_that_the_other_one_has_no_use_for() {
    let house = House::start().await.unwrap();
    house.set_clock(1_000).await.unwrap();
    let queue = house
        .queue_under(Terms::default(), Clock::Virtual)
        .await
        .unwrap();
    fill(&queue, 20).await;
    let mut ids = HashSet::<JobId>::new();
    for turn in 0..40 {
        let batch = by_hand::claim(&queue, 1, turn).await.unwrap();
        ids.extend(batch.jobs.iter().map(|one| one.job.id));
    }
    assert_eq!(ids.len(), 40);
}

/// Writes down which lane each job came from.
#[derive(Clone, Default)]
struct Note(Arc<Mutex<Vec<Stage>>>);

impl Handle for Note {
    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        self.0.lock().unwrap().push(attempt.job.stage);
        Ok(Some(Settlement::Finish))
    }
}

#[tokio::test]
async fn a_worker_with_one_permit_keeps_the_turns_from_claim_to_claim() {
    let mut house = House::start().await.unwrap();
    fill(&house.queue, 24).await;
    let last = submit(&house.queue, "last").await;
    let note = Note::default();
    let launch = house
        .launch_of("note", Terms::default(), Clock::Redis)
        .unwrap();
    house.launch(launch, note.clone()).await.unwrap();
    house
        .ended(last, PATIENCE + Duration::from_secs(10))
        .await
        .unwrap();
    let stages = note.0.lock().unwrap().clone();
    let fetches = |range: std::ops::Range<usize>| {
        stages[range]
            .iter()
            .filter(|stage| **stage == Stage::Fetch)
            .count()
    };
    for round in 0..8 {
        assert_eq!(fetches(4 * round..4 * round + 4), 1, "{stages:?}");
    }
}
