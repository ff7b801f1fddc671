//! The users of `deploy/redis/users.acl`: a Redis with them, and what each may not do.

use std::path::{Path, PathBuf};
use std::process::Command;

use hookme_shared::queue::{Address, Clock, Queue, Terms};
use hookme_shared::secret::Secret;
use hookme_tests::RedisServer;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tempfile::TempDir;

use super::PATIENCE;

/// Everybody's password.
pub(super) const PASSWORD: &str = "canary-of-redis";
const ADMIN: &str = "admin";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/redis")
}

/// The lines of the file, a user each.
pub(super) fn lines() -> Vec<String> {
    let file = std::fs::read_to_string(deploy().join("users.acl")).unwrap();
    file.lines().map(str::to_owned).collect()
}

/// The line of one user of the file.
pub(super) fn line_of(user: &str) -> String {
    let start = format!("user {user} ");
    lines()
        .into_iter()
        .find(|line| line.starts_with(&start))
        .unwrap()
}

/// The queue in the Redis at `url`; nothing is sent yet.
pub(super) fn queue(url: String) -> Queue {
    let address = Address {
        url: Secret::from(url),
        certificate_authority: None,
        namespace: "hookme".to_owned(),
        response_timeout: PATIENCE,
        clock: Clock::Redis,
    };
    Queue::new(&address, Terms::default()).unwrap()
}

/// A Redis into which nobody comes but the users of the file and an administrator.
pub(super) struct Guarded {
    pub(super) redis: RedisServer,
    _directory: TempDir,
}

