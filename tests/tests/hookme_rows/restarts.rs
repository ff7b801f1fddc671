//! Everything is killed or stopped while tasks are pending, and starts again.

use hookme_shared::queue::{Address, Clock, Counts, Queue, Terms};
use hookme_shared::secret::Secret;
use hookme_tests::github::{Fault, GithubOptions, RepositorySpec};
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::site::{ApiClient, live};
use hookme_tests::{GithubStandIn, Program, Receiver, RedisServer, eventually};
use redis::AsyncCommands;
use serde_json::Value;

use super::{PATIENCE, submit, submit_later};

/// Everything but the programs, which come and go.
pub(super) struct Parts {
    redis: RedisServer,
    github: GithubStandIn,
    pub(super) receiver: Receiver,
}

impl Parts {
    pub(super) async fn start() -> Self {
        let persistence = Persistence::AofAlways;
        let options = RedisOptions {
            persistence,
            ..RedisOptions::default()
        };
        let generate = Some(RepositorySpec::default());
        let github = GithubOptions {
            generate,
            ..GithubOptions::default()
        };
        Self {
            redis: RedisServer::start(options).await.unwrap(),
            github: GithubStandIn::start(github).await.unwrap(),
            receiver: Receiver::start().await.unwrap(),
        }
    }

    fn program(&self, name: &str, more: &[(&str, &str)]) -> Program {
        let urls = (self.redis.url(), self.github.url(), self.receiver.url());
        let usual = [
            ("REDIS_URL", &*urls.0),
            ("API_URL", &*urls.1),
            ("WEBHOOK_URL", &*urls.2),
            ("LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
            ("RUST_LOG", "info"),
            ("SCHEDULE_INTERVAL", "0"),
            ("RESCHEDULE_INTERVAL", "50"),
            ("LEASE", "1500"),
        ];
        Program::start(name, &[&usual, more].concat()).unwrap()
    }

    /// A new API, and where it listens.
    pub(super) async fn api(&self) -> (Program, String) {
        let api = self.program("api", &[]);
        let line = api.wait_for_log("taking tasks", PATIENCE).await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        (api, line["address"].as_str().unwrap().to_owned())
    }

    /// A new worker, which takes jobs already.
    pub(super) async fn worker(&self, more: &[(&str, &str)]) -> Program {
        let worker = self.program("worker", more);
        worker.wait_for_log("taking jobs", PATIENCE).await.unwrap();
        worker
    }

    /// Waits until no task is live; returns what there is then.
    pub(super) async fn all_ended(&self) -> Counts {
        let address = Address {
            url: Secret::from(self.redis.url()),
            certificate_authority: None,
            namespace: "hookme".to_owned(),
            response_timeout: PATIENCE,
            clock: Clock::Redis,
        };
        let queue = Queue::new(&address, Terms::default()).unwrap();
        let ended = eventually(PATIENCE, "the end of all tasks", async || {
            let counts = queue.counts().await.map_err(|error| error.to_string())?;
            if live(&counts) == 0 {
                Ok(counts)
            } else {
                Err(format!("{counts:?}"))
            }
        });
        ended.await.unwrap()
    }
}

/// Five tasks that are pending, and one whose fetch does not come back.
async fn five_pending_and_one_fetching(parts: &Parts, api: &ApiClient) -> Vec<String> {
    parts
        .github
        .script("/repos/octocat/fetching/issues", vec![Fault::Hang]);
    let mut ids = vec![submit(api, "fetching").await.to_string()];
    parts
        .github
        .wait_for("/repos/octocat/fetching/issues", 1, PATIENCE)
        .await
        .unwrap();
    for index in 0..5 {
        let id = submit_later(api, &format!("r{index}"), 1_500).await;
        ids.push(id.to_string());
    }
    ids.sort_unstable();
    ids
}

/// Each task was delivered; which of them twice, a crash may decide.
async fn assert_all_delivered(parts: &Parts, ids: &[String]) {
    let counts = parts.all_ended().await;
    assert_eq!(counts.succeeded, ids.len() as u64, "{counts:?}");
    let mut delivered = parts.receiver.ids();
    delivered.sort_unstable();
    delivered.dedup();
    assert_eq!(delivered, ids);
    parts.receiver.one_body_per_id().unwrap();
}

#[tokio::test]
async fn when_api_worker_and_redis_are_killed_every_task_is_delivered_after_the_restart() {
    let parts = Parts::start().await;
    let (api, address) = parts.api().await;
    let worker = parts.worker(&[]).await;
    let client = ApiClient::new(&address).unwrap();
    let ids = five_pending_and_one_fetching(&parts, &client).await;
    for program in [&api, &worker] {
        program.kill().unwrap();
    }
    parts.redis.kill().unwrap();

    parts.redis.restart().await.unwrap();
    let (_api, address) = parts.api().await;
    let _worker = parts.worker(&[]).await;
    assert_all_delivered(&parts, &ids).await;
    let client = ApiClient::new(&address).unwrap();
    for id in ids {
        let shown = eventually(PATIENCE, "the task", async || {
            let shown = client.show(id.parse().unwrap()).await.unwrap();
            if shown.status == 503 {
                Err(format!("{shown:?}"))
            } else {
                Ok(shown)
            }
        });
        let shown = shown.await.unwrap();
        assert_eq!(shown.body["state"], "succeeded", "{shown:?}");
    }
}

#[tokio::test]
async fn a_deploy_in_the_middle_of_a_fetch_costs_no_task_and_counts_no_failure() {
    let parts = Parts::start().await;
    let (api, address) = parts.api().await;
    let worker = parts.worker(&[("SHUTDOWN_GRACE", "100")]).await;
    let client = ApiClient::new(&address).unwrap();
    let ids = five_pending_and_one_fetching(&parts, &client).await;
    for program in [&api, &worker] {
        program.terminate().unwrap();
    }
    for program in [&api, &worker] {
        assert_eq!(
            program.wait(PATIENCE).await.unwrap().code(),
            Some(0),
            "{}",
            program.log()
        );
    }

    let _worker = parts.worker(&[]).await;
    assert_all_delivered(&parts, &ids).await;
    assert_eq!(parts.receiver.count(), ids.len());
    let mut redis = parts.redis.connection().await.unwrap();
    for id in ids {
        let counted: (Option<u64>, Option<u64>) = redis
            .hmget(format!("{{hookme}}:job:{id}"), &["failures", "crashes"])
            .await
            .unwrap();
        assert_eq!(counted, (None, None), "{id}");
    }
}
