//! The lives of a job, each with its end. Together they call every transition.

use std::future::Future;
use std::time::Duration;

use hookme_shared::job::{JobId, State};
use hookme_tests::github::Fault;
use hookme_tests::receiver::Answer;
use hookme_tests::site::{self, TAG};
use hookme_tests::{Site, eventually};
use redis::AsyncCommands;
use reqwest::StatusCode;
use serde_json::json;

use super::PATIENCE;

pub(crate) const OWNER: &str = "octocat";

/// What a life leaves, as far as a lost request or reply may not change it. How
/// often the job was claimed is not in here: a worker that cannot go on gives it
/// back and takes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) state: State,
    pub(crate) failures: u32,
    /// What happened to it, but for being given back.
    pub(crate) events: Vec<String>,
    pub(crate) deliveries: usize,
    pub(crate) bodies: usize,
}

impl End {
    fn of(state: State, failures: u32, events: &[&str], deliveries: usize, bodies: usize) -> Self {
        let events = events.iter().map(ToString::to_string).collect();
        Self {
            state,
            failures,
            events,
            deliveries,
            bodies,
        }
    }
}

/// A life, by what happens in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Life {
    /// The webhook fails once, slowly enough for a heartbeat.
    Retried,
    /// GitHub does not know the repository; later it does, and the job is revived.
    BuriedAndRevived,
    /// It is cancelled before it starts.
    Cancelled,
    /// It is cancelled while it runs.
    CancelledWhileRunning,
    /// A newer version wrote it.
    Deferred,
    /// Its worker is killed.
    Crashed,
}

impl Life {
    /// Lives it with a repository of this name.
    pub(crate) async fn live(self, site: &mut Site, name: &str) -> JobId {
        match self {
            Self::Retried => retried(site, name).await,
            Self::BuriedAndRevived => buried_and_revived(site, name).await,
            Self::Cancelled => cancelled(site, name).await,
            Self::CancelledWhileRunning => cancelled_while_running(site, name).await,
            Self::Deferred => deferred(site, name).await,
            Self::Crashed => crashed(site, name).await,
        }
    }

    pub(crate) fn expected(self) -> End {
        match self {
            Self::Retried => End::of(State::Succeeded, 1, &["retry", "finish"], 2, 1),
            Self::BuriedAndRevived => {
                End::of(State::Succeeded, 0, &["bury", "revive", "finish"], 1, 1)
            }
            Self::Cancelled => End::of(State::Cancelled, 0, &[], 0, 0),
            Self::CancelledWhileRunning => End::of(State::Cancelled, 0, &[], 1, 1),
            Self::Deferred => End::of(State::Cancelled, 0, &["defer"], 0, 0),
            Self::Crashed => End::of(State::Succeeded, 0, &["crash", "finish"], 2, 1),
        }
    }
}

/// How the life of `id` ended.
pub(crate) async fn end_of(site: &Site, id: JobId) -> End {
    let job = site.job(id).await.unwrap();
    let events = job.history.into_iter().map(|entry| entry.event);
    let mut ids: Vec<String> = site.receiver.ids();
    ids.retain(|delivered| delivered.starts_with(&id.to_string()));
    let deliveries = ids.len();
    ids.sort();
    ids.dedup();
    End {
        state: job.job.state,
        failures: job.job.failures,
        events: events.filter(|event| event != "release").collect(),
        deliveries,
        bodies: ids.len(),
    }
}

/// Asks until the answer is not 503, as a client does.
async fn surely<F>(mut ask: impl FnMut() -> F) -> site::Answer
where
    F: Future<Output = anyhow::Result<site::Answer>>,
{
    loop {
        let answer = ask().await.unwrap();
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            return answer;
        }
    }
}

