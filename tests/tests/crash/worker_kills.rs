//! Workers that are killed at random places of their jobs' way.

use std::time::Instant;

use hookme_tests::Site;
use hookme_tests::site::{SiteOptions, total};
use rand::RngExt;

use super::load::{Load, RUNNING_MAX, slow_answers};
use super::{PATIENCE, generator};

const TASKS: usize = 2_000;
const KILLS: usize = 40;
const WORKERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_lost_and_no_limit_passed_when_workers_are_killed_under_load() {
    let started = Instant::now();
    let mut random = generator();
    let options = SiteOptions {
        workers: WORKERS,
        ..SiteOptions::default()
    }
    .with("MAX_RUNNING_JOBS", &RUNNING_MAX.to_string())
    // Never met; it makes each start leave a trace, which must go too.
    .with("JOBS_PER_INTERVAL", "10000")
    .with("LEASE", "1000");
    let mut site = Site::start(options).await.unwrap();
    site.receiver.answer(slow_answers(&mut random, TASKS));
    let mut workers = std::mem::take(&mut site.workers);

    let load = Load::default();
    let story = async {
        let kills = async {
            for kill in 0..KILLS {
                // Spread over the whole load, however fast this machine is.
                let from = TASKS * kill / (KILLS + 1);
                let delivered = random.random_range(from..from + TASKS / KILLS);
                site.receiver.wait_for(delivered, PATIENCE).await.unwrap();
                let victim = random.random_range(0..WORKERS);
                workers[victim].kill().unwrap();
                workers[victim] = site.start_worker(&[]).unwrap();
            }
        };
        tokio::join!(load.post(&site.client, TASKS), kills);
        load.end(&site).await
    };
    let revived = tokio::select! {
        revived = story => revived,
        () = load.watch(&site) => unreachable!("it watches for ever"),
    };
    load.judge(&site).await;
    let counts = site.queue().await.unwrap().counts().await.unwrap();
    assert_eq!(total(&counts, "revived"), revived);
    assert!(
        total(&counts, "crashed") > 0,
        "no kill hit a job: {counts:?}"
    );
    let again = site.receiver.count() - TASKS;
    println!(
        "{counts:?}\n{again} deliveries again, {:?}",
        started.elapsed()
    );
    // Only a kill delivers again, and at most what the worker held.
    assert!(again <= KILLS * 4, "{again} deliveries again");
}
