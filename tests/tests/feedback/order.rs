//! What the jobs of one pull request mean to each other.

use std::time::Duration;

use hookme_shared::feedback::PullRequest;
use hookme_shared::job::{Stage, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Limits, Next, Revived, Settlement, Submitted, Terms};
use hookme_tests::by_hand::{OWNER, REPOSITORY, evaluation, sha};
use hookme_tests::site::total;
use redis::AsyncCommands;

use super::desk::{Desk, graded};

#[tokio::test]
async fn a_task_of_feedback_is_stored_with_all_that_its_comment_needs() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    let job = desk.job(id).await.job;
    let feedback = job.feedback.unwrap();
    assert_eq!((job.stage, feedback.pull_request), (Stage::Grade, 7));
    assert_eq!((feedback.commit, feedback.grade), (sha(1), None));
    let claimed = desk.claim_one().await;
    let kept: String = desk
        .house
        .redis()
        .await
        .unwrap()
        .get(desk.house.key(&format!("evaluation:{id}")))
        .await
        .unwrap();
    assert_eq!(kept, evaluation().to_json());
    assert_eq!(claimed.job.feedback.unwrap().commit, sha(1));
}

#[tokio::test]
async fn a_commit_has_one_live_job_and_may_have_another_after_its_end() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    let again = desk.offer(7, 1).await;
    assert!(
        matches!(again, Submitted::Duplicate(receipt) if receipt.id == id),
        "{again:?}"
    );
    // The same commit in another pull request is another matter.
    desk.submit(8, 1).await;
    desk.queue.cancel(id).await.unwrap();
    desk.submit(7, 1).await;
}

#[tokio::test]
async fn a_newer_commit_takes_the_place_of_one_that_waits() {
    let desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    let elsewhere = desk.submit(8, 1).await;
    desk.grade_all().await;
    let new = desk.submit(7, 2).await;
    let seen = desk.job(old).await;
    assert_eq!(seen.job.state, State::Cancelled);
    assert_eq!(
        seen.job.reason.as_deref(),
        Some(&*format!("superseded by {new}"))
    );
    assert_eq!(seen.job.feedback.unwrap().superseded_by, Some(new));
    assert_eq!(seen.history.last().unwrap().event, "supersede");
    assert_eq!(desk.job(elsewhere).await.job.state, State::Scheduled);
    assert_eq!(desk.job(new).await.job.state, State::Scheduled);
    let counts = desk.queue.counts().await.unwrap();
    assert_eq!(total(&counts, "superseded"), 1);
    // What was to be graded goes with the job.
    let mut redis = desk.house.redis().await.unwrap();
    let kept: bool = redis
        .exists(desk.house.key(&format!("evaluation:{old}")))
        .await
        .unwrap();
    assert!(!kept);
}

#[tokio::test]
async fn a_task_that_takes_anothers_place_finds_room_under_the_live_limit() {
    let limits = Limits {
        live_jobs: Some(2),
        ..Limits::default()
    };
    let desk = Desk::under(Terms {
        limits,
        ..Terms::default()
    })
    .await;
    desk.submit(7, 1).await;
    desk.submit(8, 1).await;
    assert_eq!(desk.offer(9, 1).await, Submitted::Full { limit: 2 });
    desk.submit(7, 2).await;
    assert_eq!(desk.offer(9, 1).await, Submitted::Full { limit: 2 });
}

#[tokio::test]
async fn one_that_runs_goes_on_and_the_newer_waits_for_its_comment() {
    let mut desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    desk.grade_all().await;
    let running = desk.claim_one().await;
    assert_eq!((running.job.id, running.job.stage), (old, Stage::Comment));
    let new = desk.submit(7, 2).await;
    assert_eq!(desk.job(old).await.job.state, State::Running);
    desk.grade_all().await;

    assert_eq!(desk.claim(2).await.jobs, []);
    // Nobody asks for it again and again meanwhile.
    let next = desk.claim(2).await.next;
    assert_eq!(next, Next::In(Duration::from_secs(2)));
    let why = desk.job(new).await.why;
    assert!(why.contains(&old.to_string()), "{why}");
    desk.pass(Duration::from_secs(1)).await;
    assert_eq!(desk.claim(2).await.jobs, []);

    let url = "https://github.com/octocat/hello-world/pull/7#issuecomment-1";
    assert!(
        desk.queue
            .close_comment(old, &running.fence, Some(url))
            .await
            .unwrap()
    );
    // The comment exists: the newer one need not wait for the webhook to hear of it.
    desk.pass(Duration::from_secs(2)).await;
    assert_eq!(desk.claim_one().await.job.id, new);
}

