//! The master is where Sentinel says, also after it was another.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use hookme_shared::queue::Queue;
use hookme_tests::by_hand;
use hookme_tests::leash::Leash;
use hookme_tests::process::free_port;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::site::SiteOptions;
use hookme_tests::{RedisServer, Site, eventually};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::PATIENCE;
use super::users::{queue, send};

const SERVICE: &str = "mymaster";
/// How long a wait for a hint is that does not come.
const SOON: Duration = Duration::from_millis(50);

async fn redis(arguments: &[&str]) -> RedisServer {
    let options = RedisOptions {
        persistence: Persistence::AofAlways,
        arguments: arguments.iter().map(ToString::to_string).collect(),
        ..RedisOptions::default()
    };
    RedisServer::start(options).await.unwrap()
}

/// Waits until `INFO replication` of a server says this under that name. Each look has a
/// connection of its own, because Sentinel ends those to whom it promotes.
async fn says(server: &RedisServer, name: &str, value: &str) {
    let what = format!("{name} is {value}");
    eventually(PATIENCE, &what, async || {
        let look = async {
            let mut connection = server.connection().await?;
            let mut command = redis::cmd("INFO");
            let info = command.arg("replication").query_async(&mut connection);
            anyhow::Ok(info.await?)
        };
        let info: String = look.await.map_err(|error| format!("{error:#}"))?;
        let mut lines = info.lines();
        let said = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        match said {
            Some(said) if said.contains(value) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

/// A master, its replica, and a Sentinel that knows both.
struct Watched {
    master: RedisServer,
    replica: RedisServer,
    sentinel: Leash,
    port: u16,
    _directory: TempDir,
}

impl Watched {
    async fn start() -> Self {
        let master = redis(&[]).await;
        let of = format!("127.0.0.1 {}", master.port());
        let replica = redis(&["--replicaof", &of]).await;
        says(&master, "slave0", "state=online").await;
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
        let file = directory.path().join("sentinel.conf");
        let watch = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} {of} 1\nsentinel down-after-milliseconds {SERVICE} 1000\nsentinel failover-timeout {SERVICE} 5000\n",
            directory.path().display()
        );
        std::fs::write(&file, watch).unwrap();
        let mut command = Leash::command(Path::new("redis-server"), directory.path());
        command.arg(&file).arg("--sentinel");
        let log = File::create(directory.path().join("log")).unwrap();
        let sentinel = Leash::start(command, log).unwrap();
        let watched = Self {
            master,
            replica,
            sentinel,
            port,
            _directory: directory,
        };
        eventually(PATIENCE, "a Sentinel that knows the replica", async || {
            let known = watched.ask("SENTINEL REPLICAS mymaster").await?;
            if format!("{known:?}").contains(&watched.replica.port().to_string()) {
                Ok(())
            } else {
                Err(format!("{known:?}"))
            }
        })
        .await
        .unwrap();
        watched
    }

    async fn ask(&self, words: &str) -> Result<redis::Value, String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port));
        let connection = client.unwrap().get_multiplexed_async_connection().await;
        let mut connection = connection.map_err(|error| error.to_string())?;
        let answer = send(&mut connection, words).await;
        answer.map_err(|error| error.to_string())
    }

    /// The URL for programs; the first Sentinel in it is one that is away.
    fn url(&self) -> String {
        let away = free_port().unwrap();
        format!(
            "redis+sentinel://127.0.0.1:{away},127.0.0.1:{}/{SERVICE}",
            self.port
        )
    }
}

/// How many functions a server was asked for since it started.
async fn calls(server: &RedisServer) -> bool {
    let mut connection = server.connection().await.unwrap();
    let statistics: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .unwrap();
    statistics.contains("cmdstat_fcall")
}

#[tokio::test]
async fn a_queue_works_on_after_its_master_dies_and_loses_nothing_that_was_replicated() {
    let Watched {
        master,
        replica,
        sentinel,
        port,
        _directory,
    } = Watched::start().await;
    let url = format!(
        "redis+sentinel://127.0.0.1:{},127.0.0.1:{port}/{SERVICE}",
        free_port().unwrap()
    );
    let options = SiteOptions {
        redis_urls: Some([url.clone(), url]),
        workers: 2,
        ..SiteOptions::default()
    };
    // The harness looks at the one that will be the master.
    let site = Site::start_on(replica, options.with("LEASE", "3000"))
        .await
        .unwrap();
    let mut before = master.connection().await.unwrap();
    send(&mut before, "HSET {hookme}:settings paused all")
        .await
        .unwrap();
    for number in 0..20 {
        site.submit("octocat", &format!("before-{number}"))
            .await
            .unwrap();
    }
    let replicated = send(&mut before, "WAIT 1 20000").await.unwrap();
    assert_eq!(replicated, redis::Value::Int(1));
    master.kill().unwrap();
    says(&site.redis, "role", "master").await;

    let mut after = site.connection().await.unwrap();
    send(&mut after, "HDEL {hookme}:settings paused")
        .await
        .unwrap();
    for number in 0..5 {
        site.submit("octocat", &format!("after-{number}"))
            .await
            .unwrap();
    }
    let counts = site.all_ended(PATIENCE).await.unwrap();
    assert_eq!(counts.succeeded, 25, "{counts:?}");
    assert!(site.receiver.distinct_ids() >= 25);

    // Who was the master is a replica when it comes back, and nobody asks it.
    master.restart().await.unwrap();
    says(&master, "role", "slave").await;
    site.submit("octocat", "later").await.unwrap();
    site.all_ended(PATIENCE).await.unwrap();
    assert!(!calls(&master).await);
    drop(sentinel);
}

