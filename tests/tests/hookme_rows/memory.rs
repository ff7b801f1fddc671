//! Redis has no memory left: nothing new comes in, and what is there goes out.

use hookme_shared::job::State;
use hookme_tests::House;
use hookme_tests::redis_server::{RedisOptions, RedisServer};
use hookme_tests::site::live;
use reqwest::Method;
use serde_json::json;

use super::{OWNER, PATIENCE, QUICK, submit};

async fn allow_bytes(redis: &RedisServer, bytes: &str) {
    let mut connection = redis.connection().await.unwrap();
    let mut command = redis::cmd("CONFIG");
    let () = command
        .arg("SET")
        .arg("maxmemory")
        .arg(bytes)
        .query_async(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_redis_takes_no_task_answers_every_question_and_works_off_its_backlog() {
    const TASKS: usize = 20;
    let redis = RedisServer::start(RedisOptions::default()).await.unwrap();
    let mut house = House::start_at(&redis).await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let mut ids = Vec::new();
    for index in 0..TASKS {
        ids.push(submit(&api, &format!("r{index}")).await);
    }
    allow_bytes(&redis, "1").await;

    let new = json!({"username": OWNER, "repository": "new"});
    let refused = api.post_task(&new, Some("key")).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(live(&house.queue.counts().await.unwrap()), TASKS as u64);
    assert_eq!(api.show(ids[0]).await.unwrap().status, 200);
    let list = api
        .send(api.request(Method::GET, "/tasks?limit=100"))
        .await
        .unwrap();
    assert_eq!(list.body["tasks"].as_array().unwrap().len(), TASKS);
    let cancelled = ids.pop().unwrap();
    assert_eq!(api.cancel(cancelled).await.unwrap().status, 200);

    house.worker(&QUICK).await.unwrap();
    for id in &ids {
        let ended = house.ended(*id, PATIENCE).await.unwrap();
        assert_eq!(
            (ended.job.state, ended.job.failures),
            (State::Succeeded, 0),
            "{ended:?}"
        );
    }
    assert_eq!(
        (house.receiver.count(), house.receiver.distinct_ids()),
        (ids.len(), ids.len())
    );
    assert_eq!(api.post_task(&new, Some("key")).await.unwrap().status, 503);

    allow_bytes(&redis, "0").await;
    let id = api
        .post_task(&new, Some("key"))
        .await
        .unwrap()
        .id()
        .unwrap();
    assert_eq!(
        house.ended(id, PATIENCE).await.unwrap().job.state,
        State::Succeeded
    );
}
