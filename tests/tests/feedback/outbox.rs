//! What Redis knows of a comment that may exist.

use std::time::Duration;

use hookme_shared::job::{Fence, Stage, State};
use hookme_shared::queue::{Claimed, Loaded, Settled, Settlement};
use hookme_tests::by_hand::{self, sha};
use hookme_tests::site::total;
use hookme_worker::policy::outbox::{self, Step};
use redis::AsyncCommands;

use super::desk::{Desk, graded};

#[tokio::test]
async fn a_grade_is_stored_with_the_stage_that_follows_it() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    let claimed = desk.claim_one().await;
    desk.settle(&claimed, graded()).await;
    let seen = desk.job(id).await;
    assert_eq!(
        (seen.job.stage, seen.job.state),
        (Stage::Comment, State::Scheduled)
    );
    let kept = seen.job.feedback.unwrap().grade.unwrap();
    assert_eq!((kept.passed, kept.total), (1, 2));
    assert_eq!((seen.job.failures, &*seen.history[0].event), (0, "grade"));
    assert_eq!(seen.history[0].text, "1 of 2 requirements are met");
    // Told again, after a lost answer.
    let grade = graded();
    let again = desk.queue.settle(id, &claimed.fence, &grade);
    assert_eq!(again.await.unwrap(), Settled::Already);
    // The claim that follows knows the grade.
    let claimed = desk.claim_one().await;
    assert_eq!(claimed.job.feedback.unwrap().grade, Some(kept));
}

#[tokio::test]
async fn what_was_found_is_kept_as_long_as_a_dead_job_can_be_revived_and_no_longer() {
    let mut desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    let dead = Settlement::Bury {
        reason: "404".to_owned(),
    };
    let claimed = desk.claim_one().await;
    desk.settle(&claimed, dead.clone()).await;
    let mut redis = desk.house.redis().await.unwrap();
    let kept = desk.house.key(&format!("evaluation:{id}"));
    assert!(redis.exists::<_, bool>(&kept).await.unwrap());
    // Whoever dies next takes the records with it whose time is over.
    desk.pass(Duration::from_secs(31 * 86_400)).await;
    desk.submit(8, 1).await;
    let claimed = desk.claim_one().await;
    desk.settle(&claimed, dead).await;
    assert!(desk.queue.explain(id).await.unwrap().is_none());
    assert!(!redis.exists::<_, bool>(&kept).await.unwrap());
}

#[tokio::test]
async fn a_grade_ends_a_row_of_crashes() {
    let mut desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.queue.reap(0.0).await.unwrap();
    desk.claim_one().await;
    for _ in 0..4 {
        desk.pass(Duration::from_secs(4)).await;
        desk.queue.reap(0.0).await.unwrap();
    }
    desk.pass(Duration::from_secs(1)).await;
    assert_eq!(desk.job(id).await.job.crashes, 1);
    let claimed = desk.claim_one().await;
    desk.settle(&claimed, graded()).await;
    assert_eq!(desk.job(id).await.job.crashes, 0);
}

#[tokio::test]
async fn a_job_that_a_client_wants_cancelled_is_graded_and_makes_no_comment() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    let claimed = desk.claim_one().await;
    desk.queue.cancel(id).await.unwrap();
    let settled = desk
        .queue
        .settle(id, &claimed.fence, &graded())
        .await
        .unwrap();
    assert_eq!(settled, Settled::Cancelled);
    let job = desk.job(id).await.job;
    assert_eq!(job.state, State::Cancelled);
    assert!(job.feedback.unwrap().grade.is_some());
}

#[tokio::test]
async fn one_claim_begins_one_comment_however_often_it_says_so() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    for tries in 1..=2 {
        let claimed = desk.claim_one().await;
        for _ in 0..2 {
            let opened = desk.queue.open_comment(id, &claimed.fence).await.unwrap();
            assert_eq!(opened, Some(tries));
        }
        desk.put_back(&claimed).await;
    }
    let feedback = desk.claim_one().await.job.feedback.unwrap();
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (2, Some(desk.now_ms))
    );
}

#[tokio::test]
async fn a_comment_that_was_refused_is_as_if_it_had_not_been_begun() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    desk.queue.open_comment(id, &claimed.fence).await.unwrap();
    for _ in 0..2 {
        assert!(
            desk.queue
                .close_comment(id, &claimed.fence, None)
                .await
                .unwrap()
        );
    }
    desk.put_back(&claimed).await;
    let claimed = desk.claim_one().await;
    let feedback = claimed.job.feedback.clone().unwrap();
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (0, None)
    );
    // A claim that began none takes back none of an earlier one.
    desk.queue.open_comment(id, &claimed.fence).await.unwrap();
    desk.put_back(&claimed).await;
    let claimed = desk.claim_one().await;
    desk.queue
        .close_comment(id, &claimed.fence, None)
        .await
        .unwrap();
    assert_eq!(desk.job(id).await.job.feedback.unwrap().comment_tries, 1);
}

#[tokio::test]
async fn only_the_claim_that_holds_the_job_may_begin_or_close_its_comment() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    let foreign = Fence::new("9:other");
    let before = desk.job(id).await.job;
    assert_eq!(desk.queue.open_comment(id, &foreign).await.unwrap(), None);
    assert!(
        !desk
            .queue
            .close_comment(id, &foreign, Some("https://x/1"))
            .await
            .unwrap()
    );
    let loaded = desk.queue.load_evaluation(id, &foreign).await.unwrap();
    assert_eq!(loaded, Loaded::Lost);
    desk.settle(&claimed, Settlement::Finish).await;
    assert_eq!(
        desk.queue.open_comment(id, &claimed.fence).await.unwrap(),
        None
    );
    let after = desk.job(id).await.job;
    assert_eq!(after.feedback, before.feedback);
}

