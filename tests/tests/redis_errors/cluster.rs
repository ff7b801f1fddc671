//! A node of a Redis Cluster: programs refuse it, and a slot that moves runs nothing.

use std::time::Duration;

use hookme_shared::queue::{Address, Clock, Queue, QueueError, Terms};
use hookme_shared::secret::Secret;
use hookme_tests::redis_server::{Persistence, RedisOptions};
use hookme_tests::{Program, RedisServer, by_hand, eventually};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

use super::PATIENCE;

async fn node() -> RedisServer {
    let arguments = ["--cluster-enabled", "yes"].map(str::to_owned);
    let options = RedisOptions {
        persistence: Persistence::AofAlways,
        arguments: arguments.to_vec(),
        login: None,
    };
    RedisServer::start(options).await.unwrap()
}

async fn send(redis: &mut MultiplexedConnection, command: &str) -> Result<Value, RedisError> {
    let mut words = command.split(' ');
    let mut sent = redis::cmd(words.next().unwrap());
    words.for_each(|word| _ = sent.arg(word));
    sent.query_async(redis).await
}

async fn id_of(redis: &mut MultiplexedConnection) -> String {
    redis::cmd("CLUSTER")
        .arg("MYID")
        .query_async(redis)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_program_that_is_pointed_at_a_cluster_refuses_it_whatever_it_is_told() {
    let node = node().await;
    let mut redis = node.connection().await.unwrap();
    send(&mut redis, "CLUSTER ADDSLOTSRANGE 0 16383")
        .await
        .unwrap();
    for name in ["api", "worker"] {
        let environment = [
            ("REDIS_URL", &*node.url()),
            ("LISTEN", "127.0.0.1:0"),
            ("WEBHOOK_URL", "none"),
            ("ALLOW_UNSAFE_REDIS", "true"),
        ];
        let program = Program::start(name, &environment).unwrap();
        let ended = program.wait(PATIENCE).await.unwrap();
        assert_eq!(ended.code(), Some(1), "{}", program.log());
        assert!(
            program
                .log()
                .contains("Redis Cluster, which is not supported"),
            "{}",
            program.log()
        );
    }
}

#[tokio::test]
async fn a_slot_that_moves_runs_no_function_on_either_side() {
    let (source, target) = (node().await, node().await);
    let mut from = source.connection().await.unwrap();
    let mut to = target.connection().await.unwrap();
    send(&mut from, "CLUSTER ADDSLOTSRANGE 0 16383")
        .await
        .unwrap();
    send(
        &mut from,
        &format!("CLUSTER MEET 127.0.0.1 {}", target.port()),
    )
    .await
    .unwrap();
    let (source_id, target_id) = (id_of(&mut from).await, id_of(&mut to).await);
    let slot: u64 = redis::cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg("{hookme}")
        .query_async(&mut from)
        .await
        .unwrap();
    let address = |node: &RedisServer| Address {
        url: Secret::from(node.url()),
        certificate_authority: None,
        namespace: "hookme".to_owned(),
        response_timeout: Duration::from_secs(20),
        clock: Clock::Redis,
    };
    let here = Queue::new(&address(&source), Terms::default()).unwrap();
    let loaded = eventually(PATIENCE, "a cluster that is up", async || {
        here.load_functions()
            .await
            .map_err(|error| error.to_string())?;
        here.counts()
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    });
    loaded.await.unwrap();
    let id = by_hand::submit(&here, "before", Duration::ZERO)
        .await
        .unwrap();
    let there = Queue::new(&address(&target), Terms::default()).unwrap();
    there.load_functions().await.unwrap();

    for (redis, command) in [
        (
            &mut to,
            format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}"),
        ),
        (
            &mut from,
            format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}"),
        ),
    ] {
        let set = eventually(PATIENCE, "two nodes that know each other", async || {
            send(redis, &command)
                .await
                .map(|_| ())
                .map_err(|error| error.to_string())
        });
        set.await.unwrap();
    }
    let refused = by_hand::submit(&here, "during", Duration::ZERO)
        .await
        .unwrap_err();
    let error = refused.downcast_ref::<QueueError>().unwrap();
    assert!(error.passes() && error.code() == Some("ASK"), "{error:?}");
    let known = eventually(PATIENCE, "a target that knows all slots", async || {
        let error = there.counts().await.unwrap_err();
        (error.code() == Some("MOVED"))
            .then_some(())
            .ok_or(error.to_string())
    });
    known.await.unwrap();
    // Whoever follows that to the other side runs nothing there.
    let name = name_of_counts(&mut to).await;
    let mut pipe = redis::pipe();
    pipe.cmd("ASKING").ignore();
    pipe.cmd("FCALL")
        .arg(&name)
        .arg(2)
        .arg("{hookme}")
        .arg("{hookme}:never");
    let followed: Result<Vec<Value>, RedisError> = pipe.query_async(&mut to).await;
    assert_eq!(followed.unwrap_err().code(), Some("TRYAGAIN"));
    let mut one = redis::pipe();
    one.cmd("ASKING").ignore();
    one.cmd("FCALL").arg(&name).arg(1).arg("{hookme}");
    let torn: Result<Vec<Value>, RedisError> = one.query_async(&mut to).await;
    assert!(torn.is_ok(), "the test shows nothing: {torn:?}");

    send(&mut from, &format!("CLUSTER SETSLOT {slot} STABLE"))
        .await
        .unwrap();
    assert!(here.explain(id).await.unwrap().is_some());
    assert_eq!(here.counts().await.unwrap().running, 0);
}

/// The name of the programs' own function `counts`, which carries a hash.
async fn name_of_counts(redis: &mut MultiplexedConnection) -> String {
    let listed = send(redis, "FUNCTION LIST").await.unwrap();
    let mut names = texts(&listed).into_iter();
    let is_own = |name: &String| name.starts_with("hookme_") && name.ends_with("_counts");
    names.find(is_own).unwrap()
}

/// Every text in an answer.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        Value::Array(values) | Value::Set(values) => values.iter().flat_map(texts).collect(),
        Value::Map(pairs) => {
            let values = pairs.iter().flat_map(|(name, value)| [name, value]);
            values.flat_map(texts).collect()
        }
        _ => Vec::new(),
    }
}
