//! A kept report and the claim that it comes with.

#![cfg(test)]

use std::time::Duration;

use hookme_shared::job::{JobId, Kind, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Address, ClaimRequest, Claimed, Clock, Loaded, Queue, Settlement, Submission, Terms,
};
use hookme_shared::secret::Secret;
use hookme_tests::redis_server::{namespace, shared_server};

/// The longest report that comes with a claim; `lua/claim.lua` has the number.
const WITH_CLAIM_BYTES: usize = 8_192;

async fn queue() -> Queue {
    let address = Address {
        url: Secret::from(shared_server().await.unwrap().url()),
        namespace: namespace(),
        response_timeout: Duration::from_secs(20),
        clock: Clock::Redis,
    };
    let queue = Queue::new(&address, Terms::default()).unwrap();
    queue.load_functions().await.unwrap();
    queue
}

async fn claim(queue: &Queue, request: &str) -> Claimed {
    let request = ClaimRequest {
        request: request.to_owned(),
        wanted: 1,
        holds_nothing: true,
        turn: 0,
        identity: None,
        fetches: true,
    };
    let mut batch = queue.claim("the-worker", &request).await.unwrap();
    assert_eq!(batch.unreadable, []);
    batch.jobs.pop().unwrap()
}

/// A job whose report of so many bytes is kept and whose delivery has failed once.
async fn failed_once(queue: &Queue, bytes: usize) {
    let submission = Submission {
        id: JobId::random(),
        kind: Kind::Report,
        username: Username::parse("octocat").unwrap(),
        repository: RepositoryName::parse("hello-world").unwrap(),
        delay: Duration::ZERO,
        idempotency: None,
    };
    queue.submit(&submission).await.unwrap();
    let first = claim(queue, "first").await;
    assert_eq!(first.report, None);
    let (id, fence) = (first.job.id, &first.fence);
    let report = vec![b'r'; bytes];
    queue.keep_report(id, fence, &report).await.unwrap();
    let retry = Settlement::Retry {
        delay: Duration::ZERO,
        reason: "503".to_owned(),
    };
    queue.settle(id, fence, &retry).await.unwrap();
}

#[tokio::test]
async fn a_small_report_comes_with_the_claim_and_with_its_repetition() {
    let queue = queue().await;
    failed_once(&queue, WITH_CLAIM_BYTES).await;
    let second = claim(&queue, "second").await;
    assert_eq!(second.report, Some(vec![b'r'; WITH_CLAIM_BYTES]));
    let job = &second.job;
    assert_eq!(
        (job.state, job.attempt, job.failures),
        (State::Running, 2, 1)
    );
    assert_eq!((job.bodies, job.has_report), (1, true));
    assert_eq!(job.worker.as_deref(), Some("the-worker"));
    let again = claim(&queue, "second").await;
    assert_eq!((again.job, again.report), (second.job, second.report));
}

#[tokio::test]
async fn a_larger_report_has_to_be_asked_for() {
    let queue = queue().await;
    failed_once(&queue, WITH_CLAIM_BYTES + 1).await;
    let second = claim(&queue, "second").await;
    assert_eq!(second.report, None);
    let loaded = queue
        .load_report(second.job.id, &second.fence)
        .await
        .unwrap();
    assert_eq!(loaded, Loaded::Report(vec![b'r'; WITH_CLAIM_BYTES + 1]));
}
