//! While Redis is away nobody is told that a task was taken.

use std::time::{Duration, Instant};

use hookme_shared::job::JobId;
use hookme_tests::redis_server::{Persistence, RedisOptions, RedisServer};
use hookme_tests::site::{Answer, ApiClient, live};
use hookme_tests::{House, eventually};
use reqwest::Method;

use super::{PATIENCE, assert_problem, get, header, task, text};

/// What a client is promised while Redis is away.
const SOON: Duration = Duration::from_millis(300);

async fn redis() -> RedisServer {
    let persistence = Persistence::AofAlways;
    let options = RedisOptions {
        persistence,
        ..RedisOptions::default()
    };
    RedisServer::start(options).await.unwrap()
}

/// How often a question is asked at most: an answer that is slow can be the
/// machine's fault, but not each of so many.
const QUESTIONS: usize = 20;

/// Every question to the queue is refused, and in the promised time.
async fn assert_away(api: &ApiClient, id: JobId) {
    let one = format!("/tasks/{id}");
    for (method, path) in [
        (Method::POST, "/tasks"),
        (Method::GET, "/tasks"),
        (Method::GET, &one),
        (Method::DELETE, &one),
        (Method::POST, &format!("{one}/retry")),
        (Method::GET, "/readyz"),
    ] {
        let mut fastest = Duration::MAX;
        for _ in 0..QUESTIONS {
            let request = api
                .request(method.clone(), path)
                .body(task("hello").to_string());
            let started = Instant::now();
            let refused: Answer = api.send(request).await.unwrap();
            fastest = fastest.min(started.elapsed());
            let (told, advice) = match path {
                "/readyz" => ("not ready", "Redis at REDIS_URL does not answer"),
                _ => (
                    "the queue is not available",
                    "Repeating the request is safe",
                ),
            };
            assert_problem(&refused, 503, told);
            assert_eq!(header(&refused, "retry-after"), Some("1"));
            let words = refused.body.to_string();
            assert!(words.contains(advice), "{words}");
            if fastest < SOON {
                break;
            }
        }
        assert!(fastest < SOON, "{method} {path} took {fastest:?}");
    }
    assert_eq!(get(api, "/livez").await.status, 200);
    let (status, metrics) = text(api, "/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.contains("hookme_redis_up 0\n"), "{metrics}");
}

/// Repeats a task with its key until it is taken.
async fn taken(api: &ApiClient, key: &str) -> JobId {
    let taken = eventually(PATIENCE, "a task that is taken", async || {
        let answer = api.post_task(&task("hello"), Some(key)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            202 => Ok(answer.id().unwrap()),
            _ => Err(format!("{answer:?}")),
        }
    });
    taken.await.unwrap()
}

/// How many tasks are live. The test's own connection broke too.
async fn live_tasks(house: &House) -> u64 {
    let counts = eventually(PATIENCE, "the counts", async || {
        house
            .queue
            .counts()
            .await
            .map_err(|error| error.to_string())
    });
    live(&counts.await.unwrap())
}

#[tokio::test]
async fn a_killed_redis_is_503_soon_and_after_its_return_tasks_are_taken_again() {
    let redis = redis().await;
    let mut house = House::start_at(&redis).await.unwrap();
    let api = house.prompt_api(&[]).await.unwrap();
    let before = api.submit("octocat", "before", None).await.unwrap();
    redis.kill().unwrap();
    assert_away(&api, before).await;
    redis.restart().await.unwrap();
    taken(&api, "k").await;
    assert_eq!(api.show(before).await.unwrap().status, 200);
    assert_eq!(live_tasks(&house).await, 2);
}

#[tokio::test]
async fn a_silent_redis_is_503_soon_and_a_repeated_request_is_one_task() {
    let redis = redis().await;
    let mut house = House::start_at(&redis).await.unwrap();
    let api = house.prompt_api(&[]).await.unwrap();
    api.submit("octocat", "before", None).await.unwrap();
    redis.pause().unwrap();
    // About a task that is not there, so that its deletion does no harm later.
    assert_away(&api, JobId::random()).await;
    assert_problem(
        &api.post_task(&task("hello"), Some("k")).await.unwrap(),
        503,
        "the queue is not available",
    );
    redis.resume().unwrap();
    let first = taken(&api, "k").await;
    assert_eq!(taken(&api, "k").await, first);
    // What was sent while Redis was silent may have arrived: it is the same task.
    assert_eq!(live_tasks(&house).await, 2);
}
