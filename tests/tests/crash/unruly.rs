//! Jobs that panic, abort their process or block its threads.

use std::collections::BTreeSet;
use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Address, Clock, Explanation, Queue, Submission, Submitted, Terms, Work,
};
use hookme_shared::secret::Secret;
use hookme_tests::redis_server::{namespace, shared_server};
use hookme_tests::site::live;
use hookme_tests::{Program, eventually};

use super::PATIENCE;

/// Short, so that crashes are found soon.
const LEASE_MS: &str = "600";
/// Neighbours that are kept in the queue beside a job that aborts.
const NEIGHBOURS: u64 = 12;

struct Unruly {
    queue: Queue,
    namespace: String,
    url: String,
    jobs: Vec<JobId>,
}

impl Unruly {
    async fn new() -> Self {
        let url = shared_server().await.unwrap().url();
        let namespace = namespace();
        let address = Address {
            url: Secret::from(url.clone()),
            certificate_authority: None,
            namespace: namespace.clone(),
            response_timeout: PATIENCE,
            clock: Clock::Redis,
        };
        let queue = Queue::new(&address, Terms::default()).unwrap();
        queue.load_functions().await.unwrap();
        Self {
            queue,
            namespace,
            url,
            jobs: Vec::new(),
        }
    }

    fn worker(&self) -> Program {
        let environment = [
            ("REDIS_URL", self.url.as_str()),
            ("REDIS_NAMESPACE", &self.namespace),
            ("LEASE", LEASE_MS),
        ];
        Program::start("unruly-worker", &environment).unwrap()
    }

    /// Adds a job that does what `order` says.
    async fn submit(&mut self, order: &str) -> JobId {
        let task = Submission {
            id: JobId::random(),
            work: Work::Report,
            username: Username::parse(order).unwrap(),
            repository: RepositoryName::parse(&format!("r{}", self.jobs.len())).unwrap(),
            delay: Duration::ZERO,
            owner: None,
            destination: None,
            idempotency: None,
        };
        let taken = self.queue.submit(&task).await.unwrap();
        assert!(matches!(taken, Submitted::Accepted(_)), "{taken:?}");
        self.jobs.push(task.id);
        task.id
    }

    async fn job(&self, id: JobId) -> Explanation {
        self.queue.explain(id).await.unwrap().unwrap()
    }

    async fn wait_for(&self, id: JobId, state: State) {
        eventually(PATIENCE, "the state of a job", async || {
            let job = self.job(id).await.job;
            if job.state == state {
                Ok(())
            } else {
                Err(format!("{job:?}"))
            }
        })
        .await
        .unwrap();
    }

    async fn all_ended(&self) {
        eventually(PATIENCE, "the end of all jobs", async || {
            let counts = self
                .queue
                .counts()
                .await
                .map_err(|error| error.to_string())?;
            if live(&counts) == 0 {
                Ok(())
            } else {
                Err(format!("{counts:?}"))
            }
        })
        .await
        .unwrap();
    }
}

/// The workers that a job took down or lost, in order.
fn crashed_workers(job: &Explanation) -> Vec<String> {
    let crashes = job.history.iter().filter(|entry| entry.event == "crash");
    crashes.map(|entry| entry.worker.clone().unwrap()).collect()
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_job_and_of_no_other() {
    let mut site = Unruly::new().await;
    let panics = site.submit("panic").await;
    let good = site.submit("good").await;
    let _worker = site.worker();
    site.all_ended().await;

    let job = site.job(panics).await;
    assert_eq!(
        (job.job.state, job.job.failures, job.job.crashes),
        (State::Dead, 4, 0)
    );
    assert!(
        job.history
            .iter()
            .all(|entry| entry.text.contains("panicked: as ordered")),
        "{job:?}"
    );
    let job = site.job(good).await.job;
    assert_eq!(
        (job.state, job.attempt, job.failures),
        (State::Succeeded, 1, 0)
    );
}

#[tokio::test]
async fn a_job_that_aborts_its_process_is_poison_and_takes_no_neighbour_along_from_the_third_crash()
{
    let mut site = Unruly::new().await;
    let mut workers = [site.worker(), site.worker()];
    let poison = site.submit("abort").await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while site.job(poison).await.job.state != State::Dead {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{:?}",
            site.job(poison).await
        );
        // There is always somebody beside it, and a worker in the place of a dead one.
        if live(&site.queue.counts().await.unwrap()) < NEIGHBOURS {
            site.submit("good").await;
        }
        for worker in &mut workers {
            if worker.wait(Duration::from_millis(2)).await.is_ok() {
                *worker = site.worker();
            }
        }
    }
    site.all_ended().await;

    let job = site.job(poison).await;
    let taken_down = crashed_workers(&job);
    assert_eq!(
        (job.job.attempt, job.job.crashes, taken_down.len()),
        (5, 5, 5),
        "{job:?}"
    );
    assert!(job.job.reason.unwrap().starts_with("poison"));

    let mut beside = BTreeSet::new();
    for id in site.jobs.iter().filter(|id| **id != poison) {
        let job = site.job(*id).await;
        assert_eq!(job.job.state, State::Succeeded, "{job:?}");
        beside.extend(crashed_workers(&job));
    }
    let (among_others, alone) = taken_down.split_at(3);
    assert!(
        among_others.iter().any(|worker| beside.contains(worker)),
        "nobody was beside it"
    );
    assert!(
        !alone.iter().any(|worker| beside.contains(worker)),
        "{alone:?} {beside:?}"
    );
}

#[tokio::test]
async fn a_job_that_blocks_its_thread_costs_nobody_the_lease() {
    const BLOCKING: usize = 4;
    let mut site = Unruly::new().await;
    // More than the program has threads, so that some wait behind others.
    for _ in 0..BLOCKING {
        site.submit("block").await;
    }
    let _blocked = site.worker();
    for id in site.jobs.clone() {
        site.wait_for(id, State::Running).await;
    }
    // Somebody else reaps all the time.
    let _reaper = site.worker();
    site.all_ended().await;
    for id in &site.jobs {
        let job = site.job(*id).await;
        assert_eq!(
            (job.job.state, job.job.attempt),
            (State::Succeeded, 1),
            "{job:?}"
        );
    }
}

#[tokio::test]
async fn a_process_of_which_a_part_dies_exits_with_an_error_and_the_next_does_its_jobs() {
    for part in ["heartbeat", "settler", "reaper", "hint-listener", "claimer"] {
        let mut site = Unruly::new().await;
        let job = site.submit(&format!("kill-{part}")).await;
        let worker = site.worker();
        let status = worker.wait(PATIENCE).await.unwrap();
        let (name, log) = (part.replace('-', " "), worker.log());
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(&format!("the {name} ended")), "{log}");
        // What cannot be settled comes back by its lease.
        let left = site.job(job).await.job;
        let expected = match part {
            "settler" => State::Running,
            _ => State::Scheduled,
        };
        assert_eq!(left.state, expected, "{part}: {left:?}");

        let _next = site.worker();
        site.all_ended().await;
        let ended = site.job(job).await;
        let crashed = crashed_workers(&ended).len();
        assert_eq!(crashed, usize::from(part == "settler"), "{ended:?}");
        let ended = ended.job;
        assert_eq!(
            (ended.state, ended.failures),
            (State::Succeeded, 0),
            "{part}: {ended:?}"
        );
    }
}
