//! Reports and feedback share the workers, and neither starves the other.

use std::collections::BTreeMap;
use std::time::Duration;

use hookme_shared::job::Stage;
use hookme_shared::queue::{Limits, Terms};
use hookme_tests::by_hand;

use super::desk::Desk;

/// Reports that wait to be fetched.
async fn reports(desk: &Desk, jobs: usize) {
    for index in 0..jobs {
        let name = format!("report-{index}");
        by_hand::submit(&desk.queue, &name, Duration::ZERO)
            .await
            .unwrap();
    }
}

/// How many jobs of each stage one claim after another brings, one job at a time.
async fn claimed(desk: &Desk, claims: u32) -> BTreeMap<Stage, u32> {
    let mut count = BTreeMap::new();
    for turn in 0..claims {
        for one in by_hand::claim(&desk.queue, 1, turn).await.unwrap().jobs {
            *count.entry(one.job.stage).or_default() += 1;
        }
    }
    count
}

#[tokio::test]
async fn of_the_turns_feedback_has_more_and_reports_have_theirs() {
    let desk = Desk::new().await;
    reports(&desk, 30).await;
    for pull_request in 1..=60 {
        desk.submit(pull_request, 1).await;
    }
    assert_eq!(
        claimed(&desk, 50).await,
        BTreeMap::from([(Stage::Fetch, 10), (Stage::Grade, 40)])
    );
}

#[tokio::test]
async fn comments_that_wait_for_their_pace_keep_no_report_waiting() {
    let mut desk = Desk::new().await;
    for pull_request in 1..=20 {
        desk.submit(pull_request, 1).await;
    }
    desk.grade_all().await;
    reports(&desk, 40).await;
    let stages = async |desk: &Desk| {
        let jobs = desk.claim_to_ask(8, 0).await.jobs;
        jobs.iter().map(|one| one.job.stage).collect::<Vec<_>>()
    };
    // In each gap between two comments everything else goes to reports.
    for _ in 0..2 {
        let first = stages(&desk).await;
        assert_eq!(first[0], Stage::Comment);
        assert_eq!(first[1..], [Stage::Fetch; 7]);
        assert_eq!(stages(&desk).await, [Stage::Fetch; 8]);
        desk.pass(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_backlog_of_reports_keeps_no_comment_waiting() {
    let mut desk = Desk::new().await;
    reports(&desk, 200).await;
    desk.submit(1, 1).await;
    let batch = desk.claim_to_ask(1, 0).await;
    assert_eq!(batch.jobs[0].job.stage, Stage::Grade);
    desk.settle(&batch.jobs[0], super::desk::graded()).await;
    desk.pass(Duration::from_millis(1)).await;
    assert_eq!(
        desk.claim_to_ask(1, 0).await.jobs[0].job.stage,
        Stage::Comment
    );
}

#[tokio::test]
async fn the_cap_of_starts_holds_for_both_kinds_together_and_a_graded_job_has_started_before() {
    let limits = Limits {
        starts: Some(3),
        interval: Duration::from_secs(10),
        ..Limits::default()
    };
    let terms = Terms {
        limits,
        ..Terms::default()
    };
    let mut desk = Desk::under(terms).await;
    reports(&desk, 5).await;
    for pull_request in 1..=2 {
        desk.submit(pull_request, 1).await;
    }
    let batch = desk.claim(10).await;
    assert_eq!(batch.jobs.len(), 3, "{batch:?}");
    for one in batch
        .jobs
        .iter()
        .filter(|one| one.job.stage == Stage::Grade)
    {
        desk.settle(one, super::desk::graded()).await;
    }
    // No start is left, and the comments go on.
    let batch = desk.claim(10).await;
    let stages: Vec<Stage> = batch.jobs.iter().map(|one| one.job.stage).collect();
    assert_eq!(stages, [Stage::Comment; 2]);
    desk.pass(Duration::from_secs(10)).await;
    assert_eq!(
        claimed(&desk, 10).await,
        BTreeMap::from([(Stage::Fetch, 3)])
    );
}
