//! No job that asks GitHub is claimed while everybody waits.

use std::time::Duration;

use hookme_shared::job::{JobId, Stage};
use hookme_shared::queue::{Batch, ClaimRequest, Class, Explanation, Identity, Next, Settlement};
use hookme_tests::by_hand::{self, WORKER};
use redis::AsyncCommands;

use super::crew::{Crew, OPEN, left};
use super::{BEGIN_MS, HOUR, MINUTE, SECOND, ms};

const JOBS: usize = 2_000;

async fn claim(crew: &Crew, wanted: usize, identity: Option<Identity>) -> Batch {
    let request = ClaimRequest {
        request: JobId::random().to_string(),
        wanted,
        holds_nothing: true,
        turn: 0,
        asking: identity.map(|identity| (identity, crew.pace)),
        fetches: true,
    };
    crew.queue.claim(WORKER, &request).await.unwrap()
}

async fn claim_as_identity(crew: &Crew, wanted: usize) -> Batch {
    claim(crew, wanted, Some(crew.identity.clone())).await
}

async fn submit(crew: &Crew, name: &str, jobs: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for index in 0..jobs {
        let repository = format!("{name}-{index}");
        let id = by_hand::submit(&crew.queue, &repository, Duration::ZERO).await;
        ids.push(id.unwrap());
    }
    ids
}

/// Jobs whose report is made and waits to be delivered again.
async fn to_deliver(crew: &Crew, jobs: usize) -> Vec<JobId> {
    submit(crew, "deliver", jobs).await;
    let batch = claim(crew, jobs, None).await;
    assert_eq!(batch.jobs.len(), jobs);
    let mut ids = Vec::new();
    for one in batch.jobs {
        let (id, queue) = (one.job.id, &crew.queue);
        queue.keep_report(id, &one.fence, b"report").await.unwrap();
        let again = Settlement::Retry {
            delay: Duration::ZERO,
            reason: "503".to_owned(),
        };
        queue.settle(id, &one.fence, &again).await.unwrap();
        ids.push(id);
    }
    ids
}

async fn pause(crew: &mut Crew, scope: &str, wait_ms: u64) {
    let start = crew.read().await;
    crew.refused(&start, scope, Some(ms(wait_ms))).await;
}

async fn why(crew: &Crew, id: JobId) -> Explanation {
    crew.queue.explain(id).await.unwrap().unwrap()
}

fn stages(batch: &Batch) -> Vec<Stage> {
    batch.jobs.iter().map(|one| one.job.stage).collect()
}

#[tokio::test]
async fn during_a_pause_no_fetch_is_claimed_and_deliveries_still_are() {
    let mut crew = Crew::new(OPEN).await;
    to_deliver(&crew, 3).await;
    submit(&crew, "fetch", JOBS).await;
    pause(&mut crew, "all", HOUR).await;
    let batch = claim_as_identity(&crew, 64).await;
    assert_eq!(stages(&batch), [Stage::Deliver; 3]);
    assert_eq!(batch.next, Next::In(ms(HOUR)));
    for at_ms in [MINUTE, HOUR - 1] {
        crew.set(BEGIN_MS + at_ms).await;
        let batch = claim_as_identity(&crew, 64).await;
        assert_eq!(
            (batch.jobs.len(), batch.next),
            (0, Next::In(ms(HOUR - at_ms)))
        );
    }
    let counts = crew.queue.counts().await.unwrap();
    assert!(counts.due.contains(&(Stage::Fetch, JOBS as u64)));
}

#[tokio::test]
async fn a_delivery_that_becomes_due_during_the_pause_is_not_slept_through() {
    let mut crew = Crew::new(OPEN).await;
    to_deliver(&crew, 1).await;
    submit(&crew, "fetch", 1).await;
    pause(&mut crew, "core", HOUR).await;
    let one = claim_as_identity(&crew, 1).await.jobs.remove(0);
    let again = Settlement::Retry {
        delay: ms(5 * MINUTE),
        reason: "503".to_owned(),
    };
    let settled = crew.queue.settle(one.job.id, &one.fence, &again);
    settled.await.unwrap();
    let batch = claim_as_identity(&crew, 1).await;
    assert_eq!(
        (batch.jobs.len(), batch.next),
        (0, Next::In(ms(5 * MINUTE)))
    );
}

