//! What becomes of jobs while GitHub makes everybody wait.

use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Queue, Submission, Work};
use hookme_tests::eventually;
use hookme_tests::github::{Fault, Limits, RepositorySpec};
use hookme_tests::site::total;
use serde_json::json;
use tokio::task::JoinSet;

use super::{PATIENCE, house, limited};

const ISSUES: &str = "/repos/octocat/hello/issues";

fn pause_of(seconds: u64) -> Fault {
    let after = vec![("retry-after".to_owned(), seconds.to_string())];
    let body = json!({"message": "You have exceeded a secondary rate limit."});
    Fault::Status(403, after, body.to_string())
}

/// Submits jobs that are due at once, past the API.
async fn fill(queue: &Queue, jobs: usize) {
    let mut clients = JoinSet::new();
    for client in 0..32 {
        let queue = queue.clone();
        clients.spawn(async move {
            for number in (client..jobs).step_by(32) {
                let task = Submission {
                    id: JobId::random(),
                    work: Work::Report,
                    username: Username::parse("octocat").unwrap(),
                    repository: RepositoryName::parse(&format!("r{number}")).unwrap(),
                    delay: Duration::ZERO,
                    owner: None,
                    destination: None,
                    idempotency: None,
                };
                queue.submit(&task).await.unwrap();
            }
        });
    }
    while let Some(filled) = clients.join_next().await {
        filled.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_claimed_only_to_be_put_back() {
    let (mut house, api) = house(limited(Limits::unlimited()), &["--github-in-flight=1"]).await;
    house.github.script(ISSUES, vec![pause_of(3_600)]);
    let id = api.submit("octocat", "hello", None).await.unwrap();
    house
        .job_when(id, PATIENCE, |seen| {
            seen.history.iter().any(|entry| entry.event == "defer")
        })
        .await
        .unwrap();
    fill(&house.queue, 50_000).await;
    // Three more workers, each of which claims before it counts as present.
    for _ in 0..3 {
        house.worker(&["--github-in-flight=1"]).await.unwrap();
    }
    // What is due elsewhere is claimed all the same.
    let counts = house.queue.counts().await.unwrap();
    assert_eq!(
        (total(&counts, "claimed"), counts.running),
        (1, 0),
        "{counts:?}"
    );
    assert_eq!(house.github.requests().len(), 1);

    let waiting = api.submit("octocat", "another", None).await.unwrap();
    let seen = house.job(waiting).await.unwrap();
    assert!(
        seen.why
            .starts_with("waits for the end of GitHub's secondary rate limit until "),
        "{}",
        seen.why
    );
    let left_ms = seen.until_ms.unwrap() - seen.now_ms;
    assert!((3_300_000..=3_960_000).contains(&left_ms), "{left_ms}");
    let told = api.show(waiting).await.unwrap().body.to_string();
    let words = "waits for the end of GitHub's secondary rate limit until";
    assert!(told.contains(words), "{told}");
}

#[tokio::test]
async fn a_job_that_had_to_wait_goes_on_with_what_it_has_read() {
    let (house, api) = house(limited(Limits::unlimited()), &["--github-in-flight=1"]).await;
    let spec = RepositorySpec {
        issues: 450,
        pull_requests: 0,
        ..RepositorySpec::default()
    };
    house.github.add_repository("octocat", "hello", &spec);
    house
        .github
        .script(&format!("{ISSUES}?page=4"), vec![pause_of(3)]);
    let id = api.submit("octocat", "hello", None).await.unwrap();
    let ended = house.ended(id, PATIENCE).await.unwrap();
    assert_eq!((ended.job.state, ended.job.failures), (State::Succeeded, 0));
    assert_eq!(ended.job.attempt, 2, "{:?}", ended.history);
    let body = house.receiver.deliveries().pop().unwrap().json().unwrap();
    assert_eq!(body["issues"].as_array().unwrap().len(), 450);
    // Five pages, and the fourth a second time; nothing is kept by settings here.
    assert_eq!(house.github.count(ISSUES), 6);
}

#[tokio::test]
async fn a_worker_goes_on_delivering_while_github_makes_it_wait() {
    let (house, api) = house(limited(Limits::unlimited()), &["--reschedule-interval=50"]).await;
    house
        .receiver
        .answer(vec![hookme_tests::receiver::Answer::status(503)]);
    let ready = api.submit("octocat", "ready", None).await.unwrap();
    house
        .job_when(ready, PATIENCE, |seen| seen.job.failures == 1)
        .await
        .unwrap();
    house.github.script(ISSUES, vec![pause_of(3_600)]);
    api.submit("octocat", "hello", None).await.unwrap();
    let ended = house.ended(ready, PATIENCE).await.unwrap();
    assert_eq!(ended.job.state, State::Succeeded);
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_everything_goes_on() {
    let (house, api) = house(limited(Limits::unlimited()), &["--github-in-flight=1"]).await;
    house.github.script(ISSUES, vec![pause_of(1), pause_of(2)]);
    api.submit("octocat", "hello", None).await.unwrap();
    fill(&house.queue, 50).await;
    eventually(PATIENCE, "the end of all jobs", async || {
        let counts = house
            .queue
            .counts()
            .await
            .map_err(|error| error.to_string())?;
        if counts.succeeded == 51 {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    })
    .await
    .unwrap();
    let counts = house.queue.counts().await.unwrap();
    assert_eq!(total(&counts, "retried"), 0);
    assert_eq!(counts.github_paused_ms, 0);
}
