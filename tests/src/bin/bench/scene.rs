//! A Redis of the benchmark's own, and the programs before it.

use std::time::Duration;

use anyhow::{Context, ensure};
use hookme_shared::queue::{Address, Clock, Queue, Terms};
use hookme_shared::secret::Secret;
use hookme_tests::process::free_port;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::{Program, RedisServer};
use redis::aio::MultiplexedConnection;

use crate::part::Part;
use crate::raw_loop::IN_FLIGHT;

/// What every key begins with.
pub(crate) const TAG: &str = "{hookme}";
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a program is left alone after it said that it is ready.
const SETTLE: Duration = Duration::from_millis(150);
/// Where nobody listens, for a worker that delivers nothing.
const NOWHERE: &str = "http://127.0.0.1:9/";

/// A Redis and a view of the queue in it.
pub(crate) struct Scene {
    pub(crate) redis: RedisServer,
    pub(crate) connection: MultiplexedConnection,
    pub(crate) queue: Queue,
}

impl Scene {
    /// Starts a Redis with the functions loaded.
    pub(crate) async fn start(persistence: Persistence) -> anyhow::Result<Self> {
        // The right to load a snapshot again, so that each round finds the same.
        let arguments = ["--enable-debug-command", "local"].map(str::to_owned);
        let redis = RedisServer::start(RedisOptions {
            persistence,
            arguments: arguments.into(),
            ..RedisOptions::default()
        })
        .await?;
        let address = Address {
            url: Secret::from(redis.url()),
            certificate_authority: None,
            namespace: "hookme".to_owned(),
            response_timeout: PATIENCE,
            clock: Clock::Redis,
        };
        let queue = Queue::new(&address, Terms::default())?;
        queue.load_functions().await?;
        Ok(Self {
            connection: redis.connection().await?,
            redis,
            queue,
        })
    }

    /// Starts an API; returns it with where it listens.
    pub(crate) async fn api(&self) -> anyhow::Result<(Program, String)> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let program = Program::start(
            "api",
            &[
                ("REDIS_URL", &self.redis.url()),
                ("LISTEN", &listen),
                ("REQUESTS_PER_KEY", "0"),
                ("ALLOW_UNSAFE_REDIS", "true"),
            ],
        )?;
        program.wait_for_log("taking tasks", PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        Ok((program, listen))
    }

    /// Starts a real worker; returns it when it is idle.
    pub(crate) async fn worker(&self, environment: &[(&str, &str)]) -> anyhow::Result<Program> {
        self.idle(Program::start("worker", &self.environment(environment))?)
            .await
    }

    /// Starts a worker with an empty handler; returns it when it is idle.
    pub(crate) async fn empty_worker(
        &self,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Program> {
        self.idle(Part::EmptyWorker.start(&self.environment(environment))?)
            .await
    }

    /// Starts a worker that shares nothing of GitHub's; returns it when it is idle.
    pub(crate) async fn lone_worker(
        &self,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Program> {
        self.idle(Part::LoneWorker.start(&self.environment(environment))?)
            .await
    }

    async fn idle(&self, program: Program) -> anyhow::Result<Program> {
        program.wait_for_log("taking jobs", PATIENCE).await?;
        tokio::time::sleep(SETTLE).await;
        Ok(program)
    }

    fn environment<'a>(&self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        // Both live as long as the benchmark; there are a few dozen of them.
        let url: &'static str = self.redis.url().leak();
        let in_flight: &'static str = IN_FLIGHT.to_string().leak();
        let mut all = vec![
            ("REDIS_URL", url),
            ("WORKER_CONCURRENCY", in_flight),
            ("ALLOW_UNSAFE_REDIS", "true"),
            ("WEBHOOK_URL", NOWHERE),
            // No pace and nothing kept, as for a GitHub without limits.
            ("GITHUB_READ_GAP", "0"),
            ("GITHUB_IN_FLIGHT", "0"),
            ("GITHUB_CACHE_MAX_BYTES", "0"),
            // As for a receiver without limits.
            ("WEBHOOK_IN_FLIGHT", "0"),
        ];
        all.extend(more);
        all
    }

    /// Closes all lanes, so that a worker can start and wait.
    pub(crate) async fn pause(&mut self) -> anyhow::Result<()> {
        let paused = redis::cmd("HSET")
            .arg(format!("{TAG}:settings"))
            .arg("paused")
            .arg("all")
            .to_owned();
        Ok(paused.query_async(&mut self.connection).await?)
    }

    /// Opens the lanes and wakes a worker.
    pub(crate) async fn resume(&mut self) -> anyhow::Result<()> {
        let mut both = redis::pipe();
        both.hdel(format!("{TAG}:settings"), "paused").ignore();
        both.rpush(format!("{TAG}:wake"), "go").ignore();
        Ok(both.query_async(&mut self.connection).await?)
    }

    /// How many jobs have succeeded so far.
    pub(crate) async fn succeeded(&mut self) -> anyhow::Result<usize> {
        let count: Option<usize> = redis::cmd("HGET")
            .arg(format!("{TAG}:stats"))
            .arg("succeeded")
            .query_async(&mut self.connection)
            .await?;
        Ok(count.unwrap_or(0))
    }

    /// Removes everything but the functions.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        Ok(redis::cmd("FLUSHALL")
            .query_async(&mut self.connection)
            .await?)
    }

    /// Writes what is there into a snapshot of this name.
    pub(crate) async fn save(&mut self, name: &str) -> anyhow::Result<()> {
        let () = redis::cmd("SAVE").query_async(&mut self.connection).await?;
        let dump = self.redis.dir().join("dump.rdb");
        std::fs::rename(dump, self.redis.dir().join(name))?;
        Ok(())
    }

    /// Puts back what was there at [`Scene::save`].
    pub(crate) async fn load(&mut self, name: &str) -> anyhow::Result<()> {
        let dump = self.redis.dir().join("dump.rdb");
        std::fs::copy(self.redis.dir().join(name), dump)?;
        let () = redis::cmd("DEBUG")
            .arg("RELOAD")
            .arg("NOSAVE")
            .query_async(&mut self.connection)
            .await
            .context("cannot load the snapshot")?;
        let jobs: usize = redis::cmd("DBSIZE")
            .query_async(&mut self.connection)
            .await?;
        ensure!(jobs > 0, "the snapshot {name} is empty");
        Ok(())
    }
}