#[tokio::test]
async fn after_the_pause_one_fetch_is_claimed_as_the_probe_and_after_its_success_all() {
    let mut crew = Crew::new(OPEN).await;
    submit(&crew, "fetch", JOBS).await;
    pause(&mut crew, "all", MINUTE).await;
    crew.pass(MINUTE).await;
    let batch = claim_as_identity(&crew, 64).await;
    assert_eq!(stages(&batch), [Stage::Fetch]);
    assert!(
        matches!(batch.next, Next::In(wait) if wait <= ms(SECOND)),
        "{:?}",
        batch.next
    );
    let probe = crew.read().await;
    assert_eq!(claim_as_identity(&crew, 64).await.jobs.len(), 0);
    crew.answered(&probe).await;
    assert_eq!(claim_as_identity(&crew, 64).await.jobs.len(), 64);
}

#[tokio::test]
async fn of_all_workers_one_claims_the_probe_and_another_if_that_one_does_not_ask() {
    let mut crew = Crew::new(OPEN).await;
    submit(&crew, "fetch", 10).await;
    pause(&mut crew, "all", MINUTE).await;
    crew.pass(MINUTE).await;
    let first = claim_as_identity(&crew, 1).await;
    assert_eq!(stages(&first), [Stage::Fetch]);
    let soon = Next::In(ms(200));
    for _ in 0..2 {
        let second = claim_as_identity(&crew, 64).await;
        assert_eq!((second.jobs.len(), second.next), (0, soon));
    }
    crew.pass(2 * SECOND - 1).await;
    assert_eq!(claim_as_identity(&crew, 64).await.jobs.len(), 0);
    crew.pass(1).await;
    assert_eq!(claim_as_identity(&crew, 64).await.jobs.len(), 1);
}

#[tokio::test]
async fn a_delivery_is_never_the_probe_and_does_not_stand_in_its_way() {
    let mut crew = Crew::new(OPEN).await;
    to_deliver(&crew, 3).await;
    submit(&crew, "fetch", 3).await;
    pause(&mut crew, "all", MINUTE).await;
    crew.pass(MINUTE).await;
    let batch = claim_as_identity(&crew, 2).await;
    assert_eq!(stages(&batch), [Stage::Deliver; 2]);
    let batch = claim_as_identity(&crew, 4).await;
    assert_eq!(stages(&batch), [Stage::Deliver, Stage::Fetch]);
}

#[tokio::test]
async fn a_delivery_whose_report_is_too_old_waits_with_the_fetches() {
    let mut crew = Crew::new(OPEN).await;
    let ids = to_deliver(&crew, 2).await;
    crew.pass(HOUR - 1).await;
    pause(&mut crew, "all", MINUTE).await;
    assert_eq!(
        stages(&claim_as_identity(&crew, 1).await),
        [Stage::Deliver],
        "its report is still good"
    );
    crew.pass(1).await;
    let batch = claim_as_identity(&crew, 4).await;
    assert_eq!((batch.jobs.len(), batch.next), (0, Next::Now));
    let batch = claim_as_identity(&crew, 4).await;
    assert_eq!(
        (batch.jobs.len(), batch.next),
        (0, Next::In(ms(MINUTE - 1)))
    );
    let waiting = why(&crew, ids[1]).await.why;
    assert!(waiting.contains("GitHub"), "{waiting}");
    let counts = crew.queue.counts().await.unwrap();
    assert!(counts.due.contains(&(Stage::Fetch, 1)), "{:?}", counts.due);
    crew.pass(MINUTE).await;
    let batch = claim_as_identity(&crew, 4).await;
    assert_eq!(stages(&batch), [Stage::Fetch]);
    assert_eq!(batch.jobs[0].job.id, ids[1]);
    assert!(!batch.jobs[0].job.has_report);
}

#[tokio::test]
async fn without_an_identity_nothing_is_held_back() {
    let mut crew = Crew::new(OPEN).await;
    submit(&crew, "fetch", 10).await;
    pause(&mut crew, "all", HOUR).await;
    assert_eq!(claim(&crew, 4, None).await.jobs.len(), 4);
    assert_eq!(claim_as_identity(&crew, 4).await.jobs.len(), 0);
}

#[tokio::test]
async fn only_what_holds_back_a_read_of_the_rest_api_holds_back_claims() {
    let mut crew = Crew::new(OPEN).await;
    submit(&crew, "fetch", 20).await;
    for (scope, open) in [
        ("all", false),
        ("core", false),
        ("token", false),
        ("content", true),
        ("graphql", true),
    ] {
        crew.become_somebody_else();
        pause(&mut crew, scope, MINUTE).await;
        let claimed = claim_as_identity(&crew, 2).await.jobs.len();
        assert_eq!(claimed == 2, open, "{scope}: {claimed}");
    }
    crew.become_somebody_else();
    pause(&mut crew, "token", MINUTE).await;
    "token-2".clone_into(&mut crew.identity.token);
    assert_eq!(claim_as_identity(&crew, 2).await.jobs.len(), 2);
}

