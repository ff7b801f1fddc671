//! Workers that are asked to end while Redis hangs.

use std::time::Duration;

use hookme_tests::Site;
use hookme_tests::receiver::Answer;
use hookme_tests::site::SiteOptions;

use super::{Outage, PATIENCE};

const LEASE: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(1);
/// Within how long after the grace a worker has ended, as the README says.
const AFTER_GRACE: Duration = Duration::from_secs(10);
const JOBS: usize = 8;

#[tokio::test]
async fn a_worker_ends_in_time_though_redis_hangs() {
    let in_ms = |span: Duration| span.as_millis().to_string();
    let options = SiteOptions::default()
        .with("LEASE", &in_ms(LEASE))
        .with("SHUTDOWN_GRACE", &in_ms(GRACE))
        .with("WORKER_CONCURRENCY", &JOBS.to_string());
    let site = Site::start(options).await.unwrap();
    site.receiver.answer(vec![Answer::Hang; JOBS]);
    for number in 0..JOBS {
        let name = format!("hello-{number}");
        site.submit("octocat", &name).await.unwrap();
    }
    site.receiver.wait_for(JOBS, PATIENCE).await.unwrap();

    Outage::Paused.begin(&site);
    // The jobs that stop make room for others, which are claimed at once: from then on
    // every part waits for Redis.
    let worker = &site.workers[0];
    let stopped = worker.wait_for_log("leases could not be renewed in time", PATIENCE);
    stopped.await.unwrap();
    worker.terminate().unwrap();
    let ended = worker.wait(GRACE + AFTER_GRACE).await;
    let log = worker.log();
    assert_eq!(ended.unwrap().code(), Some(0), "{log}");
    // A part that meets it again and again says so once.
    for told in [
        "redis does not answer for deliveries",
        "redis gives no jobs",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{log}");
    }
}
