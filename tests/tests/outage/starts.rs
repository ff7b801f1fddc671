//! Programs that are asked to end while they wait for Redis at their start.

use std::time::Duration;

use hookme_tests::fault_proxy::Mode;
use hookme_tests::process::free_port;
use hookme_tests::{FaultProxy, Program};

use super::PATIENCE;

/// How soon a program that was asked to end has ended, on a busy machine too. It would
/// wait a minute for Redis.
const SOON: Duration = Duration::from_secs(10);

async fn ends_at_once(name: &str, redis_url: &str) {
    let environment = [
        ("REDIS_URL", redis_url),
        ("WEBHOOK_URL", "none"),
        ("LISTEN", "127.0.0.1:0"),
    ];
    let program = Program::start(name, &environment).unwrap();
    let waits = program.wait_for_log("waiting for redis", PATIENCE);
    waits.await.unwrap();
    let (_, place) = redis_url.split_once("://").unwrap();
    assert!(program.log().contains(place), "{}", program.log());
    program.terminate().unwrap();
    let status = program.wait(SOON).await.unwrap();
    assert_eq!(status.code(), Some(0), "{name}: {}", program.log());
}

#[tokio::test]
async fn programs_that_wait_for_a_redis_that_is_not_there_end_when_asked_to() {
    let url = format!("redis://127.0.0.1:{}/", free_port().unwrap());
    tokio::join!(ends_at_once("api", &url), ends_at_once("worker", &url));
}

#[tokio::test]
async fn programs_that_wait_for_a_redis_that_hangs_end_when_asked_to() {
    let proxy = FaultProxy::start(free_port().unwrap()).await.unwrap();
    proxy.set_mode(Mode::Blackhole);
    let url = proxy.url();
    tokio::join!(ends_at_once("api", &url), ends_at_once("worker", &url));
}
