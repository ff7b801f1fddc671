//! A value of another type under each key that there is, one after the other. What belongs
//! to one job or one thing gives way; the sets that lead to all jobs hold everything up
//! until somebody mends them, and then nothing is lost.

use hookme_shared::job::{JobId, State};
use hookme_tests::by_hand::OWNER;
use hookme_tests::eventually;
use hookme_tests::site::{Site, SiteOptions};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::PATIENCE;

/// The sets without which nothing goes on.
const NEEDED: [&str; 6] = [
    "{hookme}:scheduled:fetch",
    "{hookme}:scheduled:deliver",
    "{hookme}:running",
    "{hookme}:succeeded",
    "{hookme}:dead",
    "{hookme}:cancelled",
];

/// Puts a value of another type in the place of a key.
async fn spoil(redis: &mut MultiplexedConnection, key: &str) {
    let kind: String = redis::cmd("TYPE")
        .arg(key)
        .query_async(redis)
        .await
        .unwrap();
    let _: u64 = redis.del(key).await.unwrap();
    if kind == "string" {
        let _: u64 = redis.rpush(key, "spoilt").await.unwrap();
    } else {
        let _: () = redis.set(key, "spoilt").await.unwrap();
    }
}

async fn succeeds(site: &Site, id: JobId, key: &str) {
    let ended = eventually(PATIENCE, key, async || {
        let told = site.job(id).await.map_err(|error| error.to_string())?;
        let is_there = told.job.state == State::Succeeded;
        is_there.then_some(()).ok_or(format!("{told:?}"))
    });
    ended.await.unwrap();
}

#[tokio::test]
async fn a_value_of_another_type_under_any_key_of_one_thing_holds_up_no_job() {
    let options = SiteOptions::default()
        .with("API_TOKEN", "token-of-a-user")
        .with("GITHUB_CACHE_MAX_BYTES", "1000000")
        .with("JOBS_PER_INTERVAL", "1000");
    let site = Site::start(options).await.unwrap();
    let mut redis = site.connection().await.unwrap();
    // One whose delivery fails leaves a kept report and a history.
    site.receiver
        .answer(vec![hookme_tests::receiver::Answer::status(500)]);
    let first = site.submit(OWNER, "first").await.unwrap();
    succeeds(&site, first, "the first").await;
    let mut keys: Vec<String> = redis.keys("{hookme}:*").await.unwrap();
    keys.sort();
    assert!(keys.len() > 15, "{keys:?}");
    for (number, key) in keys.iter().enumerate() {
        if NEEDED.contains(&&**key) {
            continue;
        }
        spoil(&mut redis, key).await;
        let names = ["a", "b"].map(|name| format!("{name}{number}"));
        let mut ids = Vec::new();
        for name in &names {
            ids.push(site.submit(OWNER, name).await.unwrap());
        }
        for id in ids {
            succeeds(&site, id, key).await;
        }
        // The same repository again, for what stays of the first time.
        let again = site.submit(OWNER, "first").await.unwrap();
        succeeds(&site, again, key).await;
    }
}

#[tokio::test]
async fn a_value_of_another_type_in_the_place_of_a_needed_set_loses_no_job() {
    let options = SiteOptions {
        workers: 0,
        ..SiteOptions::default()
    };
    let site = Site::start(options).await.unwrap();
    let operator = format!("127.0.0.1:{}", hookme_tests::process::free_port().unwrap());
    let worker = site
        .start_worker(&[("OPERATOR_LISTEN", &*operator)])
        .unwrap();
    Site::ready(&worker).await.unwrap();
    let mut redis = site.connection().await.unwrap();
    let waiting = site.submit(OWNER, "cold").await.unwrap();
    succeeds(&site, waiting, "the first").await;
    for set in ["scheduled:fetch", "running", "succeeded"] {
        let (key, saved) = (format!("{{hookme}}:{set}"), format!("saved-{set}"));
        redis::cmd("HSET")
            .arg("{hookme}:settings")
            .arg("paused")
            .arg("all")
            .exec_async(&mut redis)
            .await
            .unwrap();
        let id = site
            .submit(OWNER, &format!("of-{}", set.replace(':', "-")))
            .await
            .unwrap();
        let had_one: bool = redis.exists(&key).await.unwrap();
        if had_one {
            let _: () = redis.rename(&key, &saved).await.unwrap();
        }
        let _: () = redis.set(&key, "spoilt").await.unwrap();
        let _: u64 = redis.hdel("{hookme}:settings", "paused").await.unwrap();
        let unready = eventually(PATIENCE, "readyz that tells it", async || {
            let answer = reqwest::get(format!("http://{operator}/readyz"))
                .await
                .unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            let told = status == 503 && text.contains("WRONGTYPE");
            told.then_some(()).ok_or(text)
        });
        unready.await.unwrap();
        worker
            .wait_for_log("until somebody mends this", PATIENCE)
            .await
            .unwrap();
        let _: u64 = redis.del(&key).await.unwrap();
        if had_one {
            let _: () = redis.rename(&saved, &key).await.unwrap();
        }
        succeeds(&site, id, set).await;
    }
}
