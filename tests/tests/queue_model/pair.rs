//! A real queue beside its model: each step is done on both, and the answers compared.

use std::time::Duration;

use hookme_shared::job::{Fence, JobId, State};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Address, Advanced, Cancelled, ClaimRequest, Clock, Limits, Queue, Renewed, Revived, Settled,
    Settlement, Submission, Submitted, Terms, Work,
};
use hookme_shared::secret::Secret;
use hookme_shared::transition::{Event, Outcome};
use hookme_tests::redis_server::{namespace, shared_server};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::model::{self, Model};
use crate::steps::Step;

/// A real queue beside its model.
pub(crate) struct Pair {
    queue: Queue,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) tag: String,
    pub(crate) model: Model,
    ids: Vec<JobId>,
    claims: Vec<(JobId, Fence)>,
    requests: u32,
}

impl Pair {
    pub(crate) async fn new() -> Self {
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
            certificate_authority: None,
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
    pub(crate) async fn take(&mut self, step: &Step, again: bool) {
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
            work: Work::Report,
            username: Username::parse("o").unwrap(),
            repository: RepositoryName::parse(&name).unwrap(),
            delay: Duration::from_millis(delay_ms),
            owner: None,
            destination: None,
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
            asking: None,
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
}