#[tokio::test]
async fn one_whose_comment_may_exist_is_not_superseded_and_comes_first() {
    let mut desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    assert_eq!(
        desk.queue.open_comment(old, &claimed.fence).await.unwrap(),
        Some(1)
    );
    desk.put_back(&claimed).await;
    let newer = desk.submit(7, 2).await;
    let newest = desk.submit(7, 3).await;
    assert_eq!(desk.job(old).await.job.state, State::Scheduled);
    assert_eq!(desk.job(newer).await.job.state, State::Cancelled);
    // Of the two that are live, the older is claimed, however often the other is due.
    let mut redis = desk.house.redis().await.unwrap();
    let lane = desk.house.key("scheduled:grade");
    let () = redis
        .zadd(&lane, newest.to_string(), desk.now_ms)
        .await
        .unwrap();
    let grading = desk.claim(2).await.jobs;
    for claimed in grading {
        if claimed.job.id == newest {
            desk.settle(&claimed, graded()).await;
        } else {
            assert_eq!(claimed.job.id, old);
            desk.put_back(&claimed).await;
        }
    }
    assert_eq!(desk.claim_one().await.job.id, old);
    desk.pass(Duration::from_secs(3)).await;
    assert_eq!(desk.claim(2).await.jobs, []);
}

#[tokio::test]
async fn one_that_was_only_graded_when_a_newer_came_gives_way_without_a_comment() {
    let desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    let grading = desk.claim_one().await;
    let new = desk.submit(7, 2).await;
    assert_eq!(desk.job(old).await.job.state, State::Running);
    desk.settle(&grading, graded()).await;
    desk.grade_all().await;
    // It is looked at first, and costs no turn.
    let batch = desk.claim(2).await;
    assert_eq!(
        batch.jobs.iter().map(|one| one.job.id).collect::<Vec<_>>(),
        [new]
    );
    let seen = desk.job(old).await.job;
    assert_eq!(seen.state, State::Cancelled);
    let feedback = seen.feedback.unwrap();
    assert_eq!(feedback.superseded_by, Some(new));
    assert!(feedback.grade.is_some(), "the grade is kept");
}

#[tokio::test]
async fn a_revived_job_that_a_newer_one_has_overtaken_makes_no_comment() {
    let desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    desk.grade_all().await;
    let dead = Settlement::Bury {
        reason: "404".to_owned(),
    };
    desk.settle(&desk.claim_one().await, dead).await;
    let new = desk.submit(7, 2).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    desk.settle(&claimed, Settlement::Finish).await;
    assert!(matches!(
        desk.queue.revive(old).await.unwrap(),
        Revived::Done(_)
    ));
    desk.grade_all().await;
    assert_eq!(desk.claim(1).await.jobs, []);
    let feedback = desk.job(old).await.job.feedback.unwrap();
    assert_eq!(feedback.superseded_by, Some(new));
}

#[tokio::test]
async fn a_job_whose_newer_has_its_comment_makes_none_though_the_newer_is_dead() {
    let mut desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    let grading = desk.claim_one().await;
    let new = desk.submit(7, 2).await;
    // The older waits to be graded again, so the newer does not wait for it.
    let later = Settlement::Defer {
        delay: Duration::from_secs(60),
        reason: "it waits".to_owned(),
    };
    desk.settle(&grading, later).await;
    desk.settle(&desk.claim_one().await, graded()).await;
    let claimed = desk.claim_one().await;
    desk.queue.open_comment(new, &claimed.fence).await.unwrap();
    let dead = Settlement::Bury {
        reason: "410".to_owned(),
    };
    desk.settle(&claimed, dead).await;
    desk.pass(Duration::from_secs(60)).await;
    desk.grade_all().await;
    assert_eq!(desk.claim(1).await.jobs, []);
    let feedback = desk.job(old).await.job.feedback.unwrap();
    assert_eq!(feedback.superseded_by, Some(new));
}

