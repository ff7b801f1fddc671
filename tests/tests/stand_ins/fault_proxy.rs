//! The wire that breaks on command.

use std::time::Duration;

use hookme_tests::fault_proxy::Mode;
use hookme_tests::redis_server::{namespace, shared_server};
use hookme_tests::{FaultProxy, eventually};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::PATIENCE;

/// A connection through a proxy, one that bypasses it, and a key.
async fn wires() -> (
    FaultProxy,
    MultiplexedConnection,
    MultiplexedConnection,
    String,
) {
    let server = shared_server().await.unwrap();
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let through = connect(&proxy).await.unwrap();
    (
        proxy,
        through,
        server.connection().await.unwrap(),
        namespace(),
    )
}

async fn connect(proxy: &FaultProxy) -> redis::RedisResult<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let client = redis::Client::open(proxy.url())?;
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

fn named(name: &'static str) -> impl FnMut(&[Vec<u8>]) -> bool + Send + 'static {
    move |words| words[0].eq_ignore_ascii_case(name.as_bytes())
}

#[tokio::test]
async fn a_dropped_reply_is_lost_although_the_command_has_run() {
    let (proxy, mut through, mut direct, key) = wires().await;
    proxy.drop_reply(1, named("INCRBY"));
    let error = through.incr::<_, _, i64>(&key, 1).await.unwrap_err();
    assert!(error.is_connection_dropped(), "{error:?}");
    assert_eq!(direct.get::<_, i64>(&key).await.unwrap(), 1);
    assert_eq!(proxy.dropped(), 1);
    let mut again = connect(&proxy).await.unwrap();
    assert_eq!(again.incr::<_, _, i64>(&key, 1).await.unwrap(), 2);
    assert_eq!(proxy.commands_named("incrby"), 2);
}

#[tokio::test]
async fn a_dropped_request_never_reaches_redis() {
    let (proxy, mut through, mut direct, key) = wires().await;
    proxy.drop_request(1, named("INCRBY"));
    assert!(through.incr::<_, _, i64>(&key, 1).await.is_err());
    assert_eq!(direct.get::<_, Option<i64>>(&key).await.unwrap(), None);
    assert_eq!(proxy.dropped(), 1);
}

#[tokio::test]
async fn only_the_chosen_reply_of_a_pipeline_is_dropped_and_earlier_ones_arrive() {
    let (proxy, through, mut direct, key) = wires().await;
    let mut seen = 0;
    proxy.drop_reply(1, move |words| {
        seen += usize::from(words[0] == b"INCRBY");
        seen == 3
    });
    let asked = (0..5).map(|_| {
        let (mut through, key) = (through.clone(), key.clone());
        async move { through.incr::<_, _, i64>(key, 1).await.ok() }
    });
    let mut tasks = tokio::task::JoinSet::new();
    asked.for_each(|one| drop(tasks.spawn(one)));
    let mut answers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    answers.sort_unstable();
    assert_eq!(answers, [1, 2]);
    assert!(direct.get::<_, i64>(&key).await.unwrap() >= 3);
}

#[tokio::test]
async fn large_values_and_resp3_pass_unchanged() {
    let (proxy, _, _, key) = wires().await;
    let client = redis::Client::open(format!("{}?protocol=resp3", proxy.url())).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let connected = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    let mut through = connected.unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let () = through.set(&key, &large).await.unwrap();
    assert!(through.get::<_, Vec<u8>>(&key).await.unwrap() == large);
    let () = through
        .hset(format!("{key}-hash"), "field", "value")
        .await
        .unwrap();
    let hash: Vec<(String, String)> = through.hgetall(format!("{key}-hash")).await.unwrap();
    assert_eq!(hash, [("field".to_owned(), "value".to_owned())]);
    assert_eq!(proxy.commands(), proxy.replies());
}

#[tokio::test]
async fn refused_connections_work_again_when_everything_passes() {
    let (proxy, mut through, _, key) = wires().await;
    proxy.set_mode(Mode::Refuse);
    assert!(through.incr::<_, _, i64>(&key, 1).await.is_err());
    let refused = eventually(
        PATIENCE,
        "a refusal by the kernel",
        async || match connect(&proxy).await {
            Err(error) if error.is_connection_refusal() => Ok(()),
            seen => Err(format!("{:?}", seen.err())),
        },
    );
    refused.await.unwrap();
    proxy.set_mode(Mode::Pass);
    let works = eventually(PATIENCE, "a connection", async || {
        connect(&proxy)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    });
    works.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_met_the_black_hole_stays_dead_and_new_ones_work() {
    let (proxy, mut through, _, key) = wires().await;
    proxy.set_mode(Mode::Blackhole);
    let short = Duration::from_millis(50);
    let met = tokio::time::timeout(short, through.incr::<_, _, i64>(&key, 1)).await;
    assert!(met.is_err(), "{met:?}");
    proxy.set_mode(Mode::Pass);
    let later = tokio::time::timeout(short, through.incr::<_, _, i64>(&key, 1)).await;
    assert!(later.is_err(), "{later:?}");
    let mut fresh = connect(&proxy).await.unwrap();
    assert_eq!(fresh.incr::<_, _, i64>(&key, 1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_delay_holds_each_direction() {
    let (proxy, mut through, _, key) = wires().await;
    proxy.set_mode(Mode::Delay(Duration::from_millis(60)));
    let start = std::time::Instant::now();
    let () = through.set(&key, 1).await.unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(120),
        "{:?}",
        start.elapsed()
    );
}
