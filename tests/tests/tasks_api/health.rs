//! `/livez`, `/readyz` and `/metrics`, and a start before an unsafe Redis.

use std::collections::{HashMap, HashSet};

use hookme_tests::redis_server::{Persistence, RedisOptions, RedisServer};
use hookme_tests::site::{Answer, ApiClient};
use hookme_tests::{House, Program, eventually};
use redis::AsyncCommands;
use serde_json::{Value, json};

use super::{PATIENCE, assert_problem, bury, claim_one, get, header, submit, task, text};

const POLICY: &str = "maxmemory-policy is allkeys-lru, which throws jobs away when memory is full; run: redis-cli CONFIG SET maxmemory-policy noeviction";

async fn safe_redis(arguments: &[&str]) -> RedisServer {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    let persistence = Persistence::AofAlways;
    RedisServer::start(RedisOptions {
        persistence,
        arguments,
        ..RedisOptions::default()
    })
    .await
    .unwrap()
}

async fn configure(redis: &RedisServer, name: &str, value: &str) {
    let mut connection = redis.connection().await.unwrap();
    let mut command = redis::cmd("CONFIG");
    let () = command
        .arg("SET")
        .arg(name)
        .arg(value)
        .query_async(&mut connection)
        .await
        .unwrap();
}

/// An API as a process, which judges Redis like one.
async fn program(redis: &RedisServer, allow_unsafe: &str) -> (Program, String) {
    let url = redis.url();
    let program = Program::start(
        "api",
        &[
            ("REDIS_URL", &url),
            ("LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
            ("RUST_LOG", "info"),
            ("ALLOW_UNSAFE_REDIS", allow_unsafe),
        ],
    )
    .unwrap();
    let line = program
        .wait_for_log("taking tasks", PATIENCE)
        .await
        .unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    (program, address)
}

/// The answer, once the API is not too busy to look.
async fn look(api: &ApiClient, path: &str) -> Answer {
    let answered = eventually(PATIENCE, "an answer", async || {
        let answer = get(api, path).await;
        if answer.body["error"] == "the queue is not available" {
            Err(format!("{answer:?}"))
        } else {
            Ok(answer)
        }
    });
    answered.await.unwrap()
}

#[tokio::test]
async fn a_redis_that_may_drop_tasks_makes_the_api_not_ready_until_it_is_mended() {
    let redis = safe_redis(&[]).await;
    let (_program, address) = program(&redis, "false").await;
    let api = ApiClient::new(&address).unwrap();
    let ready = look(&api, "/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), ready.body),
        (200, json!({"ready": true, "complaints": []}))
    );

    configure(&redis, "maxmemory-policy", "allkeys-lru").await;
    let refused = look(&api, "/readyz").await;
    assert_problem(&refused, 503, "not ready");
    assert_eq!(
        refused.body["complaints"],
        json!([{"text": POLICY, "unsafe_for_jobs": true}])
    );
    assert!(header(&refused, "retry-after").is_some());
    assert_eq!(get(&api, "/livez").await.status, 200);

    configure(&redis, "maxmemory-policy", "noeviction").await;
    assert_eq!(look(&api, "/readyz").await.status, 200);
    configure(&redis, "appendfsync", "no").await;
    assert_problem(&look(&api, "/readyz").await, 503, "not ready");
    configure(&redis, "appendfsync", "everysec").await;
    let noted = look(&api, "/readyz").await;
    assert_eq!(noted.status, 200, "{noted:?}");
    assert_eq!(noted.body["complaints"][0]["unsafe_for_jobs"], false);
}

#[tokio::test]
async fn the_api_does_not_start_before_a_redis_that_may_drop_tasks_unless_it_is_told_to() {
    let redis = safe_redis(&["--maxmemory-policy", "allkeys-lru"]).await;
    let url = redis.url();
    let program_that_ends =
        Program::start("api", &[("REDIS_URL", &url), ("LISTEN", "127.0.0.1:0")]).unwrap();
    let ended = program_that_ends.wait(PATIENCE).await.unwrap();
    assert_ne!(ended.code(), Some(0));
    let log = program_that_ends.log();
    assert!(
        log.contains(POLICY) && log.contains("ALLOW_UNSAFE_REDIS=true"),
        "{log}"
    );

    let (_program, address) = program(&redis, "true").await;
    let api = ApiClient::new(&address).unwrap();
    let ready = look(&api, "/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.body["complaints"][0]["text"], POLICY);
    let taken = eventually(PATIENCE, "a task that is taken", async || {
        let answer = api.post_task(&task("hello"), Some("key")).await.unwrap();
        let is_taken = answer.status == 202;
        is_taken.then_some(()).ok_or(format!("{answer:?}"))
    });
    taken.await.unwrap();
}

#[tokio::test]
async fn a_setting_that_nobody_understands_is_shown_as_ignored() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let told = async || {
        let ready = look(&api, "/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        let complaints = ready.body["complaints"].as_array().unwrap().clone();
        let about_settings = |text: &str| text.contains("ignored");
        complaints
            .iter()
            .map(|one| one["text"].as_str().unwrap().to_owned())
            .filter(|text| about_settings(text))
            .collect::<Vec<_>>()
    };
    let mut redis = house.redis().await.unwrap();
    let settings = house.key("settings");
    for (name, value) in [
        ("max_running_jobs", "5"),
        ("rate_limit_max_simultaneous_jobs", "-1"),
        ("jobs_per_interval", "0"),
        ("jobs_interval", "1000"),
        ("paused", "fetch deliver"),
    ] {
        let () = redis.hset(&settings, name, value).await.unwrap();
    }
    assert_eq!(told().await, Vec::<String>::new());
    for (name, value) in [
        ("max_running_jobs", "five"),
        ("jobs_per_interval", "1e3"),
        ("jobs_per_interval", "0x10"),
        ("rate_limit_max_simultaneous_jobs", "2.5"),
        ("rate_limit_max_simultaneous_jobs", "nan"),
        ("jobs_interval", "0"),
        ("paused", "featch"),
        ("max_runing_jobs", "5"),
    ] {
        let () = redis.del(&settings).await.unwrap();
        let () = redis.hset(&settings, name, value).await.unwrap();
        let told = told().await;
        assert_eq!(told.len(), 1, "{name} {value}: {told:?}");
        assert!(told[0].contains(name), "{name} {value}: {told:?}");
    }
}

/// The samples of an `OpenMetrics` text, by name and labels; panics where it is none.
fn parse(text: &str) -> HashMap<String, f64> {
    let (mut samples, mut families) = (HashMap::new(), HashSet::new());
    let lines = text
        .strip_suffix("# EOF\n")
        .unwrap_or_else(|| panic!("no end:\n{text}"));
    for line in lines.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            families.insert(name.to_owned());
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        let family = ["_total", "_bucket", "_count", "_sum", ""]
            .iter()
            .find_map(|suffix| {
                bare.strip_suffix(suffix)
                    .filter(|family| families.contains(*family))
            });
        assert!(family.is_some(), "{line} belongs to no family");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(
            samples.insert(name.to_owned(), value),
            None,
            "{line} stands twice"
        );
    }
    samples
}

#[tokio::test]
async fn the_metrics_can_be_read_and_say_what_is_there() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    bury(&house.queue, "dead", "why").await;
    submit(&house.queue, "running").await;
    claim_one(&house.queue).await;
    for repository in ["one", "two"] {
        api.submit("octocat", repository, None).await.unwrap();
    }
    assert_eq!(api.post_task(&json!({}), None).await.unwrap().status, 400);
    let samples = parse(&text(&api, "/metrics").await.1);
    for (name, value) in [
        ("hookme_redis_up", 1.0),
        (r#"hookme_jobs{state="scheduled",lane="fetch"}"#, 2.0),
        (r#"hookme_jobs{state="running",lane=""}"#, 1.0),
        (r#"hookme_jobs{state="dead",lane=""}"#, 1.0),
        (r#"hookme_jobs_due{lane="fetch"}"#, 2.0),
        (r#"hookme_events_total{event="accepted"}"#, 4.0),
        (
            r#"hookme_http_requests_total{method="POST",route="/tasks",status="202"}"#,
            2.0,
        ),
        (
            r#"hookme_http_requests_total{method="POST",route="/tasks",status="400"}"#,
            1.0,
        ),
        (
            r#"hookme_http_request_seconds_count{method="POST",route="/tasks",status="202"}"#,
            2.0,
        ),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}: {samples:?}");
    }
    assert!(
        samples["hookme_oldest_due_age_seconds"] >= 0.0,
        "{samples:?}"
    );
}
