//! Workers that are asked to stop, as in a deploy.

use hookme_shared::job::State;
use hookme_tests::receiver::Answer;
use hookme_tests::site::{SiteOptions, TAG, total};
use hookme_tests::{Program, Site};
use redis::AsyncCommands;
use serde_json::Value;
use std::time::Duration;

use super::PATIENCE;

/// A worker's id, as its log has it.
fn id_of(worker: &Program) -> String {
    let log = worker.log();
    let line = log
        .lines()
        .find(|line| line.contains("taking jobs"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    line["worker"].as_str().unwrap().to_owned()
}

async fn is_present(site: &Site, worker: &str) -> bool {
    let mut redis = site.connection().await.unwrap();
    let listed: Option<f64> = redis
        .zscore(format!("{TAG}:workers"), worker)
        .await
        .unwrap();
    let described: bool = redis
        .exists(format!("{TAG}:worker:{worker}"))
        .await
        .unwrap();
    listed.is_some() || described
}

async fn redis_ms(site: &Site) -> u64 {
    let mut redis = site.connection().await.unwrap();
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    seconds * 1_000 + micros / 1_000
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_finishes_what_it_runs_and_claims_no_more() {
    const TASKS: usize = 60;
    let options = SiteOptions {
        workers: 2,
        ..SiteOptions::default()
    };
    let site = Site::start(options).await.unwrap();
    let (stopping, id) = (&site.workers[0], id_of(&site.workers[0]));
    site.receiver
        .answer_always(Answer::Slow(Duration::from_millis(200), 200));
    let mut jobs = Vec::new();
    for number in 0..TASKS {
        jobs.push(
            site.submit("octocat", &format!("hello-{number}"))
                .await
                .unwrap(),
        );
    }
    site.receiver.wait_for(12, PATIENCE).await.unwrap();
    assert!(is_present(&site, &id).await);
    stopping.terminate().unwrap();
    stopping
        .wait_for_log("no more jobs are taken", PATIENCE)
        .await
        .unwrap();
    let stopped_ms = redis_ms(&site).await;
    let status = stopping.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", stopping.log());
    assert!(!is_present(&site, &id).await);

    let counts = site.all_ended(PATIENCE).await.unwrap();
    for other in ["released", "retried", "crashed"] {
        assert_eq!(total(&counts, other), 0, "{counts:?}");
    }
    let mut of_stopped = 0;
    for job in jobs {
        let job = site.job(job).await.unwrap().job;
        assert_eq!((job.state, job.attempt), (State::Succeeded, 1), "{job:?}");
        if job.worker.as_ref() == Some(&id) {
            of_stopped += 1;
            assert!(job.started_ms.unwrap() <= stopped_ms, "{job:?}");
        }
    }
    assert!((1..TASKS).contains(&of_stopped), "{of_stopped}");
    assert_eq!(site.receiver.count(), TASKS, "nothing is delivered twice");
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_is_given_back_and_counts_nothing() {
    const TASKS: usize = 4;
    let options = SiteOptions::default().with("SHUTDOWN_GRACE", "300");
    let mut site = Site::start(options).await.unwrap();
    let id = id_of(&site.workers[0]);
    site.receiver.answer_always(Answer::Hang);
    let mut jobs = Vec::new();
    for number in 0..TASKS {
        jobs.push(
            site.submit("octocat", &format!("hello-{number}"))
                .await
                .unwrap(),
        );
    }
    site.receiver.wait_for(TASKS, PATIENCE).await.unwrap();
    let stopping = site.workers.remove(0);
    stopping.terminate().unwrap();
    let status = stopping.wait(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", stopping.log());
    assert!(!is_present(&site, &id).await);
    for job in &jobs {
        let job = site.job(*job).await.unwrap();
        assert_eq!(job.job.state, State::Scheduled, "{job:?}");
        assert_eq!((job.job.failures, job.job.crashes), (0, 0), "{job:?}");
        let events: Vec<&str> = job
            .history
            .iter()
            .map(|entry| entry.event.as_str())
            .collect();
        assert_eq!(events, ["release"], "{job:?}");
    }

    site.receiver.answer_always(Answer::status(200));
    let fetched = site.github.count("/");
    site.workers.push(site.start_worker(&[]).unwrap());
    site.all_ended(PATIENCE).await.unwrap();
    for job in jobs {
        let job = site.job(job).await.unwrap().job;
        assert_eq!((job.state, job.attempt), (State::Succeeded, 2), "{job:?}");
    }
    assert_eq!(site.github.count("/"), fetched, "the kept reports are sent");
    assert_eq!(
        (site.receiver.count(), site.receiver.distinct_ids()),
        (2 * TASKS, TASKS)
    );
    site.receiver.one_body_per_id().unwrap();
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}
