//! Random sequences of transitions, against a real Redis and against the pure
//! table; after each step the whole state must be the same.

#![cfg(test)]

mod model;

use std::collections::BTreeMap;
use std::time::Duration;

use hookme_shared::job::{Fence, JobId, Kind, Stage, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Address, Advanced, Cancelled, ClaimRequest, Clock, Limits, Queue, Renewed, Revived, Settled,
    Settlement, Submission, Submitted, Terms,
};
use hookme_shared::secret::Secret;
use hookme_shared::transition::{Event, Outcome};
use hookme_tests::redis_server::{namespace, shared_server};
use proptest::prelude::*;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use model::Model;

#[derive(Debug, Clone)]
enum Step {
    Submit {
        repository: u8,
        delay_ms: u64,
    },
    Claim {
        wanted: usize,
        alone: bool,
        turn: u8,
    },
    Keep {
        claim: usize,
    },
    Renew {
        claim: usize,
    },
    Settle {
        claim: usize,
        how: u8,
        delay_ms: u64,
    },
    Cancel {
        job: usize,
    },
    Revive {
        job: usize,
    },
    Reap {
        jitter: f64,
    },
    Wait {
        ms: u64,
    },
    /// Reaps at the usual pace until every lease that nobody renews is over.
    Lapse {
        jitter: f64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let delay = || prop_oneof![Just(0_u64), Just(700), Just(20_000)];
    prop_oneof![
        3 => (0_u8..7, delay()).prop_map(|(repository, delay_ms)| Step::Submit { repository, delay_ms }),
        5 => (1_usize..4, any::<bool>(), any::<u8>()).prop_map(|(wanted, alone, turn)| Step::Claim { wanted, alone, turn }),
        2 => any::<usize>().prop_map(|claim| Step::Keep { claim }),
        1 => any::<usize>().prop_map(|claim| Step::Renew { claim }),
        4 => (any::<usize>(), 0_u8..5, delay()).prop_map(|(claim, how, delay_ms)| Step::Settle { claim, how, delay_ms }),
        1 => any::<usize>().prop_map(|job| Step::Cancel { job }),
        1 => any::<usize>().prop_map(|job| Step::Revive { job }),
        2 => (0.0..1.0).prop_map(|jitter| Step::Reap { jitter }),
        2 => (0.0..1.0).prop_map(|jitter| Step::Lapse { jitter }),
        4 => prop_oneof![Just(1_u64), Just(1_000), Just(1_000), Just(16_000), Just(40_000), Just(130_000)].prop_map(|ms| Step::Wait { ms }),
    ]
}

/// A real queue beside its model.
struct Pair {
    queue: Queue,
    redis: MultiplexedConnection,
    tag: String,
    model: Model,
    ids: Vec<JobId>,
    claims: Vec<(JobId, Fence)>,
    requests: u32,
}

impl Pair {
    async fn new() -> Self {
        let server = shared_server().await.unwrap();
        let namespace = namespace();
        let terms = Terms {
            limits: Limits {
                live_jobs: Some(model::LIVE_MAX as u64),
                running_jobs: Some(model::RUNNING_MAX as u64),
                starts: Some(model::STARTS_MAX as u64),
                interval: Duration::from_millis(model::INTERVAL_MS),
            },
            lease: Duration::from_millis(model::LEASE_MS),
            job_max_age: Duration::from_millis(model::JOB_MAX_AGE_MS),
            report_max_age: Duration::from_millis(model::REPORT_MAX_AGE_MS),
            ..Terms::default()
        };
        let address = Address {
            url: Secret::from(server.url()),
            namespace: namespace.clone(),
            response_timeout: Duration::from_secs(10),
            clock: Clock::Virtual,
        };
        let queue = Queue::new(&address, terms).unwrap();
        queue.load_functions().await.unwrap();
        let mut pair = Self {
            queue,
            redis: server.connection().await.unwrap(),
            tag: format!("{{{namespace}}}"),
            model: Model {
                now_ms: 1_000_000,
                ..Model::default()
            },
            ids: Vec::new(),
            claims: Vec::new(),
            requests: 0,
        };
        pair.set_clock().await;
        pair
    }

    async fn set_clock(&mut self) {
        let () = self
            .redis
            .set(format!("{}:clock", self.tag), self.model.now_ms)
            .await
            .unwrap();
    }

