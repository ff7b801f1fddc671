//! A Hookme inside the test's own process: quick to start, in a namespace of its
//! own of a Redis that it may share.
//!
//! It goes through the same doors as the programs, their settings included, so
//! that a test differs from production in nothing but the process. What must be
//! killed, paused or restarted is for [`crate::Site`].

mod ground;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use hookme_api::settings::{Arguments as ApiArguments, Settings as ApiSettings};
use hookme_shared::job::JobId;
use hookme_shared::queue::{Address, Clock, Explanation, Queue, Terms};
use hookme_shared::supervisor::Supervisor;
use hookme_worker::launcher::Launch;
use hookme_worker::policy::retry::RetryPolicy;
use hookme_worker::settings::Arguments as WorkerArguments;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::ground::{START_DEADLINE, address, connected, generous};
use crate::github::GithubOptions;
use crate::redis_server::{namespace, shared_server};
use crate::site::ApiClient;
use crate::site::audit::{self, Reach};
use crate::{GithubStandIn, Receiver, RedisServer, eventually};

/// How long the test's own view of the queue waits for Redis.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the program's own view of the queue waits.
const PROGRAM_PATIENCE: Duration = Duration::from_millis(250);

/// One namespace, with whoever works on it. Dropping it asks them to end.
pub struct House {
    /// GitHub, with [`RepositorySpec::default`](crate::github::RepositorySpec) in place of any repository.
    pub github: GithubStandIn,
    /// The webhook's other end, which answers 200 until it is told otherwise.
    pub receiver: Receiver,
    /// The test's own view of the queue, under the usual terms.
    pub queue: Queue,
    redis_url: String,
    namespace: String,
    stop: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
    _guard: DropGuard,
}

