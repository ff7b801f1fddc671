//! A private Redis: a real `redis-server` on a port and in a directory of its own.
//!
//! It can be killed, paused and restarted on the same data. It says nothing about
//! power cuts: what the kernel holds survives any kill of the process, so a test
//! with [`RedisServer::kill`] proves nothing about fsync.
//!
//! Tests that only need *a* Redis share [`shared_server`] and take a
//! [`namespace`] each; a test that kills or pauses Redis starts its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::eventually;
use crate::leash::Leash;
use crate::lock::lock;
use crate::process::free_port;

/// How long a server may take from its start to its first answer.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection of the harness waits, for itself and for each answer.
/// Longer than any pause that a test makes; a busy machine must not fail a test.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(30);
/// How long one look at a starting server waits.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// How many ports are tried before giving up.
const PORT_ATTEMPTS: usize = 10;

/// What a write is worth when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persistence {
    /// Memory only.
    #[default]
    None,
    /// An append-only file, synced before each answer.
    AofAlways,
    /// An append-only file, synced each second.
    AofEverysec,
}

impl Persistence {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::None => &["--appendonly", "no"],
            Self::AofAlways => &["--appendonly", "yes", "--appendfsync", "always"],
            Self::AofEverysec => &["--appendonly", "yes", "--appendfsync", "everysec"],
        }
    }
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// What a write is worth when the process dies.
    pub persistence: Persistence,
    /// More arguments for `redis-server`, after and stronger than our own; for
    /// example `["--enable-debug-command", "local"]`.
    pub arguments: Vec<String>,
    /// Who the harness is, `<user>:<password>`, where the default user may not enter.
    pub login: Option<String>,
}

/// A running Redis. Dropping it kills the process and removes its directory.
#[derive(Debug)]
pub struct RedisServer {
    // Dropped before the directory: first the process, then its files.
    leash: Mutex<Option<Leash>>,
    directory: TempDir,
    program: PathBuf,
    options: RedisOptions,
    port: u16,
}

/// What became of a start.
enum Start {
    Ready,
    Ended,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// When there is no `redis-server`, or it ends or stays silent; with its log.
    pub async fn start(options: RedisOptions) -> anyhow::Result<Self> {
        let program = find_on_path("redis-server").context(
            "redis-server is not on PATH: install Debian's package redis-server; `make setup` does it",
        )?;
        let directory = tempfile::Builder::new().prefix("hookme-redis-").tempdir()?;
        let leash = Mutex::new(None);
        let mut server = Self {
            leash,
            directory,
            program,
            options,
            port: 0,
        };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port()?;
            if let Start::Ready = server.launch().await? {
                return Ok(server);
            }
            let log = server.log();
            ensure!(
                log.contains("Address already in use"),
                "redis-server has ended:\n{log}"
            );
        }
        bail!("{PORT_ATTEMPTS} ports were taken by somebody else")
    }

    /// Where it answers the harness, for `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.options.login {
            Some(login) => self.url_of(login),
            None => format!("redis://127.0.0.1:{}/", self.port),
        }
    }

    /// Where it answers somebody else, `<user>:<password>`.
    #[must_use]
    pub fn url_of(&self, login: &str) -> String {
        format!("redis://{login}@127.0.0.1:{}/", self.port)
    }

    /// Its port on 127.0.0.1; a restart keeps it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its working directory, with the append-only files and `redis.log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Its process id.
    ///
    /// # Errors
    ///
    /// When it was killed and not restarted.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.with_leash(|leash| Ok(leash.pid()))
    }

    /// What it has logged since its last start; empty when that cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// A new connection, with a patience that no pause of a test exhausts.
    ///
    /// # Errors
    ///
    /// When the server does not accept it.
    pub async fn connection(&self) -> anyhow::Result<MultiplexedConnection> {
        self.connect(CONNECTION_PATIENCE)
            .await
            .context("no connection to the private Redis")
    }

    /// Kills the process (SIGKILL) and reaps it. The data stays.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn kill(&self) -> anyhow::Result<()> {
        if let Some(leash) = lock(&self.leash).take() {
            leash.kill()?;
        }
        Ok(())
    }

    /// Kills the process if it runs, starts it on the same data and port, and
    /// waits until it has loaded the data and answers.
    ///
    /// # Errors
    ///
    /// When it ends or stays silent; with its log.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.kill()?;
        match self.launch().await? {
            Start::Ready => Ok(()),
            Start::Ended => bail!("redis-server has ended:\n{}", self.log()),
        }
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and
    /// nothing is answered.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.with_leash(|leash| Ok(leash.signal(Signal::STOP)?))
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.with_leash(|leash| Ok(leash.signal(Signal::CONT)?))
    }

    fn with_leash<T>(&self, act: impl FnOnce(&Leash) -> anyhow::Result<T>) -> anyhow::Result<T> {
        lock(&self.leash)
            .as_ref()
            .context("redis-server does not run")
            .and_then(act)
    }

    fn log_path(&self) -> PathBuf {
        self.dir().join("redis.log")
    }

    async fn connect(&self, patience: Duration) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        let client = redis::Client::open(self.url())?;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Starts the process and waits for its first answer or its end.
    async fn launch(&self) -> anyhow::Result<Start> {
        let mut command = Leash::command(&self.program, self.dir());
        command
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--maxmemory-policy",
                "noeviction",
                "--daemonize",
                "no",
                "--dir",
            ])
            .arg(self.dir())
            .args(self.options.persistence.arguments())
            .args(&self.options.arguments);
        let leash = Leash::start(command, File::create(self.log_path())?)?;
        let started = eventually(START_DEADLINE, "an answer of redis-server", async || {
            if let Some(_status) = leash.status().map_err(|error| error.to_string())? {
                return Ok(Start::Ended);
            }
            self.probe(leash.pid()).await.map(|()| Start::Ready)
        });
        let start = started.await.with_context(|| self.log())?;
        *lock(&self.leash) = Some(leash);
        Ok(start)
    }

    /// Whether the server answers past its loading, and is ours: on a clash of
    /// ports a stranger would answer as well.
    async fn probe(&self, pid: u32) -> Result<(), String> {
        let look = async {
            let mut connection = self.connect(PROBE_PATIENCE).await?;
            let _: String = connection.ping().await?;
            redis::cmd("INFO")
                .arg("server")
                .query_async::<String>(&mut connection)
                .await
        };
        let information = look.await.map_err(|error| error.to_string())?;
        let own = format!("process_id:{pid}\r\n");
        if information.contains(&own) {
            Ok(())
        } else {
            Err("another Redis answers".to_owned())
        }
    }
}

/// The Redis that all tests of this process share: memory only, ends with the
/// process. Never kill, pause, flush or reconfigure it; keep to a [`namespace`].
///
/// # Errors
///
/// As [`RedisServer::start`]; the next caller tries again.
pub async fn shared_server() -> anyhow::Result<&'static RedisServer> {
    static SHARED: OnceCell<RedisServer> = OnceCell::const_new();
    SHARED
        .get_or_try_init(|| RedisServer::start(RedisOptions::default()))
        .await
}

/// A short name that no other test uses: `t-` and eight hexadecimal digits.
#[must_use]
pub fn namespace() -> String {
    format!("t-{:08x}", rand::random::<u32>())
}

/// The first file of this name in a directory of PATH.
fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