    /// Does one step on both sides. `again` sends the call twice, as a client
    /// does whose reply was lost; the model does it once.
    async fn take(&mut self, step: &Step, again: bool) {
        match step {
            Step::Submit {
                repository,
                delay_ms,
            } => self.submit(*repository, *delay_ms, again).await,
            Step::Claim {
                wanted,
                alone,
                turn,
            } => self.claim(*wanted, *alone, *turn, again).await,
            Step::Keep { claim } => self.keep(*claim, again).await,
            Step::Renew { claim } => self.renew(*claim, again).await,
            Step::Settle {
                claim,
                how,
                delay_ms,
            } => self.settle(*claim, *how, *delay_ms, again).await,
            Step::Cancel { job } => self.cancel(*job, again).await,
            Step::Revive { job } => self.revive(*job, again).await,
            Step::Reap { jitter } => self.reap(*jitter, again).await,
            Step::Wait { ms } => self.wait(*ms).await,
            Step::Lapse { jitter } => {
                for _ in 0..4 {
                    self.reap(*jitter, again).await;
                    self.wait(4_900).await;
                }
                self.reap(*jitter, again).await;
            }
        }
    }

    async fn wait(&mut self, ms: u64) {
        self.model.now_ms += ms;
        self.set_clock().await;
    }

    async fn reap(&mut self, jitter: f64, again: bool) {
        let reaped = self.queue.reap(jitter).await.unwrap();
        if again {
            assert_eq!(self.queue.reap(jitter).await.unwrap(), (0, 0));
        }
        assert_eq!(reaped, self.model.reap(jitter));
    }