#[tokio::test]
async fn an_hour_that_is_used_up_holds_fetches_back_until_a_second_after_the_reset() {
    let mut crew = Crew::new(OPEN).await;
    submit(&crew, "fetch", 10).await;
    crew.read().await;
    crew.told(left("core", 5_000, 100, 10 * MINUTE)).await;
    let batch = claim_as_identity(&crew, 4).await;
    let reset_ms = 10 * MINUTE + SECOND;
    assert_eq!((batch.jobs.len(), batch.next), (0, Next::In(ms(reset_ms))));
    crew.pass(reset_ms).await;
    assert_eq!(claim_as_identity(&crew, 4).await.jobs.len(), 4);
}

#[tokio::test]
async fn a_fetch_that_is_held_back_says_what_it_waits_for_and_a_delivery_does_not() {
    let mut crew = Crew::new(OPEN).await;
    let deliveries = to_deliver(&crew, 1).await;
    let fetches = submit(&crew, "fetch", 1).await;
    let later = by_hand::submit(&crew.queue, "later", ms(2 * HOUR))
        .await
        .unwrap();
    let open = why(&crew, fetches[0]).await;
    assert_eq!((open.until_ms, open.why.contains("GitHub")), (None, false));

    pause(&mut crew, "core", HOUR).await;
    let fetch = why(&crew, fetches[0]).await;
    let expected = "waits for GitHub's rate limit of core until 23:13:20 UTC";
    assert_eq!(
        (&*fetch.why, fetch.until_ms),
        (expected, Some(BEGIN_MS + HOUR))
    );
    for id in [deliveries[0], later] {
        let other = why(&crew, id).await;
        assert!(!other.why.contains("GitHub"), "{}", other.why);
        assert_ne!(other.until_ms, Some(BEGIN_MS + HOUR));
    }
    crew.pass(HOUR).await;
    let over = why(&crew, fetches[0]).await;
    assert!(!over.why.contains("GitHub"), "{}", over.why);
}

#[tokio::test]
async fn nobody_is_said_to_wait_for_a_token_that_was_replaced() {
    let mut crew = Crew::new(OPEN).await;
    let fetch = submit(&crew, "fetch", 1).await.remove(0);
    pause(&mut crew, "token", MINUTE).await;
    let refused = why(&crew, fetch).await.why;
    assert!(refused.contains("a valid API_TOKEN"), "{refused}");
    let counts = crew.queue.counts().await.unwrap();
    assert_eq!(counts.github_paused_ms, 30 * MINUTE);
    "token-2".clone_into(&mut crew.identity.token);
    let start = crew.read().await;
    crew.answered(&start).await;
    let replaced = why(&crew, fetch).await.why;
    assert!(!replaced.contains("API_TOKEN"), "{replaced}");
    let counts = crew.queue.counts().await.unwrap();
    assert_eq!(counts.github_paused_ms, 0);
}

#[tokio::test]
async fn the_counts_say_how_long_github_is_left_alone_and_what_is_left_of_its_hour() {
    let mut crew = Crew::new(OPEN).await;
    crew.read().await;
    let counts = async |crew: &Crew| {
        let counts = crew.queue.counts().await.unwrap();
        (counts.github_paused_ms, counts.github_core_remaining)
    };
    assert_eq!(counts(&crew).await, (0, None));
    crew.told(left("core", 5_000, 1_234, HOUR)).await;
    assert_eq!(counts(&crew).await, (0, Some(1_234)));
    pause(&mut crew, "all", MINUTE).await;
    assert_eq!(counts(&crew).await, (MINUTE, Some(1_234)));
    crew.pass(HOUR).await;
    assert_eq!(counts(&crew).await, (0, None));
}

#[tokio::test]
async fn a_record_that_somebody_replaced_is_begun_anew_and_holds_up_no_claim() {
    let mut crew = Crew::new(OPEN).await;
    to_deliver(&crew, 1).await;
    let start = crew.read().await;
    let at = format!("github:limits:{}", crew.identity.name);
    let at = crew.house.key(&at);
    let () = crew.redis.set(&at, "spoilt").await.unwrap();
    let claimed = claim_as_identity(&crew, 1).await;
    assert_eq!(stages(&claimed), [Stage::Deliver]);
    assert_eq!(crew.queue.counts().await.unwrap().github_paused_ms, 0);
    assert_eq!(crew.refused(&start, "all", Some(ms(MINUTE))).await, MINUTE);
    crew.ask("a", Class::Read).await.unwrap_err();
    let () = crew.redis.set(&at, "spoilt").await.unwrap();
    crew.read().await;
    assert!(crew.record().await.contains_key("token"));
}