async fn submitted(queue: &Queue, repository: &str) {
    eventually(PATIENCE, "a task that is taken", async || {
        let submitted = by_hand::submit(queue, repository, PATIENCE).await;
        submitted.map_err(|error| format!("{error:#}"))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_connection_to_a_master_that_was_demoted_is_left_for_the_new_one() {
    let watched = Watched::start().await;
    let queue = queue(watched.url());
    submitted(&queue, "before").await;
    // Sentinel promotes nobody until it has heard from the replica itself.
    let began = eventually(PATIENCE, "the failover", async || {
        watched.ask("SENTINEL FAILOVER mymaster").await
    });
    began.await.unwrap();
    says(&watched.replica, "role", "master").await;
    // Until it hears of the other, the old one still takes what will be lost.
    says(&watched.master, "role", "slave").await;
    submitted(&queue, "after").await;
    let mut new = watched.replica.connection().await.unwrap();
    let exists = "EXISTS {hookme}:lock:octocat/after";
    assert_eq!(send(&mut new, exists).await.unwrap(), redis::Value::Int(1));
    drop(watched.sentinel);
}

#[tokio::test]
async fn a_replica_by_hand_is_left_after_one_refusal() {
    let (first, second) = (redis(&[]).await, redis(&[]).await);
    let (ports, mut tasks) = ([first.port(), second.port()], JoinSet::new());
    let url = liar(&mut tasks, ports.to_vec()).await;
    let queue = queue(url);
    submitted(&queue, "before").await;
    let mut admin = first.connection().await.unwrap();
    let demote = format!("REPLICAOF 127.0.0.1 {}", second.port());
    send(&mut admin, &demote).await.unwrap();
    let refused = by_hand::submit(&queue, "refused", PATIENCE)
        .await
        .unwrap_err();
    assert!(format!("{refused:#}").contains("READONLY"), "{refused:#}");
    by_hand::submit(&queue, "after", PATIENCE).await.unwrap();
    let mut admin = second.connection().await.unwrap();
    let exists = "EXISTS {hookme}:lock:octocat/after";
    assert_eq!(
        send(&mut admin, exists).await.unwrap(),
        redis::Value::Int(1)
    );
}

#[tokio::test]
async fn a_sentinel_that_names_a_replica_is_not_believed() {
    let master = redis(&[]).await;
    let of = format!("127.0.0.1 {}", master.port());
    let replica = redis(&["--replicaof", &of]).await;
    let mut tasks = JoinSet::new();
    let wrong = liar(&mut tasks, vec![replica.port()]).await;
    let refused = queue(wrong.clone()).load_functions().await.unwrap_err();
    assert!(
        matches!(
            refused,
            hookme_shared::queue::QueueError::Unavailable { .. }
        ),
        "{refused:?}"
    );
    // Another Sentinel that knows better is.
    let right = liar(&mut tasks, vec![master.port()]).await;
    let hosts = |url: &str| url[..url.len() - SERVICE.len() - 1].to_owned();
    let right = hosts(&right).replace("redis+sentinel://", "");
    let both = format!("{},{right}/{SERVICE}", hosts(&wrong));
    submitted(&queue(both), "hello").await;
}

/// How many connections a server has taken since it started.
async fn connections_taken(admin: &mut MultiplexedConnection) -> String {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(admin)
        .await
        .unwrap();
    let mut lines = info.lines();
    let taken = lines.find_map(|line| line.strip_prefix("total_connections_received:"));
    taken.unwrap().to_owned()
}

#[tokio::test]
async fn hints_are_waited_for_at_the_new_master_after_the_old_one_refused_once() {
    let (first, second) = (redis(&[]).await, redis(&[]).await);
    let (ports, mut tasks) = ([first.port(), second.port()], JoinSet::new());
    let queue = queue(liar(&mut tasks, ports.to_vec()).await);
    let hints = queue.hints().await.unwrap();
    let (hints, came) = hints.wait(SOON).await.unwrap();
    assert!(!came);
    let demote = format!("REPLICAOF 127.0.0.1 {}", second.port());
    let mut admin = first.connection().await.unwrap();
    send(&mut admin, &demote).await.unwrap();
    assert!(hints.wait(SOON).await.is_err());
    let mut admin = second.connection().await.unwrap();
    send(&mut admin, "LPUSH {hookme}:wake sooner")
        .await
        .unwrap();
    let hints = queue.hints().await.unwrap();
    assert!(hints.wait(PATIENCE).await.unwrap().1);
}

#[tokio::test]
async fn a_connection_on_which_a_wait_failed_is_never_used_again() {
    let server = redis(&[]).await;
    let mut admin = server.connection().await.unwrap();
    let queue = queue(server.url());
    let hints = queue.hints().await.unwrap();
    // One that is well comes back out of the pool.
    let before = connections_taken(&mut admin).await;
    drop(hints.wait(SOON).await.unwrap());
    let hints = queue.hints().await.unwrap();
    assert_eq!(connections_taken(&mut admin).await, before);
    send(&mut admin, "REPLICAOF 127.0.0.1 1").await.unwrap();
    assert!(hints.wait(SOON).await.is_err());
    let _other = queue.hints().await.unwrap();
    assert_ne!(connections_taken(&mut admin).await, before);
}

/// A Sentinel that names these ports one after the other, the last one for ever,
/// whatever it is asked; its URL.
async fn liar(tasks: &mut JoinSet<()>, ports: Vec<u16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let last = *ports.last().unwrap();
        let mut ports = ports.into_iter().chain(std::iter::repeat(last));
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 1024];
            if stream.read(&mut question).await.unwrap() > 0 {
                let port = ports.next().unwrap().to_string();
                let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                // Until the other end has read it.
                let _ended = stream.read(&mut question).await;
            }
        }
    });
    format!("redis+sentinel://{address}/{SERVICE}")
}
