//! Workers of which one part dies: they end with its name, and give back what they can.

use std::time::Duration;

use hookme_shared::job::State;
use hookme_shared::queue::{Clock, QueueError, Settlement, Terms};
use hookme_shared::supervisor::Supervisor;
use hookme_tests::fault_proxy::Mode;
use hookme_tests::receiver::Answer;
use hookme_tests::redis_server::shared_server;
use hookme_tests::{FaultProxy, House, by_hand, eventually};
use hookme_worker::handle::{Attempt, Handle};
use reqwest::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;

/// Every part that a worker cannot be without, by name.
const PARTS: [&str; 8] = [
    "claimer",
    "destinations task",
    "governor of GitHub",
    "heartbeat",
    "hint listener",
    "operators' server",
    "reaper",
    "settler",
];
/// Without this one no job can be given back: its lease has to run out.
const SETTLER: &str = "settler";

/// A worker with operators, which holds a job that does not end by itself.
struct AtWork {
    house: House,
    supervisor: Supervisor,
    job: hookme_shared::job::JobId,
    operators: String,
}

impl AtWork {
    async fn start(flags: &[&str]) -> Self {
        let mut house = House::start().await.unwrap();
        house.receiver.answer_always(Answer::Hang);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let operators = format!("http://{}", listener.local_addr().unwrap());
        let supervisor = Supervisor::new(CancellationToken::new());
        let started = house.worker_under(flags, Some(listener), supervisor.clone());
        started.await.unwrap();
        let api = house.api(&["--schedule-interval=0"]).await.unwrap();
        let job = api.submit("octocat", "hello", None).await.unwrap();
        house.receiver.wait_for(1, PATIENCE).await.unwrap();
        Self {
            house,
            supervisor,
            job,
            operators,
        }
    }

    /// Asserts that the worker ends, and names that part.
    async fn ends_for(&mut self, part: &str) {
        let ended = tokio::time::timeout(PATIENCE, self.house.first_end()).await;
        let told = format!("{:#}", ended.unwrap().unwrap_err());
        assert!(told.contains(&format!("the {part} ended")), "{told}");
    }

    async fn livez(&self) -> Result<(StatusCode, String), String> {
        let answer = reqwest::get(format!("{}/livez", self.operators)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        Ok((
            status,
            answer.text().await.map_err(|error| error.to_string())?,
        ))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_long_lived_task_of_a_worker_is_one_of_these_parts() {
    let at_work = AtWork::start(&[]).await;
    let mut names = at_work.supervisor.names();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, PARTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_ends_with_the_name_of_the_part_that_died_and_its_jobs_go_back() {
    for part in PARTS {
        let mut at_work = AtWork::start(&["--lease=1500"]).await;
        at_work.supervisor.kill(part);
        at_work.ends_for(part).await;

        let AtWork { mut house, job, .. } = at_work;
        let left = house.job(job).await.unwrap();
        let events: Vec<&str> = left.history.iter().map(|entry| &*entry.event).collect();
        if part == SETTLER {
            assert_eq!(left.job.state, State::Running, "{part}: {left:?}");
        } else {
            assert_eq!(left.job.state, State::Scheduled, "{part}: {left:?}");
            assert_eq!(events, ["release"], "{part}: {left:?}");
        }
        house.receiver.answer_always(Answer::status(200));
        house.worker(&["--lease=1500"]).await.unwrap();
        let ended = house.ended(job, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Succeeded, "{part}: {ended:?}");
        assert_eq!(ended.job.failures, 0, "{part}: {ended:?}");
        assert_eq!(house.receiver.distinct_ids(), 1, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_worker_ends_livez_names_the_part_that_died_and_redis_need_not_answer() {
    let proxy = FaultProxy::start(shared_server().await.unwrap().port());
    let proxy = proxy.await.unwrap();
    let mut at_work = AtWork::start(&[&format!("--redis-url={}", proxy.url())]).await;
    let lives = (StatusCode::OK, "ok\n".to_owned());
    assert_eq!(at_work.livez().await, Ok(lives));
    // So the end takes a while.
    proxy.set_mode(Mode::Blackhole);
    at_work.supervisor.kill("reaper");
    let told = eventually(PATIENCE, "a /livez that fails", async || {
        match at_work.livez().await? {
            (StatusCode::OK, text) => Err(text),
            told => Ok(told),
        }
    });
    let expected = "the reaper ended before the process did\n".to_owned();
    let told = told.await.unwrap();
    assert_eq!(told, (StatusCode::SERVICE_UNAVAILABLE, expected));
    at_work.ends_for("reaper").await;
}

#[tokio::test]
async fn an_api_ends_with_the_name_of_the_server_that_died() {
    for (server, other) in [
        ("clients' server", "operators' server"),
        ("operators' server", "clients' server"),
    ] {
        let house = House::start().await.unwrap();
        let arguments = <hookme_api::settings::Arguments as clap::Parser>::parse_from(["api"]);
        let bind = || TcpListener::bind("127.0.0.1:0");
        let supervisor = Supervisor::new(CancellationToken::new());
        let running = hookme_api::run(
            bind().await.unwrap(),
            Some(bind().await.unwrap()),
            house.queue.clone(),
            arguments.check().unwrap().api,
            supervisor.clone(),
        );
        let killing = async {
            eventually(PATIENCE, "both servers", async || {
                let names = supervisor.names();
                if names.contains(&server) && names.contains(&other) {
                    Ok(())
                } else {
                    Err(format!("{names:?}"))
                }
            })
            .await
            .unwrap();
            supervisor.kill(server);
        };
        let (ended, ()) = tokio::join!(tokio::time::timeout(PATIENCE, running), killing);
        let error = anyhow::Error::from(ended.unwrap().unwrap_err());
        let told = format!("{error:#}");
        assert!(told.contains(&format!("the {server} ended")), "{told}");
    }
}

/// Panics where no attempt has begun yet, the first time.
struct Fumbling;

impl Handle for Fumbling {
    fn handle(
        &self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Option<Settlement>, QueueError>> + Send {
        assert!(attempt.job.attempt > 1, "of the test");
        async { Ok(Some(Settlement::Finish)) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_task_died_comes_back_by_its_lease() {
    let mut house = House::start().await.unwrap();
    let terms = Terms {
        lease: Duration::from_secs(1),
        ..Terms::default()
    };
    let launch = house.launch_of("fumbling", terms, Clock::Redis).unwrap();
    house.launch(launch, Fumbling).await.unwrap();
    let job = by_hand::submit(&house.queue, "hello", Duration::ZERO);
    let ended = house.ended(job.await.unwrap(), PATIENCE).await.unwrap();
    let events: Vec<&str> = ended.history.iter().map(|entry| &*entry.event).collect();
    assert_eq!(events, ["crash", "finish"], "{ended:?}");
}
