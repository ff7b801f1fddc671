//! A worker that was stopped for longer than its lease, and wakes up.

use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;
use hookme_tests::site::SiteOptions;
use hookme_tests::{Site, eventually};

use super::PATIENCE;

/// Long enough to stop the worker meanwhile.
const SLOW: Duration = Duration::from_secs(1);

/// Lets another worker do the job of the only one, which is paused; then wakes
/// that one, and returns once it knows that it is too late.
async fn overtake(site: &Site, id: JobId) {
    let paused = &site.workers[0];
    paused.pause().unwrap();
    let other = site.start_worker(&[]).unwrap();
    eventually(PATIENCE, "the other worker to do it", async || {
        let job = site.job(id).await.map_err(|error| error.to_string())?.job;
        if job.state == State::Succeeded {
            Ok(())
        } else {
            Err(format!("{job:?}"))
        }
    })
    .await
    .unwrap();
    other.terminate().unwrap();
    assert!(other.wait(PATIENCE).await.unwrap().success());

    let before = site.job(id).await.unwrap();
    assert_eq!(
        (before.job.attempt, before.job.failures),
        (2, 0),
        "{before:?}"
    );
    paused.resume().unwrap();
    paused
        .wait_for_log("another claim holds the job", PATIENCE)
        .await
        .unwrap();
    // It is none the worse for it, and does the next one.
    let next = site.submit("octocat", "next").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(site.job(next).await.unwrap().job.state, State::Succeeded);
    let after = site.job(id).await.unwrap();
    assert_eq!((after.job, after.history), (before.job, before.history));
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
    site.receiver.one_body_per_id().unwrap();
}

fn deliveries(site: &Site, id: JobId) -> usize {
    let (ids, id) = (site.receiver.ids(), id.to_string());
    ids.iter()
        .filter(|delivered| delivered.starts_with(&id))
        .count()
}

#[tokio::test]
async fn a_worker_that_was_paused_after_its_post_changes_nothing_when_it_wakes() {
    let site = Site::start(SiteOptions::default()).await.unwrap();
    site.receiver.answer(vec![Answer::Slow(SLOW, 200)]);
    let id = site.submit("octocat", "hello").await.unwrap();
    site.receiver.wait_for(1, PATIENCE).await.unwrap();
    overtake(&site, id).await;
    assert_eq!(deliveries(&site, id), 2, "one more than without the pause");
}

#[tokio::test]
async fn a_worker_that_was_paused_in_its_fetch_sends_nothing_when_it_wakes() {
    let site = Site::start(SiteOptions::default()).await.unwrap();
    site.github
        .script("/repos/octocat/hello", vec![Fault::Delay(SLOW)]);
    let id = site.submit("octocat", "hello").await.unwrap();
    site.github
        .wait_for("/repos/octocat/hello", 1, PATIENCE)
        .await
        .unwrap();
    overtake(&site, id).await;
    assert_eq!(deliveries(&site, id), 1, "only the other worker's");
}
