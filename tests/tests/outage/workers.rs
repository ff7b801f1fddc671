//! What becomes of running jobs while Redis is away.

use std::time::{Duration, Instant};

use hookme_shared::job::State;
use hookme_tests::Site;
use hookme_tests::receiver::Answer;
use hookme_tests::site::{SiteOptions, total};

use super::{Outage, PATIENCE};

const LEASE: Duration = Duration::from_secs(1);
/// Jobs that end during the outage, and as many that do not.
const EACH: usize = 4;
/// How soon after Redis's return a new task must be done. It takes about two
/// seconds at most; a busy machine gets more.
const BACK_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn no_live_lease_is_reclaimed_after_a_short_hang() {
    ride_out(Outage::Paused, LEASE / 2).await;
}

#[tokio::test]
async fn no_live_lease_is_reclaimed_after_a_hang_longer_than_the_lease() {
    ride_out(Outage::Paused, LEASE * 5 / 2).await;
}

#[tokio::test]
async fn no_live_lease_is_reclaimed_after_a_quick_restart() {
    ride_out(Outage::Killed, Duration::ZERO).await;
}

#[tokio::test]
async fn no_live_lease_is_reclaimed_after_an_outage_longer_than_the_lease() {
    ride_out(Outage::Killed, LEASE * 5 / 2).await;
}

async fn ride_out(outage: Outage, length: Duration) {
    let options = SiteOptions {
        workers: 2,
        ..SiteOptions::default()
    }
    .with("LEASE", &LEASE.as_millis().to_string());
    let site = Site::start(options).await.unwrap();
    let soon = Answer::Slow(LEASE / 3, 200);
    let late = Answer::Slow(LEASE * 4, 200);
    site.receiver
        .answer([vec![soon; EACH], vec![late; EACH]].concat());
    let mut jobs = Vec::new();
    for number in 0..2 * EACH {
        jobs.push(
            site.submit("octocat", &format!("hello-{number}"))
                .await
                .unwrap(),
        );
    }
    site.receiver.wait_for(2 * EACH, PATIENCE).await.unwrap();

    let cpu_before = cpu_time(&site);
    outage.begin(&site);
    // The length of the outage is what is tested; nothing is waited for.
    tokio::time::sleep(length).await;
    let cpu = cpu_time(&site).saturating_sub(cpu_before);
    assert!(
        cpu <= length / 4 + LEASE / 4,
        "the workers spin: {cpu:?} of {length:?}"
    );
    outage.end(&site).await;

    let back = Instant::now();
    let after = site.submit("octocat", "after").await.unwrap();
    hookme_tests::eventually(PATIENCE, "a new task to be done", async || {
        let job = site
            .job(after)
            .await
            .map_err(|error| error.to_string())?
            .job;
        if job.state == State::Succeeded {
            Ok(())
        } else {
            Err(format!("{job:?}"))
        }
    })
    .await
    .unwrap();
    assert!(back.elapsed() < BACK_WITHIN, "{:?}", back.elapsed());

    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(counts.succeeded, 2 * EACH as u64 + 1, "{counts:?}");
    assert_eq!(total(&counts, "crashed"), 0, "{counts:?}");
    assert_eq!(total(&counts, "retried"), 0, "{counts:?}");
    site.receiver.one_body_per_id().unwrap();
    assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
}

/// What all workers have used of the processors.
fn cpu_time(site: &Site) -> Duration {
    let workers = site.workers.iter();
    workers.map(|worker| worker.cpu_time().unwrap()).sum()
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_while_redis_is_away_ends_all_the_same() {
    let options = SiteOptions::default().with("SHUTDOWN_GRACE", "200");
    let mut site = Site::start(options).await.unwrap();
    site.receiver.answer(vec![Answer::Hang]);
    let id = site.submit("octocat", "hello").await.unwrap();
    site.receiver.wait_for(1, PATIENCE).await.unwrap();
    site.redis.pause().unwrap();
    let stopping = site.workers.remove(0);
    stopping.terminate().unwrap();
    assert_eq!(stopping.wait(PATIENCE).await.unwrap().code(), Some(0));
    site.redis.resume().unwrap();

    site.workers.push(site.start_worker(&[]).unwrap());
    site.all_ended(PATIENCE).await.unwrap();
    let job = site.job(id).await.unwrap().job;
    assert_eq!((job.state, job.failures), (State::Succeeded, 0));
}
