//! What is limited stays limited: whoever asks at the same moment, however many
//! workers there are, and while the limits change.

#![cfg(test)]

mod lanes;
mod races;
mod rate;
mod running;
mod settings;

use std::time::Duration;

use hookme_shared::job::{Fence, JobId};
use hookme_shared::queue::{Queue, Settlement};
use hookme_tests::by_hand;

const PATIENCE: Duration = Duration::from_secs(60);

async fn submit(queue: &Queue, repository: &str) -> JobId {
    by_hand::submit(queue, repository, Duration::ZERO)
        .await
        .unwrap()
}

async fn submit_many(queue: &Queue, name: &str, jobs: usize) {
    for index in 0..jobs {
        submit(queue, &format!("{name}-{index}")).await;
    }
}

fn again() -> Settlement {
    let reason = "why".to_owned();
    Settlement::Retry {
        delay: Duration::ZERO,
        reason,
    }
}

/// How many jobs one claim gets, of those that it wants.
async fn claimed(queue: &Queue, wanted: usize) -> usize {
    by_hand::claim(queue, wanted, 0).await.unwrap().jobs.len()
}

async fn settle(queue: &Queue, (id, fence): (JobId, Fence), settlement: &Settlement) {
    queue.settle(id, &fence, settlement).await.unwrap();
}