#[tokio::test]
async fn a_revived_job_whose_comment_may_exist_waits_while_a_newer_makes_its_own() {
    let mut desk = Desk::new().await;
    let old = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    desk.queue.open_comment(old, &claimed.fence).await.unwrap();
    let dead = Settlement::Bury {
        reason: "unclear".to_owned(),
    };
    desk.settle(&claimed, dead).await;
    let new = desk.submit(7, 2).await;
    desk.grade_all().await;
    let newer = desk.claim_one().await;
    desk.queue.open_comment(new, &newer.fence).await.unwrap();
    desk.queue.revive(old).await.unwrap();
    desk.grade_all().await;
    assert_eq!(desk.claim(2).await.jobs, []);
    let why = desk.job(old).await.why;
    assert!(why.contains(&new.to_string()), "{why}");
    // The newer has to wait for an answer: now it is the older's turn.
    desk.put_back(&newer).await;
    desk.pass(Duration::from_secs(3)).await;
    assert_eq!(desk.claim_one().await.job.id, old);
}

#[tokio::test]
async fn a_dead_job_keeps_what_its_revival_needs() {
    let desk = Desk::new().await;
    let id = desk.submit(7, 1).await;
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    desk.queue.open_comment(id, &claimed.fence).await.unwrap();
    let dead = Settlement::Bury {
        reason: "unclear".to_owned(),
    };
    desk.settle(&claimed, dead.clone()).await;
    assert!(matches!(
        desk.queue.revive(id).await.unwrap(),
        Revived::Done(_)
    ));
    let feedback = desk.job(id).await.job.feedback.unwrap();
    // It is looked for before it is made again, with all tries to come.
    assert_eq!(
        (feedback.comment_tries, feedback.comment_tried_ms),
        (0, Some(desk.now_ms))
    );
    desk.grade_all().await;
    let claimed = desk.claim_one().await;
    let loaded = desk
        .queue
        .load_evaluation(id, &claimed.fence)
        .await
        .unwrap();
    let kept = evaluation().to_json().into_bytes();
    assert_eq!(loaded, hookme_shared::queue::Loaded::Kept(kept));

    // Where the comment exists, only the webhook is left.
    desk.queue
        .close_comment(id, &claimed.fence, Some("https://x/1"))
        .await
        .unwrap();
    desk.settle(&claimed, dead).await;
    desk.queue.revive(id).await.unwrap();
    assert_eq!(desk.job(id).await.job.stage, Stage::Deliver);
}

#[tokio::test]
async fn the_jobs_of_a_pull_request_are_found_whatever_became_of_them() {
    let desk = Desk::new().await;
    let mut ids = Vec::new();
    for commit in 1..=3 {
        ids.push(desk.submit(7, commit).await);
    }
    desk.submit(8, 1).await;
    let find = async |name: &str, pull_request, limit| {
        let owner = Username::parse(&OWNER.to_uppercase()).unwrap();
        let name = RepositoryName::parse(name).unwrap();
        let pull_request = PullRequest::new(pull_request).unwrap();
        let found = desk
            .queue
            .find_feedback(&owner, &name, pull_request, &[None], limit);
        let found = found.await.unwrap();
        found.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    ids.reverse();
    assert_eq!(find("Hello-World", 7, 100).await, ids);
    assert_eq!(find(REPOSITORY, 7, 2).await, ids[..2]);
    assert_eq!(find(REPOSITORY, 9, 100).await, []);
    // Records end before the list does.
    let mut redis = desk.house.redis().await.unwrap();
    let () = redis
        .del(desk.house.key(&format!("job:{}", ids[0])))
        .await
        .unwrap();
    assert_eq!(find(REPOSITORY, 7, 100).await, ids[1..]);
    let list = desk.house.key("pull_request:octocat/hello-world#7");
    let ttl: i64 = redis.ttl(list).await.unwrap();
    assert!(ttl > 37 * 86_400, "{ttl}");
}

#[tokio::test]
async fn of_the_jobs_of_a_pull_request_the_newest_hundred_are_listed() {
    let desk = Desk::new().await;
    for commit in 1..=105 {
        desk.submit(7, commit).await;
    }
    let mut redis = desk.house.redis().await.unwrap();
    let list = desk.house.key("pull_request:octocat/hello-world#7");
    assert_eq!(redis.zcard::<_, u64>(list).await.unwrap(), 100);
    assert_eq!(desk.queue.counts().await.unwrap().cancelled, 104);
}