impl House {
    /// A house without inhabitants, in the Redis that all tests of this process
    /// share.
    ///
    /// # Errors
    ///
    /// When a part does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at(shared_server().await?).await
    }

    /// A house without inhabitants, in this Redis.
    ///
    /// # Errors
    ///
    /// When a part does not start.
    pub async fn start_at(redis: &RedisServer) -> anyhow::Result<Self> {
        Self::with(redis, generous()).await
    }

    /// A house without inhabitants, with another GitHub than the usual one.
    ///
    /// # Errors
    ///
    /// When a part does not start.
    pub async fn with_github(options: GithubOptions) -> anyhow::Result<Self> {
        Self::with(shared_server().await?, options).await
    }

    async fn with(redis: &RedisServer, options: GithubOptions) -> anyhow::Result<Self> {
        let github = GithubStandIn::start(options).await?;
        let (redis_url, namespace) = (redis.url(), namespace());
        let address = address(&redis_url, &namespace, PATIENCE);
        let queue = Queue::new(&address, Terms::default())?;
        connected(&queue).await?;
        let stop = CancellationToken::new();
        Ok(Self {
            github,
            receiver: Receiver::start().await?,
            queue,
            redis_url,
            namespace,
            running: JoinSet::new(),
            _guard: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Starts an API with these flags, as in `--rate-limit-max-simultaneous-jobs=5`.
    /// It waits for Redis as long as it takes: a busy machine is no outage.
    ///
    /// # Errors
    ///
    /// When a flag is wrong or it cannot listen.
    pub async fn api(&mut self, flags: &[&str]) -> anyhow::Result<ApiClient> {
        let mut settings = self.api_settings(flags)?;
        settings.api.patience = PATIENCE;
        self.start_api(settings, PATIENCE).await
    }

    /// The same, but it waits for Redis no longer than the program does.
    ///
    /// # Errors
    ///
    /// When a flag is wrong or it cannot listen.
    pub async fn prompt_api(&mut self, flags: &[&str]) -> anyhow::Result<ApiClient> {
        let settings = self.api_settings(flags)?;
        self.start_api(settings, PROGRAM_PATIENCE).await
    }

    fn api_settings(&self, flags: &[&str]) -> anyhow::Result<ApiSettings> {
        let own = ["--requests-per-key=0".to_owned()];
        let arguments = ApiArguments::try_parse_from(self.command_line("api", flags, &own))?;
        Ok(arguments.check()?)
    }

    async fn start_api(
        &mut self,
        settings: ApiSettings,
        response_timeout: Duration,
    ) -> anyhow::Result<ApiClient> {
        let terms = Terms {
            limits: settings.limits,
            ..Terms::default()
        };
        let address = address(&self.redis_url, &self.namespace, response_timeout);
        let queue = Queue::new(&address, terms)?;
        connected(&queue).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = ApiClient::new(&listener.local_addr()?.to_string())?;
        let stop = self.stop.child_token();
        self.running.spawn(async move {
            let supervisor = Supervisor::new(stop);
            hookme_api::run(listener, None, queue, settings.api, supervisor).await?;
            Ok(())
        });
        Ok(client)
    }

    /// Starts a worker with these flags, as in `--retry-max-attempts=3`, and waits
    /// until it is there. The token ends it.
    ///
    /// # Errors
    ///
    /// When a flag is wrong or it does not start.
    pub async fn worker(&mut self, flags: &[&str]) -> anyhow::Result<CancellationToken> {
        let stop = self.stop.child_token();
        self.worker_under(flags, None, Supervisor::new(stop.clone()))
            .await?;
        Ok(stop)
    }

    /// The same, under this supervisor, which serves its operators there.
    ///
    /// # Errors
    ///
    /// When a flag is wrong or it does not start.
    pub async fn worker_under(
        &mut self,
        flags: &[&str],
        operator: Option<TcpListener>,
        supervisor: Supervisor,
    ) -> anyhow::Result<()> {
        let own = [
            format!("--api-url={}", self.github.url()),
            format!("--webhook-url={}", self.receiver.url()),
            // No pace and nothing kept, unless the test says so.
            "--github-read-gap=0".to_owned(),
            "--github-in-flight=0".to_owned(),
            "--github-cache-max-bytes=0".to_owned(),
        ];
        let settings = WorkerArguments::try_parse_from(self.command_line("worker", flags, &own))?;
        let settings = settings.check()?;
        let before = self.queue.counts().await?.workers;
        self.running.spawn(async move {
            hookme_worker::run(operator, &settings, supervisor).await?;
            Ok(())
        });
        self.present(before + 1).await
    }

    /// How the first of those who were started ends.
    ///
    /// # Errors
    ///
    /// With that end, or when nobody runs.
    pub async fn first_end(&mut self) -> anyhow::Result<()> {
        let ended = self.running.join_next().await;
        ended.context("nobody runs")??
    }

    /// The queue under other terms, or by a clock that stands until
    /// [`House::set_clock`] moves it.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn queue_under(&self, terms: Terms, clock: Clock) -> anyhow::Result<Queue> {
        let address = address(&self.redis_url, &self.namespace, PATIENCE);
        let queue = Queue::new(&Address { clock, ..address }, terms)?;
        connected(&queue).await?;
        Ok(queue)
    }

    /// Sets the clock of [`Clock::Virtual`], in ms.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn set_clock(&self, now_ms: u64) -> anyhow::Result<()> {
        let mut redis = self.redis().await?;
        let () = redis.set(self.key("clock"), now_ms).await?;
        Ok(())
    }

    /// A worker that does with a job what a handler of the test's says, under
    /// these terms and by this clock: to be completed, and then run by
    /// [`House::launch`].
    ///
    /// # Errors
    ///
    /// When the queue's address is no address.
    pub fn launch_of(&self, worker: &str, terms: Terms, clock: Clock) -> anyhow::Result<Launch> {
        let address = Address {
            clock,
            ..address(&self.redis_url, &self.namespace, PATIENCE)
        };
        Ok(Launch {
            queue: Queue::new(&address, terms)?,
            address,
            worker: worker.to_owned(),
            concurrency: 1,
            shutdown_grace: Duration::ZERO,
            retry: RetryPolicy::new(Duration::ZERO, 0),
            allow_unsafe: true,
            metrics: Arc::default(),
            operator: None,
        })
    }

    /// Runs such a worker, and waits until it is there.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn launch<H: hookme_worker::handle::Handle>(
        &mut self,
        launch: Launch,
        handler: H,
    ) -> anyhow::Result<()> {
        let stop = self.stop.child_token();
        let before = self.queue.counts().await?.workers;
        self.running.spawn(async move {
            launch.run(handler, Supervisor::new(stop)).await?;
            Ok(())
        });
        self.present(before + 1).await
    }

    /// Waits until so many workers are there.
    async fn present(&mut self, workers: u64) -> anyhow::Result<()> {
        let (queue, running) = (&self.queue, &mut self.running);
        let present = eventually(START_DEADLINE, "the worker's presence", async || {
            if let Some(ended) = running.try_join_next() {
                return Ok(Err(format!("it has ended: {ended:?}")));
            }
            let counts = queue.counts().await.map_err(|error| error.to_string())?;
            if counts.workers >= workers {
                Ok(Ok(()))
            } else {
                Err(format!("{} of {workers}", counts.workers))
            }
        });
        match present.await? {
            Ok(()) => Ok(()),
            Err(ended) => bail!(ended),
        }
    }

    /// A connection to the house's Redis.
    ///
    /// # Errors
    ///
    /// When it is not accepted.
    pub async fn redis(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(&*self.redis_url)?;
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        Ok(client
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }

    /// A key of this house, as in `settings`.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.namespace)
    }

    /// Everything of this house in Redis that nothing accounts for, as
    /// [`crate::Site::left_over_keys`] finds it. To be called while nothing changes.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn left_over_keys(&self) -> anyhow::Result<Vec<String>> {
        let tag = format!("{{{}}}", self.namespace);
        audit::left_overs(&mut self.redis().await?, &tag, Reach::Namespace).await
    }

    /// A job with what happened to it; an error if there is none.
    ///
    /// # Errors
    ///
    /// When there is no such job, or Redis does not answer.
    pub async fn job(&self, id: JobId) -> anyhow::Result<Explanation> {
        let found = self.queue.explain(id).await?;
        found.with_context(|| format!("no job {id}"))
    }

    /// Waits until `is_so` says yes of the job.
    ///
    /// # Errors
    ///
    /// At the deadline, with how the job was.
    pub async fn job_when(
        &self,
        id: JobId,
        deadline: Duration,
        is_so: impl Fn(&Explanation) -> bool,
    ) -> anyhow::Result<Explanation> {
        eventually(deadline, &format!("job {id}"), async || {
            match self.job(id).await {
                Ok(job) if is_so(&job) => Ok(job),
                Ok(job) => Err(format!("{job:?}")),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// Waits until the job has ended.
    ///
    /// # Errors
    ///
    /// At the deadline, with how the job was.
    pub async fn ended(&self, id: JobId, deadline: Duration) -> anyhow::Result<Explanation> {
        self.job_when(id, deadline, |seen| !seen.job.state.is_live())
            .await
    }

    fn command_line(&self, program: &str, flags: &[&str], own: &[String]) -> Vec<String> {
        let usual = [
            format!("--redis-url={}", self.redis_url),
            format!("--redis-namespace={}", self.namespace),
            "--allow-unsafe-redis=true".to_owned(),
        ];
        let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
        let given: Vec<String> = flags.iter().map(|flag| name(flag)).collect();
        let usual = usual.iter().chain(own);
        let usual = usual.filter(|flag| !given.contains(&name(flag))).cloned();
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        let program = std::iter::once(program.to_owned());
        program.chain(usual).chain(flags).collect()
    }
}
