//! A queue whose clock the test sets, so that leases run out without waiting.

use std::time::Duration;

use hookme_shared::job::{Fence, JobId};
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Address, Batch, ClaimRequest, Claimed, Clock, Limits, Queue, Submission, Submitted, Terms, Work,
};
use hookme_shared::secret::Secret;
use hookme_tests::redis_server::{namespace, shared_server};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::PATIENCE;

/// The lease of every job here.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// More than any wait after a crash.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) struct VirtualQueue {
    pub(crate) queue: Queue,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) tag: String,
    pub(crate) now_ms: u64,
    requests: u32,
}

impl VirtualQueue {
    pub(crate) async fn new() -> Self {
        Self::with_terms(Terms::default()).await
    }

    pub(crate) async fn with_terms(terms: Terms) -> Self {
        let server = shared_server().await.unwrap();
        let namespace = namespace();
        let terms = Terms {
            lease: LEASE,
            ..terms
        };
        let queue = Queue::new(&address(server.url(), &namespace), terms).unwrap();
        queue.load_functions().await.unwrap();
        let mut made = Self {
            queue,
            redis: server.connection().await.unwrap(),
            tag: format!("{{{namespace}}}"),
            now_ms: 1_000_000,
            requests: 0,
        };
        made.pass(Duration::ZERO).await;
        made
    }

    /// The same queue as another user of Redis, `<user>:<password>`, sees it.
    pub(crate) async fn as_user(&self, login: &str) -> Queue {
        let url = shared_server().await.unwrap().url_of(login);
        let namespace = self.tag.trim_matches(['{', '}']);
        Queue::new(&address(url, namespace), *self.queue.terms()).unwrap()
    }

    /// A limit on how many jobs run at once.
    pub(crate) fn running_limit(jobs: u64) -> Terms {
        let limits = Limits {
            running_jobs: Some(jobs),
            ..Limits::default()
        };
        Terms {
            limits,
            ..Terms::default()
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&mut self, time: Duration) {
        self.now_ms += u64::try_from(time.as_millis()).unwrap();
        let at = self.key("clock");
        let () = self.redis.set(at, self.now_ms).await.unwrap();
    }

    /// Sets the clock back.
    pub(crate) async fn set_back(&mut self, time: Duration) {
        self.now_ms -= u64::try_from(time.as_millis()).unwrap();
        self.pass(Duration::ZERO).await;
    }

    pub(crate) fn key(&self, rest: &str) -> String {
        format!("{}:{rest}", self.tag)
    }

    pub(crate) async fn submit(&self, repository: &str) -> Submitted {
        self.queue.submit(&task(repository)).await.unwrap()
    }

    /// Submits a task that must be taken.
    pub(crate) async fn accepted(&self, repository: &str) -> JobId {
        match self.submit(repository).await {
            Submitted::Accepted(receipt) => receipt.id,
            other => panic!("{other:?}"),
        }
    }

    /// Claims up to `wanted` jobs for `worker`.
    pub(crate) async fn claim(
        &mut self,
        worker: &str,
        wanted: usize,
        holds_nothing: bool,
    ) -> Batch {
        let request = self.request(wanted, holds_nothing);
        self.queue.claim(worker, &request).await.unwrap()
    }

    /// A request for up to `wanted` jobs that was never made before.
    pub(crate) fn request(&mut self, wanted: usize, holds_nothing: bool) -> ClaimRequest {
        self.requests += 1;
        ClaimRequest {
            request: format!("request-{}", self.requests),
            wanted,
            holds_nothing,
            turn: 0,
            asking: None,
            fetches: true,
        }
    }

    /// Claims one job, which must be there.
    pub(crate) async fn claim_one(&mut self, worker: &str) -> Claimed {
        let batch = self.claim(worker, 1, true).await;
        assert_eq!(batch.jobs.len(), 1, "{batch:?}");
        batch.jobs.into_iter().next().unwrap()
    }

    /// Reaps at the usual pace until every lease that nobody renews is over;
    /// returns how many jobs were taken back.
    pub(crate) async fn let_leases_run_out(&mut self) -> u64 {
        let (tick, mut taken) = (LEASE / 5, 0);
        // The first reap may be an amnesty, which gives all a fresh term.
        for _ in 0..12 {
            taken += self.queue.reap(0.0).await.unwrap().0;
            self.pass(tick).await;
        }
        taken
    }

    /// Lets the job crash so many times, and become due again after the last.
    pub(crate) async fn crash(&mut self, times: u32) {
        for _ in 0..times {
            self.claim_one("doomed").await;
            assert_eq!(self.let_leases_run_out().await, 1);
            self.pass(LONG).await;
        }
    }

    pub(crate) async fn field(&self, id: JobId, name: &str) -> Option<String> {
        let at = self.key(&format!("job:{id}"));
        self.redis.clone().hget(at, name).await.unwrap()
    }

    pub(crate) async fn set_field(&self, id: JobId, name: &str, value: &str) {
        let at = self.key(&format!("job:{id}"));
        let () = self.redis.clone().hset(at, name, value).await.unwrap();
    }

    /// Every key of the namespace with its contents, but for the clock and what
    /// tells when and how often somebody looked.
    pub(crate) async fn dump(&self, id: JobId) -> String {
        let mut redis = self.redis.clone();
        let record: std::collections::BTreeMap<String, String> =
            redis.hgetall(self.key(&format!("job:{id}"))).await.unwrap();
        let history: Vec<String> = redis
            .lrange(self.key(&format!("history:{id}")), 0, -1)
            .await
            .unwrap();
        let report: Option<Vec<u8>> = redis.get(self.key(&format!("report:{id}"))).await.unwrap();
        let mut places = Vec::new();
        for set in [
            "running",
            "scheduled:fetch",
            "scheduled:deliver",
            "succeeded",
            "dead",
            "cancelled",
        ] {
            let score: Option<f64> = redis.zscore(self.key(set), id.to_string()).await.unwrap();
            places.push((set, score));
        }
        format!("{record:#?}\n{history:#?}\n{report:?}\n{places:#?}")
    }
}

/// The task of a report that is due at once.
pub(crate) fn task(repository: &str) -> Submission {
    Submission {
        id: JobId::random(),
        work: Work::Report,
        username: Username::parse("octocat").unwrap(),
        repository: RepositoryName::parse(repository).unwrap(),
        delay: Duration::ZERO,
        owner: None,
        destination: None,
        idempotency: None,
    }
}

fn address(url: String, namespace: &str) -> Address {
    Address {
        url: Secret::from(url),
        certificate_authority: None,
        namespace: namespace.to_owned(),
        response_timeout: PATIENCE,
        clock: Clock::Virtual,
    }
}

/// The claim as the worker holds it.
pub(crate) fn claim_of(claimed: &Claimed) -> (JobId, Fence) {
    (claimed.job.id, claimed.fence.clone())
}
