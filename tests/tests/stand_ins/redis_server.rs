//! The private Redis.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hookme_tests::redis_server::{Persistence, RedisOptions, namespace, shared_server};
use hookme_tests::{RedisServer, eventually};
use redis::AsyncCommands;

use crate::PATIENCE;

#[tokio::test]
async fn data_outlives_a_kill_and_a_restart_on_the_same_port() {
    let persistence = Persistence::AofAlways;
    let options = RedisOptions {
        persistence,
        ..RedisOptions::default()
    };
    let server = RedisServer::start(options).await.unwrap();
    let first_pid = server.pid().unwrap();
    let mut connection = server.connection().await.unwrap();
    let () = connection.set("key", "value").await.unwrap();
    server.kill().unwrap();
    assert!(server.connection().await.is_err());
    server.restart().await.unwrap();
    let mut connection = server.connection().await.unwrap();
    assert_eq!(connection.get::<_, String>("key").await.unwrap(), "value");
    assert_ne!(server.pid().unwrap(), first_pid);
}

#[tokio::test]
async fn a_paused_server_answers_only_after_it_is_resumed() {
    let server = RedisServer::start(RedisOptions::default()).await.unwrap();
    let mut connection = server.connection().await.unwrap();
    server.pause().unwrap();
    let mut asked = Box::pin(connection.ping::<String>());
    let early = tokio::time::timeout(Duration::from_millis(50), &mut asked).await;
    assert!(early.is_err(), "{early:?}");
    server.resume().unwrap();
    assert_eq!(asked.await.unwrap(), "PONG");
}

#[tokio::test]
async fn options_reach_the_server_and_dropping_it_removes_everything() {
    let arguments = ["--enable-debug-command", "local"]
        .map(str::to_owned)
        .to_vec();
    let options = RedisOptions {
        arguments,
        ..RedisOptions::default()
    };
    let server = RedisServer::start(options).await.unwrap();
    let mut connection = server.connection().await.unwrap();
    let debug = redis::cmd("DEBUG")
        .arg("SET-ACTIVE-EXPIRE")
        .arg(1)
        .to_owned();
    assert_eq!(
        debug.query_async::<String>(&mut connection).await.unwrap(),
        "OK"
    );
    let policy: Vec<String> = redis::cmd("CONFIG")
        .arg(&["GET", "maxmemory-policy"])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(policy, ["maxmemory-policy", "noeviction"]);
    let (pid, directory) = (server.pid().unwrap(), server.dir().to_owned());
    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!directory.exists());
}

#[tokio::test]
async fn the_shared_server_is_one_and_namespaces_differ() {
    let (one, other) = tokio::join!(shared_server(), shared_server());
    assert_eq!(one.unwrap().pid().unwrap(), other.unwrap().pid().unwrap());
    assert_ne!(namespace(), namespace());
}

const HELPER: &str = "redis_server::helper_that_is_killed";
const HELPER_VARIABLE: &str = "HOOKME_TEST_HELPER";

/// Not a test by itself: the next one runs it in a process of its own.
#[tokio::test]
async fn helper_that_is_killed() {
    if std::env::var_os(HELPER_VARIABLE).is_none() {
        return;
    }
    let server = shared_server().await.unwrap();
    println!(
        "\nserver {} {}",
        server.pid().unwrap(),
        server.dir().display()
    );
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_server_dies_with_a_test_that_is_killed() {
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", HELPER, "--nocapture"])
        .env(HELPER_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines
        .filter(|line| line.starts_with("server "))
        .take(1)
        .last()
        .unwrap();
    let mut words = line.split(' ').skip(1);
    let process = format!("/proc/{}/cmdline", words.next().unwrap());
    let directory = words.next().unwrap();
    // Read, because a dead process that nobody has reaped yet still has a number.
    let runs = || std::fs::read(&process).is_ok_and(|line| !line.is_empty());
    assert!(runs() && Path::new(directory).exists());
    helper.kill().unwrap();
    helper.wait().unwrap();
    let gone = eventually(PATIENCE, "the server and its files gone", async || {
        match (runs(), Path::new(directory).exists()) {
            (false, false) => Ok(()),
            left => Err(format!("runs, has files: {left:?}")),
        }
    });
    gone.await.unwrap();
}