async fn submit(site: &Site, name: &str, delay: Duration) -> JobId {
    let body = json!({"username": OWNER, "repository": name, "delay_ms": delay.as_millis()});
    let answer = surely(|| site.client.post_task(&body, Some(name))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer.id().unwrap()
}

async fn wait_for(site: &Site, id: JobId, state: State) {
    eventually(PATIENCE, "the state of a job", async || {
        let job = site.job(id).await.map_err(|error| error.to_string())?.job;
        if job.state == state {
            Ok(())
        } else {
            Err(format!("{job:?}"))
        }
    })
    .await
    .unwrap();
}

/// Cancels it; a repetition after a lost reply learns that it has ended.
async fn cancel(site: &Site, id: JobId, first: StatusCode) {
    let answer = surely(|| site.client.cancel(id)).await;
    let again = [first, StatusCode::CONFLICT].contains(&answer.status);
    assert!(again, "{answer:?}");
}

async fn retried(site: &Site, name: &str) -> JobId {
    let slow = Duration::from_millis(700);
    // Not a failure of its origin, or so many would keep the next away from it.
    site.receiver.answer(vec![Answer::Slow(slow, 400)]);
    let id = submit(site, name, Duration::ZERO).await;
    wait_for(site, id, State::Succeeded).await;
    id
}

async fn buried_and_revived(site: &Site, name: &str) -> JobId {
    let path = format!("/repos/{OWNER}/{name}");
    site.github.always(&path, Fault::status(404));
    let id = submit(site, name, Duration::ZERO).await;
    wait_for(site, id, State::Dead).await;
    site.github.heal();
    let answer = surely(|| site.client.revive(id)).await;
    let again = [StatusCode::ACCEPTED, StatusCode::CONFLICT].contains(&answer.status);
    assert!(again, "{answer:?}");
    wait_for(site, id, State::Succeeded).await;
    id
}

async fn cancelled(site: &Site, name: &str) -> JobId {
    let id = submit(site, name, PATIENCE).await;
    cancel(site, id, StatusCode::OK).await;
    wait_for(site, id, State::Cancelled).await;
    id
}

async fn cancelled_while_running(site: &Site, name: &str) -> JobId {
    site.receiver.answer(vec![Answer::Hang]);
    let before = site.receiver.count();
    let id = submit(site, name, Duration::ZERO).await;
    site.receiver.wait_for(before + 1, PATIENCE).await.unwrap();
    cancel(site, id, StatusCode::ACCEPTED).await;
    wait_for(site, id, State::Cancelled).await;
    id
}

async fn deferred(site: &Site, name: &str) -> JobId {
    let mut redis = site.connection().await.unwrap();
    // Nobody claims it before it is changed.
    let paused = (format!("{TAG}:settings"), "paused");
    let () = redis.hset(&paused.0, paused.1, "all").await.unwrap();
    let id = submit(site, name, Duration::ZERO).await;
    let at = format!("{TAG}:job:{id}");
    let () = redis.hset(&at, "kind", "newer").await.unwrap();
    let () = redis.hdel(&paused.0, paused.1).await.unwrap();
    eventually(PATIENCE, "it to be put back", async || {
        let reason: Option<String> = redis.hget(&at, "reason").await.unwrap();
        let put_back = reason
            .as_ref()
            .is_some_and(|reason| reason.contains("newer version"));
        if put_back {
            Ok(())
        } else {
            Err(format!("{reason:?}"))
        }
    })
    .await
    .unwrap();
    let () = redis.hset(&at, "kind", "report").await.unwrap();
    cancel(site, id, StatusCode::OK).await;
    id
}

async fn crashed(site: &mut Site, name: &str) -> JobId {
    site.receiver.answer(vec![Answer::Hang]);
    let before = site.receiver.count();
    let id = submit(site, name, Duration::ZERO).await;
    site.receiver.wait_for(before + 1, PATIENCE).await.unwrap();
    site.workers[0].kill().unwrap();
    site.workers[0] = site.start_worker(&[]).unwrap();
    wait_for(site, id, State::Succeeded).await;
    id
}
