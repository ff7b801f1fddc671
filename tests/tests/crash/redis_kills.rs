//! A Redis that is killed under load, and comes back with what it had synced.

use hookme_tests::Site;
use hookme_tests::site::{SiteOptions, total};
use rand::RngExt;

use super::load::{Load, RUNNING_MAX, slow_answers};
use super::{PATIENCE, generator};

const TASKS: usize = 600;
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_answered_with_202_survives_kills_of_redis_and_no_crash_is_counted() {
    let mut random = generator();
    let options = SiteOptions {
        workers: 3,
        ..SiteOptions::default()
    }
    .with("MAX_RUNNING_JOBS", &RUNNING_MAX.to_string())
    .with("LEASE", "5000");
    let site = Site::start(options).await.unwrap();
    site.receiver.answer(slow_answers(&mut random, TASKS));

    let load = Load::default();
    let story = async {
        let kills = async {
            for kill in 0..KILLS {
                let from = TASKS * kill / (KILLS + 1);
                let delivered = random.random_range(from..from + TASKS / KILLS);
                site.receiver.wait_for(delivered, PATIENCE).await.unwrap();
                site.redis.restart().await.unwrap();
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
    println!("{counts:?}");
    assert_eq!((revived, total(&counts, "crashed")), (0, 0), "{counts:?}");
}