    async fn submit(&mut self, repository: u8, delay_ms: u64, again: bool) {
        let name = format!("r{repository}");
        let task = Submission {
            id: JobId::random(),
            kind: Kind::Report,
            username: Username::parse("o").unwrap(),
            repository: RepositoryName::parse(&name).unwrap(),
            delay: Duration::from_millis(delay_ms),
            idempotency: None,
        };
        let answer = self.queue.submit(&task).await.unwrap();
        if again {
            assert_eq!(self.queue.submit(&task).await.unwrap(), answer);
        }
        let expected = self.model.submit(task.id, &format!("o/{name}"), delay_ms);
        match (answer, expected) {
            (Submitted::Accepted(receipt), model::Submitted::Accepted) => self.ids.push(receipt.id),
            (Submitted::Duplicate(receipt), model::Submitted::Duplicate(live)) => {
                assert_eq!(receipt.id, live);
            }
            (Submitted::Full { .. }, model::Submitted::Full) => {}
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&mut self, wanted: usize, alone: bool, turn: u8, again: bool) {
        self.requests += 1;
        let request = ClaimRequest {
            request: format!("n{}", self.requests),
            wanted,
            holds_nothing: alone,
            turn: u32::from(turn),
            identity: None,
            fetches: true,
        };
        let batch = self.queue.claim("worker", &request).await.unwrap();
        let ids = |batch: &hookme_shared::queue::Batch| {
            batch
                .jobs
                .iter()
                .map(|claimed| claimed.job.id)
                .collect::<Vec<_>>()
        };
        if again && !batch.jobs.is_empty() {
            assert_eq!(
                ids(&self.queue.claim("worker", &request).await.unwrap()),
                ids(&batch)
            );
        }
        let expected = self
            .model
            .claim(&request.request, wanted, alone, usize::from(turn));
        assert_eq!(ids(&batch), expected);
        self.claims.extend(
            batch
                .jobs
                .into_iter()
                .map(|claimed| (claimed.job.id, claimed.fence)),
        );
    }

    fn any_claim(&self, index: usize) -> Option<(JobId, Fence)> {
        // The newest are the likeliest to hold; older ones must be stale.
        let recent = self.claims.len().min(5);
        (recent > 0).then(|| self.claims[self.claims.len() - 1 - index % recent].clone())
    }

    async fn keep(&mut self, claim: usize, again: bool) {
        let Some((id, fence)) = self.any_claim(claim) else {
            return;
        };
        let answer = self.queue.keep_report(id, &fence, b"bytes").await.unwrap();
        if again {
            assert_eq!(
                self.queue.keep_report(id, &fence, b"bytes").await.unwrap(),
                answer
            );
        }
        let expected = self
            .model
            .keep(id, &fence)
            .map_or(Advanced::Lost, |body| Advanced::Stored { body });
        assert_eq!(answer, expected);
    }

    async fn renew(&mut self, claim: usize, again: bool) {
        let Some((id, fence)) = self.any_claim(claim) else {
            return;
        };
        let claims = [(id, fence.clone())];
        let answer = self.queue.renew("worker", &[], &claims).await.unwrap();
        if again {
            assert_eq!(
                self.queue.renew("worker", &[], &claims).await.unwrap(),
                answer
            );
        }
        assert_eq!(answer != [Renewed::Lost], self.model.renew(id, &fence));
    }

    async fn settle(&mut self, claim: usize, how: u8, delay_ms: u64, again: bool) {
        let Some((id, fence)) = self.any_claim(claim) else {
            return;
        };
        let (delay, reason) = (Duration::from_millis(delay_ms), "why".to_owned());
        let (settlement, event) = match how {
            0 => (Settlement::Finish, Event::Finish(fence.clone())),
            1 => (
                Settlement::Retry { delay, reason },
                Event::Retry(fence.clone()),
            ),
            2 => (
                Settlement::Defer { delay, reason },
                Event::Defer(fence.clone()),
            ),
            3 => (
                Settlement::Release { reason },
                Event::Release(fence.clone()),
            ),
            _ => (Settlement::Bury { reason }, Event::Bury(fence.clone())),
        };
        let answer = self.queue.settle(id, &fence, &settlement).await.unwrap();
        if again {
            let repeated = self.queue.settle(id, &fence, &settlement).await.unwrap();
            let changed = matches!(answer, Settled::Done | Settled::Cancelled);
            assert_eq!(repeated, if changed { Settled::Already } else { answer });
        }
        let delay_ms = if how == 3 { 0 } else { delay_ms };
        let expected = match self.model.settle(id, &event, delay_ms) {
            Outcome::Done => Settled::Done,
            Outcome::Cancelled => Settled::Cancelled,
            Outcome::Already => Settled::Already,
            Outcome::Stale | Outcome::Asked => Settled::Stale,
        };
        assert_eq!(answer, expected);
    }

    async fn cancel(&mut self, job: usize, again: bool) {
        if self.ids.is_empty() {
            return;
        }
        let id = self.ids[job % self.ids.len()];
        let answer = self.queue.cancel(id).await.unwrap();
        if again {
            let repeated = self.queue.cancel(id).await.unwrap();
            assert!(
                repeated == answer
                    || (answer == Cancelled::Done
                        && repeated == Cancelled::Ended(State::Cancelled))
            );
        }
        let expected = match self.model.cancel(id) {
            Outcome::Done => Cancelled::Done,
            Outcome::Asked => Cancelled::Asked,
            _ => Cancelled::Ended(self.model.jobs[&id].life.state),
        };
        assert_eq!(answer, expected);
    }

    async fn revive(&mut self, job: usize, again: bool) {
        if self.ids.is_empty() {
            return;
        }
        let id = self.ids[job % self.ids.len()];
        let answer = self.queue.revive(id).await.unwrap();
        if again {
            let repeated = self.queue.revive(id).await.unwrap();
            assert!(repeated == answer || repeated == Revived::NotDead(State::Scheduled));
        }
        let same = matches!(
            (&answer, self.model.revive(id)),
            (Revived::Done(_), model::Revived::Done)
                | (Revived::Held { .. }, model::Revived::Held)
                | (Revived::Full { .. }, model::Revived::Full)
                | (Revived::NotDead(_), model::Revived::NotDead)
        );
        assert!(same, "{answer:?}");
    }

    /// Compares everything that is in Redis with what the model says.
    async fn compare(&mut self) {
        self.compare_records().await;
        self.compare_sets().await;
        self.compare_locks_and_starts().await;
    }

    async fn compare_records(&mut self) {
        for (id, job) in self.model.jobs.clone() {
            let at = format!("{}:job:{id}", self.tag);
            let record: BTreeMap<String, String> = self.redis.hgetall(at).await.unwrap();
            let field = |name: &str| record.get(name).cloned().unwrap_or_default();
            let number = |name: &str| record.get(name).map_or(0, |text| text.parse().unwrap());
            let fence = job.life.fence.as_ref().map_or("", Fence::as_str);
            let texts = [
                ("state", job.life.state.as_str()),
                ("stage", job.stage.as_str()),
                ("fence", fence),
                (
                    "cancel_requested",
                    if job.life.cancel_requested { "yes" } else { "" },
                ),
            ];
            for (name, expected) in texts {
                assert_eq!(field(name), expected, "{name} of {record:?}");
            }
            let numbers = [
                ("due_ms", job.due_ms),
                ("attempt", job.life.attempt.into()),
                ("failures", job.life.failures.into()),
                ("crashes", job.life.crashes.into()),
                ("bodies", job.bodies.into()),
            ];
            for (name, expected) in numbers {
                assert_eq!(number(name), expected, "{name} of {record:?}");
            }
            let at = format!("{}:report:{id}", self.tag);
            let kept: bool = self.redis.exists(at).await.unwrap();
            assert_eq!(kept, job.report_ms.is_some(), "{record:?}");
            assert_eq!(record.contains_key("report_bytes"), kept, "{record:?}");
        }
    }

    async fn compare_sets(&mut self) {
        for (key, expected) in self.sets() {
            let members: Vec<(String, u64)> = self
                .redis
                .zrange_withscores(format!("{}:{key}", self.tag), 0, -1)
                .await
                .unwrap();
            assert_eq!(
                members.into_iter().collect::<BTreeMap<_, _>>(),
                expected,
                "{key}"
            );
        }
    }

    async fn compare_locks_and_starts(&mut self) {
        let locks: Vec<String> = self
            .redis
            .keys(format!("{}:lock:*", self.tag))
            .await
            .unwrap();
        assert_eq!(locks.len(), self.model.locks.len(), "{locks:?}");
        for (scope, id) in &self.model.locks {
            let holder: String = self
                .redis
                .get(format!("{}:lock:{scope}", self.tag))
                .await
                .unwrap();
            assert_eq!(holder, id.to_string());
        }
        let starts: u64 = self
            .redis
            .zcount(
                format!("{}:starts", self.tag),
                self.model.now_ms.saturating_sub(model::INTERVAL_MS) + 1,
                "+inf",
            )
            .await
            .unwrap();
        let model_starts = self
            .model
            .starts
            .iter()
            .filter(|start| **start + model::INTERVAL_MS > self.model.now_ms)
            .count();
        assert_eq!(starts, model_starts as u64);
    }

    /// The sorted sets that the states of the jobs call for.
    fn sets(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let names = [
            "scheduled:fetch",
            "scheduled:deliver",
            "running",
            "succeeded",
            "dead",
            "cancelled",
        ];
        let mut sets: BTreeMap<String, BTreeMap<String, u64>> =
            names.map(|name| (name.to_owned(), BTreeMap::new())).into();
        for (id, job) in &self.model.jobs {
            let (name, score) = match job.life.state {
                State::Scheduled => (format!("scheduled:{}", job.stage), job.due_ms),
                State::Running => ("running".to_owned(), job.lease_until_ms),
                State::Succeeded | State::Dead | State::Cancelled => {
                    (job.life.state.to_string(), job.ended_ms)
                }
            };
            sets.entry(name).or_default().insert(id.to_string(), score);
        }
        sets
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_sequences_leave_redis_as_the_table_says(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.25)), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for (step, again) in &steps {
                pair.take(step, *again).await;
                pair.compare().await;
            }
        });
    }
}

#[test]
fn the_model_reaches_every_state_and_stage() {
    // The sequences above would prove little if they never got anywhere.
    let mut model = Model {
        now_ms: 1,
        ..Model::default()
    };
    let id = JobId::random();
    model.submit(id, "o/r", 0);
    assert_eq!(model.claim("n", 1, false, 0), [id]);
    let fence = model.jobs[&id].life.fence.clone().unwrap();
    assert_eq!(model.keep(id, &fence), Some(1));
    assert_eq!(model.jobs[&id].stage, Stage::Deliver);
    assert_eq!(model.settle(id, &Event::Bury(fence), 0), Outcome::Done);
    assert_eq!(model.revive(id), model::Revived::Done);
    assert_eq!(model.cancel(id), Outcome::Done);
    assert_eq!(model.jobs[&id].life.state, State::Cancelled);
}
