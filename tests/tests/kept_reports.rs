//! What is kept of a job between its attempts: a report, or how far its fetch came.

#![cfg(test)]

use std::time::Duration;

use hookme_shared::job::{JobId, Stage, State};
use hookme_shared::queue::{
    Advanced, ClaimRequest, Claimed, Clock, Loaded, Queue, Settlement, Terms,
};
use hookme_tests::House;
use hookme_tests::by_hand::{self, WORKER};
use hookme_tests::github::RepositorySpec;
use hookme_tests::receiver::Answer;
use redis::AsyncCommands;
use reqwest::header::HeaderValue;
use serde_json::json;

/// The longest report that comes with a claim; `lua/claim.lua` has the number.
const WITH_CLAIM_BYTES: usize = 8_192;
/// How long a checkpoint is good for; `lua/claim.lua` has the number.
const CHECKPOINT_MS: u64 = 6 * 3_600_000;
const BEGIN_MS: u64 = 1_700_000_000_000;

async fn claim(queue: &Queue, request: &str) -> Claimed {
    let request = ClaimRequest {
        request: request.to_owned(),
        wanted: 1,
        holds_nothing: true,
        turn: 0,
        asking: None,
        fetches: true,
    };
    let mut batch = queue.claim(WORKER, &request).await.unwrap();
    assert_eq!(batch.unreadable, []);
    batch.jobs.pop().unwrap()
}

/// The first claim of a new job, by a clock that stands.
async fn first_claim() -> (House, Queue, Claimed) {
    let house = House::start().await.unwrap();
    let queue = house.queue_under(Terms::default(), Clock::Virtual);
    let queue = queue.await.unwrap();
    house.set_clock(BEGIN_MS).await.unwrap();
    by_hand::submit(&queue, "hello-world", Duration::ZERO)
        .await
        .unwrap();
    let first = claim(&queue, "first").await;
    assert_eq!((first.job.has_report, &first.report), (false, &None));
    (house, queue, first)
}

async fn put_back(queue: &Queue, claimed: &Claimed) {
    let back = Settlement::Defer {
        delay: Duration::ZERO,
        reason: "it waits".to_owned(),
    };
    let settled = queue.settle(claimed.job.id, &claimed.fence, &back);
    settled.await.unwrap();
}

/// The bytes that all that is kept takes.
async fn kept_bytes(house: &House) -> u64 {
    let mut redis = house.redis().await.unwrap();
    let sum: u64 = redis
        .hget(house.key("stats"), "report_bytes")
        .await
        .unwrap();
    let keys: Vec<String> = redis.keys(house.key("report:*")).await.unwrap();
    assert_eq!(keys.is_empty(), sum == 0, "{keys:?}");
    sum
}

/// A job whose report of so many bytes is kept and whose delivery has failed once.
async fn failed_once(bytes: usize) -> (House, Queue) {
    let (house, queue, first) = first_claim().await;
    let (id, fence, report) = (first.job.id, &first.fence, vec![b'r'; bytes]);
    queue.keep_report(id, fence, &report).await.unwrap();
    let retry = Settlement::Retry {
        delay: Duration::ZERO,
        reason: "503".to_owned(),
    };
    queue.settle(id, fence, &retry).await.unwrap();
    (house, queue)
}

#[tokio::test]
async fn a_small_report_comes_with_the_claim_and_with_its_repetition() {
    let (_house, queue) = failed_once(WITH_CLAIM_BYTES).await;
    let second = claim(&queue, "second").await;
    assert_eq!(second.report, Some(vec![b'r'; WITH_CLAIM_BYTES]));
    let job = &second.job;
    assert_eq!(
        (job.state, job.attempt, job.failures),
        (State::Running, 2, 1)
    );
    assert_eq!((job.bodies, job.has_report), (1, true));
    assert_eq!(job.worker.as_deref(), Some(WORKER));
    let again = claim(&queue, "second").await;
    assert_eq!((again.job, again.report), (second.job, second.report));
}

