//! Comments are claimed no faster than GitHub lets them be made.

use std::time::Duration;

use hookme_shared::job::Stage;
use hookme_shared::queue::{Class, Granted, Next, Outcome, Release, Resource, Want};
use redis::AsyncCommands;

use super::desk::{Desk, PACE};

const SECOND: Duration = Duration::from_secs(1);

/// A desk with so many graded commits, each on a pull request of its own.
async fn graded(jobs: u64) -> Desk {
    let desk = Desk::new().await;
    for pull_request in 1..=jobs {
        desk.submit(pull_request, 1).await;
    }
    desk.grade_all().await;
    desk
}

/// Asks for the start of a comment, as the worker does that claimed it.
async fn acquire(desk: &Desk, lease: &str) -> Granted {
    let wants = [Want {
        lease: lease.to_owned(),
        class: Class::Content,
        resource: Resource::Core,
        patience: Duration::from_secs(2),
    }];
    let term = Duration::from_secs(30);
    let asked = desk
        .queue
        .github_acquire(&desk.identity, "w", term, &PACE, &wants);
    asked.await.unwrap().remove(0)
}

async fn release(desk: &Desk, lease: &str, outcome: Outcome) {
    let ended = [Release {
        lease: lease.to_owned(),
        outcome,
        budget: None,
    }];
    desk.queue
        .github_release(&desk.identity, 0.0, &ended)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_comment_is_claimed_a_gap_and_the_claim_says_when_the_next_may_be() {
    let mut desk = graded(5).await;
    let batch = desk.claim_to_ask(5, 0).await;
    assert_eq!(batch.jobs.len(), 1);
    assert_eq!(batch.next, Next::In(SECOND));
    desk.pass(Duration::from_millis(400)).await;
    let batch = desk.claim_to_ask(5, 0).await;
    assert_eq!(
        (batch.jobs.len(), batch.next),
        (0, Next::In(Duration::from_millis(600)))
    );
    desk.pass(Duration::from_millis(600)).await;
    assert_eq!(desk.claim_to_ask(5, 0).await.jobs.len(), 1);
}

#[tokio::test]
async fn the_gap_counts_from_the_start_of_a_comment_and_not_from_its_claim() {
    let mut desk = graded(3).await;
    desk.claim_to_ask(3, 0).await;
    desk.pass(Duration::from_millis(400)).await;
    acquire(&desk, "one").await;
    release(&desk, "one", Outcome::Answered).await;
    desk.pass(Duration::from_millis(600)).await;
    let batch = desk.claim_to_ask(3, 0).await;
    let left = Duration::from_millis(400);
    assert_eq!((batch.jobs.len(), batch.next), (0, Next::In(left)));
}

#[tokio::test]
async fn what_was_made_in_the_minute_and_the_hour_counts_at_the_claim() {
    let mut desk = graded(60).await;
    let mut claimed = 0;
    for number in 0..60 {
        let batch = desk.claim_to_ask(60, 0).await;
        claimed += batch.jobs.len();
        if batch.jobs.is_empty() {
            // The first of forty was made at the beginning.
            assert_eq!((claimed, batch.next), (40, Next::In(20 * SECOND)));
            return;
        }
        let lease = format!("lease-{number}");
        assert!(
            matches!(acquire(&desk, &lease).await, Granted::Start { after, .. } if after.is_zero())
        );
        release(&desk, &lease, Outcome::Answered).await;
        desk.pass(SECOND).await;
    }
    panic!("{claimed} comments were claimed");
}

#[tokio::test]
async fn a_pause_of_new_content_holds_comments_and_no_fetch() {
    let mut desk = graded(3).await;
    hookme_tests::by_hand::submit(&desk.queue, "a-report", Duration::ZERO)
        .await
        .unwrap();
    acquire(&desk, "one").await;
    let refused = Outcome::Refused {
        scope: "content".to_owned(),
        wait: Some(60 * SECOND),
        request_id: String::new(),
    };
    release(&desk, "one", refused).await;
    desk.pass(SECOND).await;
    let batch = desk.claim_to_ask(5, 0).await;
    assert_eq!(
        batch
            .jobs
            .iter()
            .map(|one| one.job.stage)
            .collect::<Vec<_>>(),
        [Stage::Fetch]
    );
    assert_eq!(batch.next, Next::In(59 * SECOND));
    let waiting = desk
        .queue
        .list(hookme_shared::job::State::Scheduled, None, None, 1)
        .await
        .unwrap();
    let why = desk.job(waiting.jobs[0].id).await;
    assert!(
        why.why.contains("GitHub's limit of new content until"),
        "{}",
        why.why
    );

    // After it one comment is claimed as the probe, and until it has asked no other.
    desk.pass(59 * SECOND).await;
    assert_eq!(desk.claim_to_ask(5, 0).await.jobs.len(), 1);
    desk.pass(SECOND + SECOND / 2).await;
    assert_eq!(desk.claim_to_ask(5, 0).await.jobs.len(), 0);
    acquire(&desk, "probe").await;
    release(&desk, "probe", Outcome::Answered).await;
    desk.pass(SECOND).await;
    assert_eq!(desk.claim_to_ask(5, 0).await.jobs.len(), 1);
}

#[tokio::test]
async fn after_a_pause_of_everything_one_job_is_claimed_of_comments_and_fetches_together() {
    let mut desk = graded(3).await;
    for name in ["one", "two"] {
        hookme_tests::by_hand::submit(&desk.queue, name, Duration::ZERO)
            .await
            .unwrap();
    }
    acquire(&desk, "one").await;
    let refused = Outcome::Refused {
        scope: "all".to_owned(),
        wait: Some(60 * SECOND),
        request_id: String::new(),
    };
    release(&desk, "one", refused).await;
    desk.pass(60 * SECOND).await;
    let batch = desk.claim_to_ask(5, 0).await;
    assert_eq!(batch.jobs.len(), 1, "{batch:?}");
    assert_eq!(desk.claim_to_ask(5, 0).await.jobs.len(), 0);
}

#[tokio::test]
async fn a_fetch_that_is_claimed_is_no_probe_of_new_content() {
    let mut desk = graded(3).await;
    acquire(&desk, "one").await;
    let refused = Outcome::Refused {
        scope: "content".to_owned(),
        wait: Some(SECOND),
        request_id: String::new(),
    };
    release(&desk, "one", refused).await;
    desk.pass(2 * SECOND).await;
    // A turn of fetches: the comment that would be the probe is not taken.
    hookme_tests::by_hand::submit(&desk.queue, "a-report", Duration::ZERO)
        .await
        .unwrap();
    let batch = desk.claim_to_ask(1, 4).await;
    assert_eq!(batch.jobs[0].job.stage, Stage::Fetch);
    assert_eq!(
        desk.claim_to_ask(1, 0).await.jobs[0].job.stage,
        Stage::Comment
    );
}

#[tokio::test]
async fn comments_that_wait_for_their_turn_say_so() {
    let desk = graded(3).await;
    let first = desk.claim_to_ask(5, 0).await.jobs.remove(0);
    let page = desk
        .queue
        .list(hookme_shared::job::State::Scheduled, None, None, 10)
        .await
        .unwrap();
    // Whose limits they are is known from the first request on.
    acquire(&desk, "one").await;
    let why = desk.job(page.jobs[1].id).await;
    let words = "comments are made at the pace that GitHub allows, the next at 22:13:21 UTC";
    assert!(why.why.contains(words), "{}", why.why);
    assert!(why.why.ends_with("with 1 before it"), "{}", why.why);
    let next = desk.job(page.jobs[0].id).await;
    assert_eq!(next.until_ms, Some(desk.now_ms + 1_000), "{}", next.why);
    desk.put_back(&first).await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_holds_a_comment_no_longer_than_the_gap() {
    let mut desk = graded(2).await;
    desk.claim_to_ask(1, 0).await;
    desk.now_ms -= 2 * 3_600_000;
    desk.pass(Duration::ZERO).await;
    let mut redis = desk.house.redis().await.unwrap();
    let ids: Vec<String> = redis
        .zrange(desk.house.key("scheduled:comment"), 0, -1)
        .await
        .unwrap();
    let () = redis
        .zadd(desk.house.key("scheduled:comment"), &ids[0], desk.now_ms)
        .await
        .unwrap();
    assert_eq!(desk.claim_to_ask(1, 0).await.jobs.len(), 0);
    desk.pass(Duration::from_secs(1)).await;
    assert_eq!(desk.claim_to_ask(1, 0).await.jobs.len(), 1);
}

#[tokio::test]
async fn what_is_noted_of_a_claim_ends_by_itself() {
    let desk = graded(1).await;
    desk.claim_to_ask(1, 0).await;
    let mut redis = desk.house.redis().await.unwrap();
    let noted = desk.house.key("github:limits:api.github.com/user-1");
    assert!(redis.ttl::<_, i64>(noted).await.unwrap() > 0);
}

#[tokio::test]
async fn where_a_job_gives_way_the_next_is_claimed_at_once_and_nobody_is_told_otherwise() {
    let mut desk = Desk::new().await;
    desk.submit(7, 1).await;
    let grading = desk.claim_one().await;
    let new = desk.submit(7, 2).await;
    desk.settle(&grading, super::desk::graded()).await;
    desk.pass(Duration::from_millis(1)).await;
    desk.grade_all().await;
    let batch = desk.claim_to_ask(2, 0).await;
    assert_eq!((batch.jobs.len(), batch.next), (0, Next::Now));
    let mut redis = desk.house.redis().await.unwrap();
    let limits = desk.house.key("github:limits:api.github.com/user-1");
    let opens: Option<u64> = redis.hget(limits, "content_opens_ms").await.unwrap();
    assert_eq!(opens, None);
    assert_eq!(desk.claim_to_ask(1, 0).await.jobs[0].job.id, new);
}
