//! Many tasks at once, watched while they are worked on and judged afterwards.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookme_shared::job::JobId;
use hookme_tests::github::RepositorySpec;
use hookme_tests::receiver::Answer;
use hookme_tests::site::{ApiClient, TAG, live, total};
use hookme_tests::{Site, eventually};
use rand::RngExt;
use rand::rngs::StdRng;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::PATIENCE;

/// `MAX_RUNNING_JOBS` of every load.
pub(crate) const RUNNING_MAX: usize = 5;
/// Clients that post side by side.
const CLIENTS: usize = 8;
/// The owner of every repository.
const OWNER: &str = "load";
/// How long a client waits before it repeats a request.
const AGAIN: Duration = Duration::from_millis(20);
/// The time between two looks at the running set.
const LOOK: Duration = Duration::from_millis(2);

/// What is known of the tasks, by the test and not from Redis.
#[derive(Default)]
pub(crate) struct Load {
    repositories: Mutex<HashMap<JobId, String>>,
    most_running: AtomicUsize,
}

impl Load {
    /// Posts `tasks` tasks, each until it is answered with 202. A client that gets
    /// anything else, or nothing, repeats with the same `Idempotency-Key`.
    pub(crate) async fn post(&self, client: &ApiClient, tasks: usize) {
        let next = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, next) = (client.clone(), Arc::clone(&next));
            clients.spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= tasks {
                        return taken;
                    }
                    let repository = format!("repository-{number}");
                    taken.push((post_surely(&client, &repository).await, repository));
                }
            });
        }
        while let Some(taken) = clients.join_next().await {
            self.repositories.lock().unwrap().extend(taken.unwrap());
        }
    }

    /// Looks at the running set for ever, and lets each running job's repository
    /// change, so that a report which is fetched again is another one.
    pub(crate) async fn watch(&self, site: &Site) {
        let mut redis = site.connection().await.unwrap();
        loop {
            let running: redis::RedisResult<Vec<(String, String)>> = running(&mut redis).await;
            match running {
                Ok(running) => {
                    self.most_running
                        .fetch_max(running.len(), Ordering::Relaxed);
                    for (_, repository) in running {
                        let issues = rand::random_range(0..20);
                        let spec = RepositorySpec {
                            issues,
                            ..RepositorySpec::default()
                        };
                        site.github.add_repository(OWNER, &repository, &spec);
                    }
                }
                // Redis was killed; the next look finds it or fails again.
                Err(_) => {
                    if let Ok(fresh) = site.connection().await {
                        redis = fresh;
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for the end of all jobs, reviving as an operator would what died as
    /// poison, and returns how many that were.
    pub(crate) async fn end(&self, site: &Site) -> u64 {
        let mut redis = site.connection().await.unwrap();
        let mut revived = 0;
        loop {
            site.all_ended(PATIENCE).await.unwrap();
            let dead: Vec<String> = redis.zrange(format!("{TAG}:dead"), 0, -1).await.unwrap();
            for id in &dead {
                let job = site.job(id.parse().unwrap()).await.unwrap();
                let reason = job.job.reason.unwrap_or_default();
                assert!(reason.starts_with("poison"), "{reason}: {:#?}", job.history);
                let answer = site.client.revive(job.job.id).await.unwrap();
                assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
                revived += 1;
            }
            if dead.is_empty() {
                return revived;
            }
        }
    }

    /// Everything that must hold when all is over.
    pub(crate) async fn judge(&self, site: &Site) {
        let most = self.most_running.load(Ordering::Relaxed);
        assert_eq!(
            most, RUNNING_MAX,
            "the limit must be reached and not passed"
        );
        let ids: BTreeSet<String> = {
            let repositories = self.repositories.lock().unwrap();
            repositories.keys().map(ToString::to_string).collect()
        };
        assert_eq!(
            ids,
            succeeded(site).await,
            "each task that was taken, and no other"
        );
        let delivered = site.receiver.ids().into_iter();
        let delivered = delivered.map(|id| id.chars().take(32).collect());
        assert_eq!(ids, delivered.collect::<BTreeSet<String>>());
        site.receiver.one_body_per_id().unwrap();

        let counts = site.queue().await.unwrap().counts().await.unwrap();
        assert_eq!(total(&counts, "accepted"), ids.len() as u64);
        let ended = ["succeeded", "dead", "cancelled"].map(|state| total(&counts, state));
        assert_eq!(
            total(&counts, "accepted") + total(&counts, "revived"),
            live(&counts) + ended.iter().sum::<u64>(),
            "{counts:?}"
        );
        assert_eq!(site.left_over_keys().await.unwrap(), Vec::<String>::new());
        let mut redis = site.connection().await.unwrap();
        for pattern in ["lock:*", "report:*", "scheduled:*", "running", "starts"] {
            let pattern = format!("{TAG}:{pattern}");
            // The window of recent starts ends by its TTL, the others have ended.
            eventually(PATIENCE, &pattern, async || {
                let keys: Vec<String> = redis.keys(&pattern).await.unwrap();
                if keys.is_empty() {
                    return Ok(());
                }
                Err(format!("{keys:?}"))
            })
            .await
            .unwrap();
        }
    }
}

/// Answers that take a little, each another while, so that a kill finds jobs at
/// every place of their way.
pub(crate) fn slow_answers(random: &mut StdRng, many: usize) -> Vec<Answer> {
    let slow = |_| Answer::Slow(Duration::from_millis(random.random_range(0..30)), 200);
    (0..many).map(slow).collect()
}

async fn post_surely(client: &ApiClient, repository: &str) -> JobId {
    let body = json!({"username": OWNER, "repository": repository});
    let until_taken = async {
        loop {
            // No answer at all means unknown, like a 503.
            if let Ok(answer) = client.post_task(&body, Some(repository)).await {
                match answer.status {
                    StatusCode::ACCEPTED => return answer.id().unwrap(),
                    status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}"),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let taken = tokio::time::timeout(PATIENCE, until_taken).await;
    taken.expect("no 202 for a task")
}

/// The running jobs with their repositories.
async fn running(redis: &mut MultiplexedConnection) -> redis::RedisResult<Vec<(String, String)>> {
    let ids: Vec<String> = redis.zrange(format!("{TAG}:running"), 0, -1).await?;
    let mut pipe = redis::pipe();
    for id in &ids {
        pipe.hget(format!("{TAG}:job:{id}"), "repository");
    }
    let repositories: Vec<String> = pipe.query_async(redis).await?;
    Ok(ids.into_iter().zip(repositories).collect())
}

async fn succeeded(site: &Site) -> BTreeSet<String> {
    let mut redis = site.connection().await.unwrap();
    redis
        .zrange(format!("{TAG}:succeeded"), 0, -1)
        .await
        .unwrap()
}
