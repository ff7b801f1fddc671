//! `MAX_RUNNING_JOBS`: as many as may run, over all workers, and no fewer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookme_shared::queue::{Clock, Limits, QueueError, Settlement, Terms};
use hookme_tests::github::{Fault, RepositorySpec};
use hookme_tests::site::SiteOptions;
use hookme_tests::{House, Site, eventually};
use hookme_worker::handle::{Attempt, Handle};
use redis::AsyncCommands;
use tokio::sync::Semaphore;

use super::{PATIENCE, submit_many};

/// Lets jobs end one by one, and knows how many run.
#[derive(Clone)]
struct Gate {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    leave: Arc<Semaphore>,
}

impl Handle for Gate {
    async fn handle(&self, _: Attempt) -> Result<Option<Settlement>, QueueError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.leave.acquire().await.unwrap().forget();
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(Some(Settlement::Finish))
    }
}

#[tokio::test]
async fn three_workers_together_run_as_many_jobs_as_may_run_and_the_next_when_one_ends() {
    const MOST: usize = 5;
    const JOBS: usize = 25;
    let mut house = House::start().await.unwrap();
    let gate = Gate {
        running: Arc::default(),
        most: Arc::default(),
        leave: Arc::new(Semaphore::new(0)),
    };
    submit_many(&house.queue, "r", JOBS).await;
    let limits = Limits {
        running_jobs: Some(MOST as u64),
        ..Limits::default()
    };
    for worker in ["one", "two", "three"] {
        let mut launch = house
            .launch_of(
                worker,
                Terms {
                    limits,
                    ..Terms::default()
                },
                Clock::Redis,
            )
            .unwrap();
        launch.concurrency = 4;
        house.launch(launch, gate.clone()).await.unwrap();
    }
    let mut redis = house.redis().await.unwrap();
    for ended in 0..=JOBS {
        let expected = MOST.min(JOBS - ended);
        let so_many = eventually(PATIENCE, "as many running jobs as may run", async || {
            let running = gate.running.load(Ordering::SeqCst);
            let succeeded = house
                .queue
                .counts()
                .await
                .map_err(|error| error.to_string())?
                .succeeded;
            let seen = (running, usize::try_from(succeeded).unwrap());
            if seen == (expected, ended) {
                Ok(())
            } else {
                Err(format!("{seen:?}, after {ended}"))
            }
        });
        so_many.await.unwrap();
        let leases: usize = redis.zcard(house.key("running")).await.unwrap();
        assert_eq!(leases, expected);
        gate.leave.add_permits(1);
    }
    assert_eq!(gate.most.load(Ordering::SeqCst), MOST);
}

#[tokio::test]
async fn three_processes_together_never_run_more_jobs_than_may_run() {
    const MOST: usize = 2;
    const JOBS: usize = 30;
    let options = SiteOptions {
        workers: 3,
        ..SiteOptions::default()
    };
    let site = Site::start(options.with("MAX_RUNNING_JOBS", &MOST.to_string()))
        .await
        .unwrap();
    // Without contributors a job asks twice at once, and for nothing else.
    let spec = RepositorySpec {
        contributors: 0,
        ..RepositorySpec::default()
    };
    for index in 0..JOBS {
        site.github
            .add_repository("octocat", &format!("r-{index}"), &spec);
    }
    site.github
        .always("/", Fault::Delay(Duration::from_millis(20)));
    submit_many(&site.queue().await.unwrap(), "r", JOBS).await;
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(counts.succeeded, JOBS as u64);
    assert_eq!(site.receiver.count(), JOBS);
    assert!(
        site.github.max_in_flight() <= 2 * MOST,
        "{}",
        site.github.max_in_flight()
    );
}
