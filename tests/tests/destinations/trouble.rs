//! Whole workers before receivers that fail, are slow or ask for less.

use hookme_shared::destination::Destination;
use hookme_shared::job::State;
use hookme_shared::queue::Explanation;
use hookme_shared::supervisor::Supervisor;
use hookme_tests::receiver::Answer;
use hookme_tests::site::ApiClient;
use hookme_tests::{House, Receiver, eventually};
use hookme_worker::deliver::Target;
use hookme_worker::destinations::Destinations;
use redis::AsyncCommands;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, report, submit};

/// Retries that a test can wait for, and places on this machine.
const FLAGS: [&str; 4] = [
    "--webhook-allow-http=true",
    "--webhook-allowed-cidrs=127.0.0.0/8",
    "--reschedule-interval=1",
    "--retry-max-attempts=1000",
];

/// A house with a worker; the token ends that one.
async fn house(flags: &[&str]) -> (House, ApiClient, CancellationToken) {
    let mut house = House::start().await.unwrap();
    let api = house
        .api(&["--schedule-interval=0", FLAGS[0], FLAGS[1]])
        .await
        .unwrap();
    let stop = house.worker(&[&FLAGS[..], flags].concat()).await.unwrap();
    (house, api, stop)
}

/// Whether the job waits for its origin.
fn waits_for_its_origin(seen: &Explanation) -> bool {
    seen.job.state == State::Scheduled
        && seen
            .why
            .contains("fails, and nothing is sent there for a while")
}

#[tokio::test]
async fn jobs_wait_for_an_origin_that_fails_without_a_failure_and_others_go_on() {
    let (mut house, api, stop) = house(&[]).await;
    let failing = Receiver::start().await.unwrap();
    failing.answer_always(Answer::status(500));
    let mut task = report("first");
    task["webhook_url"] = json!(failing.url());
    let first = submit(&api, task.clone()).await;
    let waits = house
        .job_when(first, PATIENCE, waits_for_its_origin)
        .await
        .unwrap();
    // The tries that were sent count, and those that were not do not.
    assert_eq!((waits.job.failures, failing.count()), (10, 10));
    assert!(waits.until_ms.unwrap() > waits.now_ms + 10_000, "{waits:?}");

    // What comes later waits from the start, and GitHub is not asked in vain.
    let asked = house.github.requests().len();
    task["repository"] = json!("second");
    task["webhook_url"] = json!(format!("{}/elsewhere", failing.url()));
    let second = submit(&api, task).await;
    let waits = house
        .job_when(second, PATIENCE, waits_for_its_origin)
        .await
        .unwrap();
    assert_eq!((waits.job.failures, failing.count()), (0, 10));
    assert_eq!(house.github.requests().len(), asked);

    let other = submit(&api, report("first")).await;
    let ended = house.ended(other, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Succeeded);

    // Both are sent when it works again: the one is the probe, the other comes after it.
    failing.answer_always(Answer::status(200));
    // This one has not been told that nothing is sent there.
    house.worker(&FLAGS).await.unwrap();
    stop.cancel();
    let alone = eventually(PATIENCE, "the end of the first worker", async || {
        let counts = house
            .queue
            .counts()
            .await
            .map_err(|error| error.to_string())?;
        if counts.workers == 1 {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    });
    alone.await.unwrap();
    open_again(&house).await;
    for id in [first, second] {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Succeeded);
    }
    assert_eq!(failing.count(), 12);
}

/// As if the time had passed in which nothing is sent.
async fn open_again(house: &House) {
    let mut redis = house.redis().await.unwrap();
    let origins: Vec<String> = redis.keys(house.key("origin:*")).await.unwrap();
    for origin in origins {
        let is_open: bool = redis.hexists(&origin, "open_until_ms").await.unwrap();
        if is_open {
            let () = redis.hset(&origin, "open_until_ms", 1).await.unwrap();
        }
    }
    let lane = house.key("scheduled:fetch");
    for lane in [lane, house.key("scheduled:deliver")] {
        let waiting: Vec<String> = redis.zrange(&lane, 0, -1).await.unwrap();
        for id in waiting {
            let () = redis.zadd(&lane, id, 1).await.unwrap();
        }
    }
    let () = redis.rpush(house.key("wake"), "due").await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_only_as_many_places_as_one_origin_may() {
    let (house, api, _) = house(&["--webhook-in-flight=2", "--worker-concurrency=8"]).await;
    let hanging = Receiver::start().await.unwrap();
    hanging.answer_always(Answer::Hang);
    for number in 0..6 {
        let mut task = report(&format!("hangs-{number}"));
        task["webhook_url"] = json!(hanging.url());
        submit(&api, task).await;
    }
    let seen = eventually(PATIENCE, "two deliveries", async || {
        let count = hanging.count();
        if count >= 2 {
            Ok(count)
        } else {
            Err(format!("{count}"))
        }
    });
    seen.await.unwrap();
    let mut done = Vec::new();
    for number in 0..20 {
        done.push(submit(&api, report(&format!("other-{number}"))).await);
    }
    for id in done {
        let ended = house.ended(id, PATIENCE).await.unwrap();
        assert_eq!(ended.job.state, State::Succeeded);
    }
    assert_eq!(hanging.count(), 2);
}

#[tokio::test]
async fn one_answer_429_spares_the_whole_origin_the_next_deliveries() {
    let (house, api, _) = house(&[]).await;
    let headers = vec![("retry-after".to_owned(), "3600".to_owned())];
    house.receiver.answer(vec![Answer::Status(429, headers)]);
    let first = submit(&api, report("first")).await;
    house
        .job_when(first, PATIENCE, |seen| seen.job.failures == 1)
        .await
        .unwrap();
    let second = submit(&api, report("second")).await;
    let waits = house.job_when(second, PATIENCE, |seen| {
        seen.job.state == State::Scheduled && seen.why.contains("asked for fewer deliveries")
    });
    let waits = waits.await.unwrap();
    assert_eq!((waits.job.failures, house.receiver.count()), (0, 1));
}

#[tokio::test]
async fn a_permit_that_is_dropped_makes_room_for_the_next() {
    let house = House::start().await.unwrap();
    let term = std::time::Duration::from_secs(600);
    let shutdown = CancellationToken::new();
    let supervisor = Supervisor::new(shutdown.clone());
    let destinations = Destinations::start(house.queue.clone(), term, 1, &supervisor);
    let target = Target {
        destination: Destination::new("https://hooks.example.com/".parse().unwrap()),
        is_default: false,
    };
    for _ in 0..3 {
        // Without room it would be told to come again.
        let permit = destinations.enter(&target).await.unwrap();
        assert!(permit.is_ok());
        drop(permit);
    }
    // The task ends with the last who could ask.
    shutdown.cancel();
    drop(destinations);
    supervisor.all_ended().await;
    supervisor.outcome().unwrap();
}
