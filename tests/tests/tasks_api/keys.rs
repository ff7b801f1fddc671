//! `Idempotency-Key`: repeating a request gives the first answer again.

use futures_util::future::join_all;
use hookme_shared::job::State;
use hookme_tests::House;
use hookme_tests::site::live;
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::json;

use super::{assert_problem, claim_one, header, task};

const REUSED: &str = "this Idempotency-Key came with another body";

#[tokio::test]
async fn the_same_key_and_body_are_the_first_task_again_also_after_it_has_ended() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&["--schedule-interval=0"]).await.unwrap();
    let first = api.submit("octocat", "hello", Some("k1")).await.unwrap();
    for (username, repository) in [("octocat", "hello"), ("OCTOCAT", "Hello")] {
        let again = api.submit(username, repository, Some("k1")).await.unwrap();
        assert_eq!(again, first);
    }
    house
        .queue
        .finish(&[claim_one(&house.queue).await], &[])
        .await
        .unwrap();

    let again = api.post_task(&task("hello"), Some("k1")).await.unwrap();
    assert_eq!((again.status.as_u16(), again.id().unwrap()), (202, first));
    assert_eq!(again.body["state"], State::Succeeded.as_str());
    assert_eq!(
        header(&again, "location"),
        Some(&*format!("/tasks/{first}"))
    );
    assert_eq!(live(&house.queue.counts().await.unwrap()), 0);
    assert_ne!(
        api.submit("octocat", "hello", Some("k2")).await.unwrap(),
        first
    );
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day_and_stored_as_a_hash() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    api.submit("octocat", "hello", Some("the-secret-key"))
        .await
        .unwrap();
    let mut redis = house.redis().await.unwrap();
    let keys: Vec<String> = redis.keys(house.key("*")).await.unwrap();
    let remembered: Vec<_> = keys
        .iter()
        .filter(|key| key.contains(":idempotency:"))
        .collect();
    assert_eq!(remembered.len(), 1, "{keys:?}");
    assert!(!keys.iter().any(|key| key.contains("secret")), "{keys:?}");
    let left_ms: i64 = redis.pttl(remembered[0]).await.unwrap();
    let day_ms = 24 * 60 * 60 * 1_000;
    assert!((day_ms - 60_000..=day_ms).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_422() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let first = api.submit("octocat", "hello", Some("k")).await.unwrap();
    let mut delayed = task("hello");
    delayed["delay_ms"] = json!(5);
    for other in [
        task("other"),
        json!({"username": "o", "repository": "hello"}),
        delayed,
    ] {
        assert_problem(
            &api.post_task(&other, Some("k")).await.unwrap(),
            422,
            REUSED,
        );
    }
    assert_eq!(
        api.submit("octocat", "hello", Some("k")).await.unwrap(),
        first
    );
    assert_eq!(live(&house.queue.counts().await.unwrap()), 1);
}

#[tokio::test]
async fn a_key_is_looked_at_before_the_limit_and_the_repository() {
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&["--rate-limit-max-simultaneous-jobs=1"])
        .await
        .unwrap();
    let first = api.submit("octocat", "one", Some("k")).await.unwrap();
    // A duplicate without the key is 200; the repetition is 202.
    assert_eq!(api.post_task(&task("one"), None).await.unwrap().status, 200);
    assert_eq!(
        api.submit("octocat", "one", Some("k")).await.unwrap(),
        first
    );
    assert_problem(
        &api.post_task(&task("two"), Some("k")).await.unwrap(),
        422,
        REUSED,
    );
    // What was refused left no trace of its key.
    assert_eq!(
        api.post_task(&task("two"), Some("k2"))
            .await
            .unwrap()
            .status,
        429
    );
    house.queue.cancel(first).await.unwrap();
    assert_ne!(
        api.submit("octocat", "two", Some("k2")).await.unwrap(),
        first
    );
}

#[tokio::test]
async fn a_key_that_met_a_duplicate_stands_for_the_live_task_from_then_on() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let live = api.submit("octocat", "hello", None).await.unwrap();
    let met = api.post_task(&task("hello"), Some("k")).await.unwrap();
    assert_eq!((met.status.as_u16(), met.id().unwrap()), (200, live));
    house.queue.cancel(live).await.unwrap();
    assert_eq!(
        api.submit("octocat", "hello", Some("k")).await.unwrap(),
        live
    );
}

#[tokio::test]
async fn repetitions_at_the_same_moment_are_one_task_and_all_are_told_so() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let both = [house.api(&[]).await.unwrap(), api];
    for round in 0..10 {
        let (repository, key) = (format!("r{round}"), format!("k{round}"));
        let all = (0..20).map(|n| both[n % 2].submit("octocat", &repository, Some(&key)));
        let mut ids: Vec<_> = join_all(all)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
    assert_eq!(live(&house.queue.counts().await.unwrap()), 10);
}

#[tokio::test]
async fn a_key_that_is_none_is_400_and_not_ignored() {
    let mut house = House::start().await.unwrap();
    let api = house.api(&[]).await.unwrap();
    let told = "header Idempotency-Key must be one value of 1 to 255 visible ASCII characters";
    let long = "k".repeat(256);
    let table: [&[&str]; 4] = [&[""], &["a b"], &[&long], &["k1", "k2"]];
    for keys in table {
        let mut request = api
            .request(Method::POST, "/tasks")
            .body(task("hello").to_string());
        for key in keys {
            request = request.header("idempotency-key", *key);
        }
        assert_problem(&api.send(request).await.unwrap(), 400, told);
    }
    assert_eq!(live(&house.queue.counts().await.unwrap()), 0);
}
