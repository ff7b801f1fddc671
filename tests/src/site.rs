//! A whole Hookme: a private Redis, the real `api` and `worker` programs, a GitHub
//! and a webhook's receiver, set up so that a test takes seconds.
//!
//! A test starts one, asks it for something over HTTP, breaks a part of it and
//! looks at what is left. Dropping it ends everything.

pub mod audit;
mod client;

use std::time::Duration;

use anyhow::Context;
use hookme_shared::job::JobId;
use hookme_shared::queue::{Address, Clock, Counts, Explanation, Queue, Terms};
use hookme_shared::secret::Secret;
use redis::aio::MultiplexedConnection;
use serde_json::Value;

use crate::github::{GithubOptions, RepositorySpec};
use crate::redis_server::{Persistence, RedisOptions};
use crate::{FaultProxy, GithubStandIn, Program, Receiver, RedisServer, eventually};
use audit::Reach;
pub use client::{Answer, ApiClient};

/// The key prefix of every site: each has a Redis of its own.
pub const NAMESPACE: &str = "hookme";
/// What every key begins with.
pub const TAG: &str = "{hookme}";
/// How long a program may take to start. A busy machine must not fail a test.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long the test's own view of the queue waits for Redis.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test wants other than usual.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// How many workers there are at the start.
    pub workers: usize,
    /// What Redis keeps when it is killed.
    pub persistence: Persistence,
    /// Whether the programs reach Redis through [`Site::proxy`].
    pub proxy: bool,
    /// What GitHub is like.
    pub github: GithubOptions,
    /// Variables for the API and the workers, stronger than the usual ones.
    pub environment: Vec<(String, String)>,
    /// `REDIS_URL` of the API and of the workers, where they have users of their own.
    pub redis_urls: Option<[String; 2]>,
}

impl Default for SiteOptions {
    /// One worker, an append-only file that is synced before each answer, no
    /// proxy, a GitHub that has every repository, and the usual variables.
    fn default() -> Self {
        Self {
            workers: 1,
            persistence: Persistence::AofAlways,
            proxy: false,
            github: GithubOptions {
                generate: Some(RepositorySpec::default()),
                keep_headers: false,
                ..GithubOptions::default()
            },
            environment: Vec::new(),
            redis_urls: None,
        }
    }
}

impl SiteOptions {
    /// The same with this variable for the API and the workers.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running site. The programs are dropped before what they talk to.
pub struct Site {
    /// The workers, in the order of their start. A test may kill, pause, add and
    /// remove them.
    pub workers: Vec<Program>,
    /// The API.
    pub api: Program,
    /// Speaks HTTP with the API.
    pub client: ApiClient,
    /// Between the programs and Redis, if the options asked for it.
    pub proxy: Option<FaultProxy>,
    /// GitHub, with [`RepositorySpec::default`] in place of any repository.
    pub github: GithubStandIn,
    /// The webhook's other end, which answers 200 until it is told otherwise.
    pub receiver: Receiver,
    /// The private Redis.
    pub redis: RedisServer,
    environment: Vec<(String, String)>,
}

impl Site {
    /// Starts everything and waits until the API and the workers are ready.
    ///
    /// # Errors
    ///
    /// When a part does not start; with its log.
    pub async fn start(options: SiteOptions) -> anyhow::Result<Self> {
        let redis = RedisServer::start(RedisOptions {
            persistence: options.persistence,
            ..RedisOptions::default()
        })
        .await?;
        Self::start_on(redis, options).await
    }

    /// The same with a Redis that runs already; its options count, and not
    /// [`SiteOptions::persistence`].
    ///
    /// # Errors
    ///
    /// When a part does not start; with its log.
    pub async fn start_on(redis: RedisServer, options: SiteOptions) -> anyhow::Result<Self> {
        let github = GithubStandIn::start(options.github).await?;
        let receiver = Receiver::start().await?;
        let proxy = if options.proxy {
            Some(FaultProxy::start(redis.port()).await?)
        } else {
            None
        };
        let redis_url = proxy.as_ref().map_or_else(|| redis.url(), FaultProxy::url);
        let mut environment = usual_environment(github.url(), receiver.url());
        environment.extend(options.environment);
        let [api_url, worker_url] = options.redis_urls.unwrap_or([redis_url.clone(), redis_url]);
        let api = start_program("api", &environment, &[("REDIS_URL", &api_url)])?;
        environment.push(("REDIS_URL".to_owned(), worker_url));
        let workers = (0..options.workers)
            .map(|_| start_program("worker", &environment, &[]))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let client = ApiClient::new(&address_of(&api).await?)?;
        for worker in &workers {
            worker.wait_for_log("taking jobs", START_DEADLINE).await?;
        }
        Ok(Self {
            workers,
            api,
            client,
            proxy,
            github,
            receiver,
            redis,
            environment,
        })
    }

    /// Starts one more worker with the site's variables and these on top. It is
    /// the caller's, to be pushed to [`Site::workers`] or kept; it may not be
    /// ready yet (see [`Site::ready`]).
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start_worker(&self, on_top: &[(&str, &str)]) -> anyhow::Result<Program> {
        start_program("worker", &self.environment, on_top)
    }