impl Guarded {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users.acl");
        let password = format!(">{PASSWORD}");
        let with_password = |line: String| {
            let words = line.split(' ');
            let words = words.map(|word| {
                if word.starts_with('#') {
                    &password
                } else {
                    word
                }
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let mut all: Vec<String> = lines().into_iter().map(with_password).collect();
        all.push(format!("user {ADMIN} on {password} ~* &* +@all"));
        std::fs::write(&file, all.join("\n")).unwrap();
        let redis = RedisServer::start(RedisOptions {
            persistence: Persistence::AofAlways,
            // DEBUG is allowed, so that it is the user who may not.
            arguments: [
                "--enable-debug-command",
                "yes",
                "--aclfile",
                &file.display().to_string(),
            ]
            .map(str::to_owned)
            .into(),
            login: Some(format!("{ADMIN}:{PASSWORD}")),
        });
        Self {
            redis: redis.await.unwrap(),
            _directory: directory,
        }
    }

    pub(super) fn url_of(&self, user: &str) -> String {
        self.redis.url_of(&format!("{user}:{PASSWORD}"))
    }

    pub(super) async fn connection_of(&self, user: &str) -> MultiplexedConnection {
        let client = redis::Client::open(self.url_of(user)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

/// What Redis says to a command, given as its words.
pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    words: &str,
) -> Result<Value, RedisError> {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await
}

fn is_denied(answer: &Result<Value, RedisError>) -> bool {
    matches!(answer, Err(error) if error.code() == Some("NOPERM"))
}

const FORBIDDEN_TO_ALL: [&str; 36] = [
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "CONFIG GET requirepass",
    "CONFIG SET appendonly no",
    "CONFIG REWRITE",
    "EVAL return(1) 0",
    "EVALSHA aa 0",
    "SCRIPT LOAD return(1)",
    "FUNCTION FLUSH",
    "FUNCTION RESTORE x",
    "FUNCTION KILL",
    "DEBUG SLEEP 0",
    "ACL LIST",
    "ACL SETUSER other on",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "FAILOVER",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "MONITOR",
    "MIGRATE 127.0.0.1 1 {hookme}:stats 0 1",
    "RESTORE {hookme}:stats 0 x",
    "CLIENT KILL TYPE normal",
    "CLIENT LIST",
    "MODULE LIST",
    "SUBSCRIBE x",
    "PUBLISH x y",
    "SELECT 1",
    "SWAPDB 0 1",
    "GET other",
    "SET other x",
    "HGETALL {other}:job:x",
];

#[tokio::test]
async fn no_user_may_do_what_is_not_its_work() {
    let guarded = Guarded::start().await;
    for user in [
        "hookme_api",
        "hookme_worker",
        "hookme_metrics",
        "hookme_deploy",
    ] {
        let mut connection = guarded.connection_of(user).await;
        for command in FORBIDDEN_TO_ALL {
            let answer = send(&mut connection, command).await;
            assert!(is_denied(&answer), "{user}: {command}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn only_the_user_who_deploys_may_load_and_delete_functions_and_it_sees_no_key() {
    let guarded = Guarded::start().await;
    for user in ["hookme_api", "hookme_worker", "hookme_metrics"] {
        let mut connection = guarded.connection_of(user).await;
        for command in ["FUNCTION LOAD x", "FUNCTION DELETE x", "FUNCTION LIST"] {
            let answer = send(&mut connection, command).await;
            assert!(is_denied(&answer), "{user}: {command}: {answer:?}");
        }
    }
    let mut deploy = guarded.connection_of("hookme_deploy").await;
    assert!(send(&mut deploy, "FUNCTION LIST").await.is_ok());
    for command in [
        "GET {hookme}:stats",
        "FCALL f 1 {hookme}",
        "FCALL_RO f 0",
        "PING",
    ] {
        let answer = send(&mut deploy, command).await;
        assert!(is_denied(&answer), "{command}: {answer:?}");
    }
}

#[tokio::test]
async fn who_looks_at_metrics_may_read_every_key_of_the_namespace_and_write_none() {
    let guarded = Guarded::start().await;
    let mut metrics = guarded.connection_of("hookme_metrics").await;
    for command in [
        "HGETALL {hookme}:job:1",
        "GET {hookme}:lock:a/b",
        "ZRANGE {hookme}:dead 0 9 REV WITHSCORES",
        "LRANGE {hookme}:history:1 0 -1",
        "TTL {hookme}:starts",
        "INFO everything",
    ] {
        let answer = send(&mut metrics, command).await;
        assert!(answer.is_ok(), "{command}: {answer:?}");
    }
    for command in [
        "SET {hookme}:lock:a/b x",
        "DEL {hookme}:dead",
        "HSET {hookme}:settings paused all",
        "HDEL {hookme}:settings paused",
        "HINCRBY {hookme}:stats accepted 1",
        "ZADD {hookme}:running 1 x",
        "ZREM {hookme}:running x",
        "RPUSH {hookme}:wake x",
        "LTRIM {hookme}:wake 0 0",
        "BLPOP {hookme}:wake 1",
        "PEXPIRE {hookme}:stats 1",
        "PERSIST {hookme}:starts",
        "RENAME {hookme}:stats {hookme}:x",
        "GETDEL {hookme}:lock:a/b",
        "FCALL hookme_counts 1 {hookme}",
    ] {
        let answer = send(&mut metrics, command).await;
        assert!(is_denied(&answer), "{command}: {answer:?}");
    }
}

#[tokio::test]
async fn nobody_enters_without_a_password_and_the_default_user_not_at_all() {
    let guarded = Guarded::start().await;
    for url in [
        format!("redis://127.0.0.1:{}", guarded.redis.port()),
        guarded.redis.url_of("default:x"),
        guarded.redis.url_of("hookme_api:x"),
    ] {
        let client = redis::Client::open(url).unwrap();
        let refused = match client.get_multiplexed_async_connection().await {
            Ok(mut connection) => send(&mut connection, "PING").await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn redis_refuses_the_file_until_a_password_is_set_for_each_user() {
    let arguments = vec![
        "--aclfile".to_owned(),
        deploy().join("users.acl").display().to_string(),
    ];
    let refused = RedisServer::start(RedisOptions {
        arguments,
        ..RedisOptions::default()
    });
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("ACL errors"), "{refused}");
}

#[tokio::test]
async fn the_commands_that_set_the_passwords_make_a_file_that_redis_takes() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["users.acl", "README.md"] {
        std::fs::copy(deploy().join(file), directory.path().join(file)).unwrap();
    }
    let readme = std::fs::read_to_string(directory.path().join("README.md")).unwrap();
    let (_, script) = readme.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let said = Command::new("sh")
        .args(["-euc", script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let metrics = said.lines().find_map(|line| line.strip_prefix("METRICS "));
    let file = directory.path().join("users.acl.set");
    let redis = RedisServer::start(RedisOptions {
        arguments: vec!["--aclfile".to_owned(), file.display().to_string()],
        login: Some(format!("hookme_metrics:{}", metrics.unwrap())),
        ..RedisOptions::default()
    });
    redis.await.unwrap();
}