#[tokio::test]
async fn where_a_comment_is_ends_its_stage() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    desk.queue.open_comment(id, &claimed.fence).await.unwrap();
    let url = format!("https://github.com/{}", "x".repeat(200));
    assert!(
        desk.queue
            .close_comment(id, &claimed.fence, Some(&url))
            .await
            .unwrap()
    );
    // Told again, after a lost answer: it counts once.
    assert!(
        desk.queue
            .close_comment(id, &claimed.fence, Some(&url))
            .await
            .unwrap()
    );
    let counts = desk.queue.counts().await.unwrap();
    assert_eq!(total(&counts, "commented"), 1);
    let job = desk.job(id).await.job;
    assert_eq!(job.stage, Stage::Deliver);
    assert_eq!(job.feedback.unwrap().comment_url.as_deref(), Some(&*url));
    // A delivery that fails is tried again as a delivery, without a report.
    let retry = Settlement::Retry {
        delay: Duration::ZERO,
        reason: "503".to_owned(),
    };
    desk.settle(&claimed, retry).await;
    let claimed = desk.claim_one().await;
    assert_eq!((claimed.job.id, claimed.job.stage), (id, Stage::Deliver));
    desk.settle(&claimed, Settlement::Finish).await;
    // Nothing of it is left but its record and the list.
    let mut redis = desk.house.redis().await.unwrap();
    for key in [
        format!("evaluation:{id}"),
        "lock:feedback:octocat/hello-world#7@".to_owned() + &sha(1),
    ] {
        assert!(
            !redis.exists::<_, bool>(desk.house.key(&key)).await.unwrap(),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_record_that_was_damaged_by_hand_is_buried_alone() {
    let desk = Desk::new().await;
    let mut redis = desk.house.redis().await.unwrap();
    for (index, (field, value)) in [
        ("pull_request", "x"),
        ("passed", "x"),
        ("comment_tries", "x"),
        ("comment_tried_ms", "x"),
        ("scope", "x"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = desk.submit(10 + index as u64, 1).await;
        let () = redis
            .hset(desk.house.key(&format!("job:{id}")), field, value)
            .await
            .unwrap();
    }
    for (index, field) in ["commit", "scope", "pull_request"].into_iter().enumerate() {
        let id = desk.submit(20 + index as u64, 1).await;
        let () = redis
            .hdel(desk.house.key(&format!("job:{id}")), field)
            .await
            .unwrap();
    }
    let good = desk.submit(7, 1).await;
    let batch = desk.claim(20).await;
    assert_eq!(
        batch.jobs.iter().map(|one| one.job.id).collect::<Vec<_>>(),
        [good]
    );
    assert_eq!(desk.queue.counts().await.unwrap().dead, 8);
}

#[tokio::test]
async fn a_report_that_somebody_put_among_the_comments_holds_up_nobody() {
    let desk = Desk::new().await;
    let strayed = by_hand::submit(&desk.queue, "a-report", Duration::ZERO)
        .await
        .unwrap();
    let mut redis = desk.house.redis().await.unwrap();
    let record = desk.house.key(&format!("job:{strayed}"));
    let () = redis.hset(record, "stage", "comment").await.unwrap();
    for (lane, members) in [("fetch", 0), ("comment", 1)] {
        let lane = desk.house.key(&format!("scheduled:{lane}"));
        let id = strayed.to_string();
        let () = redis.zrem(&lane, &id).await.unwrap();
        if members > 0 {
            let () = redis.zadd(&lane, &id, desk.now_ms).await.unwrap();
        }
    }
    desk.job(strayed).await;
    let good = desk.submit(7, 1).await;
    let batch = desk.claim(5).await;
    let ids: Vec<_> = batch.jobs.iter().map(|one| one.job.id).collect();
    assert!(ids.contains(&good), "{batch:?}");
}

#[tokio::test]
async fn a_comment_that_may_exist_is_looked_for_though_the_clock_was_set_back() {
    const TERM: Duration = Duration::from_secs(30);
    let mut desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    let opened = desk.queue.open_comment(id, &claimed.fence);
    assert_eq!(opened.await.unwrap(), Some(1));
    desk.set_back(Duration::from_secs(86_400)).await;
    desk.put_back(&claimed).await;

    // How long ago it was begun is not known any more: it waits for a whole term, once.
    let claimed = desk.claim_one().await;
    assert_eq!(next_step(&claimed, TERM), Step::Wait(TERM));
    desk.pass(Duration::from_secs(1)).await;
    desk.put_back(&claimed).await;
    let claimed = desk.claim_one().await;
    let left = TERM.checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(next_step(&claimed, TERM), Step::Wait(left));
    desk.pass(left).await;
    desk.put_back(&claimed).await;
    assert_eq!(next_step(&desk.claim_one().await, TERM), Step::Look);
}

/// What its worker does about the comment.
fn next_step(claimed: &Claimed, term: Duration) -> Step {
    let feedback = claimed.job.feedback.as_ref().unwrap();
    let now_ms = claimed.job.started_ms.unwrap();
    outbox::next(feedback.comment_tried_ms, now_ms, term)
}