    /// Waits until a worker takes jobs.
    ///
    /// # Errors
    ///
    /// When it ends instead, or takes too long; with its log.
    pub async fn ready(worker: &Program) -> anyhow::Result<()> {
        worker.wait_for_log("taking jobs", START_DEADLINE).await?;
        Ok(())
    }

    /// Posts a task and returns its id. What is answered with 503, as it may be on
    /// a busy machine, is repeated under one `Idempotency-Key`, as a client does.
    ///
    /// # Errors
    ///
    /// On any other answer than 202, with it.
    pub async fn submit(&self, username: &str, repository: &str) -> anyhow::Result<JobId> {
        let key = JobId::random().to_string();
        self.client.submit(username, repository, Some(&key)).await
    }

    /// The test's own view of the queue, past the proxy. Each has connections of
    /// its own.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn queue(&self) -> anyhow::Result<Queue> {
        let address = Address {
            url: Secret::from(self.redis.url()),
            certificate_authority: None,
            namespace: NAMESPACE.to_owned(),
            response_timeout: PATIENCE,
            clock: Clock::Redis,
        };
        let queue = Queue::new(&address, Terms::default())?;
        queue.load_functions().await?;
        Ok(queue)
    }

    /// A new connection to Redis, past the proxy.
    ///
    /// # Errors
    ///
    /// When it is not accepted.
    pub async fn connection(&self) -> anyhow::Result<MultiplexedConnection> {
        self.redis.connection().await
    }

    /// A job with what happened to it; an error if there is none.
    ///
    /// # Errors
    ///
    /// When there is no such job, or Redis does not answer.
    pub async fn job(&self, id: JobId) -> anyhow::Result<Explanation> {
        let found = self.queue().await?.explain(id).await?;
        found.with_context(|| format!("no job {id}"))
    }

    /// Waits until no job is scheduled or running, and returns the counts then.
    ///
    /// # Errors
    ///
    /// At the deadline, with the last counts.
    pub async fn all_ended(&self, deadline: Duration) -> anyhow::Result<Counts> {
        let queue = self.queue().await?;
        eventually(deadline, "the end of all jobs", async || {
            let counts = queue.counts().await.map_err(|error| error.to_string())?;
            match live(&counts) {
                0 => Ok(counts),
                _ => Err(format!("{counts:?}")),
            }
        })
        .await
    }

    /// Everything in Redis that nothing accounts for: a key that the product does
    /// not list, a lock or a report of no live job, an
    /// evaluation that nobody will grade, a record or a history that no
    /// set leads to, a member without its record, what should have a TTL and has
    /// none. To be called while nothing changes.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn left_over_keys(&self) -> anyhow::Result<Vec<String>> {
        audit::left_overs(&mut self.connection().await?, TAG, Reach::Redis).await
    }
}

/// How many jobs are scheduled or running.
#[must_use]
pub fn live(counts: &Counts) -> u64 {
    counts.running + counts.scheduled.iter().map(|(_, jobs)| jobs).sum::<u64>()
}

/// The counter `name` since the namespace began; 0 if it never counted.
#[must_use]
pub fn total(counts: &Counts, name: &str) -> u64 {
    let mut totals = counts.totals.iter();
    totals
        .find(|(known, _)| known == name)
        .map_or(0, |(_, number)| *number)
}

fn usual_environment(github: String, webhook: String) -> Vec<(String, String)> {
    let given = [("API_URL", github), ("WEBHOOK_URL", webhook)];
    let usual = [
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "info"),
        ("SCHEDULE_INTERVAL", "0"),
        ("RESCHEDULE_INTERVAL", "50"),
        ("RETRY_MAX_ATTEMPTS", "20"),
        ("WORKER_CONCURRENCY", "4"),
        ("LEASE", "1500"),
        ("SHUTDOWN_GRACE", "10000"),
        ("REQUESTS_PER_KEY", "0"),
        // No pace and nothing kept: most tests are about something else, and count
        // requests.
        ("GITHUB_READ_GAP", "0"),
        ("GITHUB_IN_FLIGHT", "0"),
        ("GITHUB_CACHE_MAX_BYTES", "0"),
    ];
    let usual = usual.map(|(name, value)| (name, value.to_owned()));
    let all = given.into_iter().chain(usual);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn start_program(
    name: &str,
    environment: &[(String, String)],
    on_top: &[(&str, &str)],
) -> anyhow::Result<Program> {
    let variables = environment.iter().map(|(name, value)| (&**name, &**value));
    let variables: Vec<(&str, &str)> = variables.chain(on_top.iter().copied()).collect();
    Program::start(name, &variables)
}

/// Where the API listens, as it says itself.
async fn address_of(api: &Program) -> anyhow::Result<String> {
    let line = api.wait_for_log("taking tasks", START_DEADLINE).await?;
    let line: Value = serde_json::from_str(&line)?;
    let address = line["address"].as_str();
    Ok(address.context("the API does not say where")?.to_owned())
}