#[tokio::test]
async fn a_larger_report_has_to_be_asked_for() {
    let (_house, queue) = failed_once(WITH_CLAIM_BYTES + 1).await;
    let second = claim(&queue, "second").await;
    assert_eq!(second.report, None);
    let loaded = queue
        .load_report(second.job.id, &second.fence)
        .await
        .unwrap();
    assert_eq!(loaded, Loaded::Kept(vec![b'r'; WITH_CLAIM_BYTES + 1]));
}

#[tokio::test]
async fn a_checkpoint_is_good_for_six_hours_from_when_the_first_was_kept() {
    let (house, queue, mut claimed) = first_claim().await;
    let id: JobId = claimed.job.id;
    for (passed_ms, bytes) in [(0, &b"one page"[..]), (CHECKPOINT_MS - 1, b"two pages")] {
        house.set_clock(BEGIN_MS + passed_ms).await.unwrap();
        let kept = queue.keep_checkpoint(id, &claimed.fence, bytes).await;
        assert!(kept.unwrap());
        put_back(&queue, &claimed).await;
        claimed = claim(&queue, &format!("after {passed_ms}")).await;
        assert_eq!(
            (claimed.job.stage, claimed.job.has_report),
            (Stage::Fetch, true)
        );
        let loaded = queue.load_report(id, &claimed.fence).await.unwrap();
        assert_eq!(loaded, Loaded::Kept(bytes.to_vec()));
    }
    put_back(&queue, &claimed).await;
    house.set_clock(BEGIN_MS + CHECKPOINT_MS).await.unwrap();
    let claimed = claim(&queue, "too late").await;
    assert_eq!(
        (claimed.job.stage, claimed.job.has_report),
        (Stage::Fetch, false)
    );
    assert_eq!(kept_bytes(&house).await, 0);
}

#[tokio::test]
async fn a_report_that_could_not_be_kept_leaves_no_checkpoint_behind() {
    let (house, queue, claimed) = first_claim().await;
    let (id, fence) = (claimed.job.id, &claimed.fence);
    assert!(queue.keep_checkpoint(id, fence, b"a page").await.unwrap());
    assert_eq!(kept_bytes(&house).await, 6);
    let without_room = Terms {
        reports_max_bytes: 6,
        ..Terms::default()
    };
    let full = house.queue_under(without_room, Clock::Virtual).await;
    let kept = full.unwrap().keep_report(id, fence, b"a report").await;
    assert_eq!(kept.unwrap(), Advanced::WithoutReport { body: 1 });
    assert_eq!(kept_bytes(&house).await, 0);
    put_back(&queue, &claimed).await;
    let again = claim(&queue, "second").await.job;
    assert_eq!(
        (again.stage, again.has_report, again.bodies),
        (Stage::Fetch, false, 1)
    );
}

const PATIENCE: Duration = Duration::from_secs(60);
/// More contributors than are fetched: ten pages of a hundred.
const CONTRIBUTORS: usize = 1_001;

#[tokio::test]
async fn a_report_that_was_cut_says_so_to_the_receiver_each_time_and_in_its_task() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let large = RepositorySpec {
        contributors: CONTRIBUTORS,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "large", &large);
    house.receiver.answer(vec![Answer::status(503)]);
    house.worker(&["--reschedule-interval=1"]).await.unwrap();
    let mut truncated = Vec::new();
    for repository in ["large", "small"] {
        let task = json!({"username": "octocat", "repository": repository});
        let id = api.post_task(&task, None).await.unwrap().id().unwrap();
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Succeeded, "{ended:?}");
        let shown = api.show(id).await.unwrap();
        truncated.push(shown.body["truncated"].clone());
    }
    assert_eq!(truncated, [json!(["contributors"]), json!([])]);
    let deliveries = house.receiver.deliveries();
    let named = deliveries
        .iter()
        .map(|one| one.headers.get("hookme-truncated").cloned());
    let cut = Some(HeaderValue::from_static("contributors"));
    assert_eq!(named.collect::<Vec<_>>(), [cut.clone(), cut, None]);
}
