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

/// Two nodes, of which the first has all slots.
struct Pair {
    _nodes: [RedisServer; 2],
    from: MultiplexedConnection,
    to: MultiplexedConnection,
    here: Queue,
    there: Queue,
}

async fn pair() -> Pair {
    let nodes = [node().await, node().await];
    let [mut from, to] = [
        nodes[0].connection().await.unwrap(),
        nodes[1].connection().await.unwrap(),
    ];
    for command in [
        "CLUSTER ADDSLOTSRANGE 0 16383".to_owned(),
        format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port()),
    ] {
        send(&mut from, &command).await.unwrap();
    }
    let queue = |node: &RedisServer| {
        let address = Address {
            url: Secret::from(node.url()),
            certificate_authority: None,
            namespace: "hookme".to_owned(),
            response_timeout: Duration::from_secs(20),
            clock: Clock::Redis,
        };
        Queue::new(&address, Terms::default()).unwrap()
    };
    let (here, there) = (queue(&nodes[0]), queue(&nodes[1]));
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
    there.load_functions().await.unwrap();
    Pair {
        _nodes: nodes,
        from,
        to,
        here,
        there,
    }
}

/// Begins to move the namespace's slot to the second node; returns the slot.
async fn begin_to_move(pair: &mut Pair) -> u64 {
    let Pair { from, to, .. } = pair;
    let (source_id, target_id) = (id_of(from).await, id_of(to).await);
    let slot: u64 = redis::cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg("{hookme}")
        .query_async(from)
        .await
        .unwrap();
    for (redis, command) in [
        (to, format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}")),
        (
            from,
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
    slot
}

#[tokio::test]
async fn a_slot_that_moves_runs_no_function_on_either_side() {
    let mut pair = pair().await;
    let id = by_hand::submit(&pair.here, "before", Duration::ZERO)
        .await
        .unwrap();
    let slot = begin_to_move(&mut pair).await;
    let Pair {
        mut from,
        mut to,
        here,
        there,
        _nodes,
    } = pair;
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
