//! The queue in Redis: the one module that speaks to it.
//!
//! Each transition is one Redis function, in a file of its own under
//! `shared/src/lua`, and one method here. A method sends the call, and
//! [`reply`] reads what comes back. What a client or a worker makes of it is
//! not decided here.

mod checks;
mod connection;
mod error;
mod keys;
mod library;
mod reply;
mod types;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisError, Value};

use self::connection::Connections;
use self::library::Library;
pub use checks::Complaint;
pub use error::QueueError;
pub use keys::patterns as key_patterns;
pub use library::Clock;
pub use types::*;

use crate::job::{Fence, JobId, Stage, State};
use crate::secret::Secret;
use crate::span::whole_ms;

/// How many jobs one call can claim, renew or settle at most.
pub const BATCH_MAX: usize = 128;
/// How many entries of a job's history are kept.
pub const HISTORY_MAX: usize = 32;
/// How many jobs one page of a listing holds at most.
pub const PAGE_MAX: usize = 100;
/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The lanes that a worker takes from, and how often it is a lane's turn.
/// What was fetched is delivered before more is fetched.
const LANES: [(Stage, u32); 2] = [(Stage::Deliver, 3), (Stage::Fetch, 1)];

/// Where the queue is.
#[derive(Debug, Clone)]
pub struct Address {
    /// A Redis URL; it may hold a password.
    pub url: Secret,
    /// The key prefix.
    pub namespace: String,
    /// After how long without an answer a call has failed.
    pub response_timeout: Duration,
    /// Which clock the functions read.
    pub clock: Clock,
}

/// The terms that jobs live under, the same for all processes of a namespace.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The limits, unless the settings in Redis say otherwise.
    pub limits: Limits,
    /// `LEASE`: how long a claim holds without renewal.
    pub lease: Duration,
    /// `JOB_MAX_AGE`: from creation to expiry.
    pub job_max_age: Duration,
    /// `REPORT_MAX_AGE`: how long a kept report is good for.
    pub report_max_age: Duration,
    /// `REPORTS_MAX_BYTES`: what all kept reports may take together.
    pub reports_max_bytes: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            lease: Duration::from_secs(15),
            job_max_age: Duration::from_secs(7 * 24 * 60 * 60),
            report_max_age: Duration::from_secs(60 * 60),
            reports_max_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The queue of one namespace in one Redis. Clones share their connections.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    tag: String,
    terms: Terms,
    connections: Connections,
    library: Library,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Queue")
            .field("tag", &self.0.tag)
            .finish_non_exhaustive()
    }
}

/// Arguments of a function, in the order of its header.
struct Call {
    function: &'static str,
    command: Cmd,
}

impl Call {
    fn arg(mut self, value: impl redis::ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }
}

impl Queue {
    /// Prepares a queue; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`QueueError::Corrupt`] if the URL is not one of a Redis.
    pub fn new(address: &Address, terms: Terms) -> Result<Self, QueueError> {
        let connections = Connections::new(address.url.expose(), address.response_timeout)
            .map_err(|error| QueueError::Corrupt {
                operation: "connect",
                detail: error.to_string(),
            })?;
        Ok(Self(Arc::new(Inner {
            tag: keys::tag(&address.namespace),
            terms,
            connections,
            library: Library::new(address.clock),
        })))
    }

    /// The terms that this queue was made with.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// Loads the functions if this version of them is not there yet.
    ///
    /// # Errors
    ///
    /// [`QueueError::Refused`] where the right or the memory for it is missing.
    pub async fn load_functions(&self) -> Result<(), QueueError> {
        let version = || {
            redis::cmd("FCALL")
                .arg(self.0.library.name_of("version"))
                .arg(0)
                .to_owned()
        };
        let present: Result<Value, _> = self.send("version", &version()).await;
        match present {
            Ok(_) => return Ok(()),
            Err(QueueError::Refused { .. }) => {}
            Err(other) => return Err(other),
        }
        // Another process may load it at the same moment, which makes this
        // load fail: what counts is whether it is there afterwards.
        let load = redis::cmd("FUNCTION")
            .arg("LOAD")
            .arg(&self.0.library.source)
            .to_owned();
        let loaded = self.send::<Value>("load the functions", &load).await;
        if self.send::<Value>("version", &version()).await.is_err() {
            return loaded.map(|_| ());
        }
        let people = redis::cmd("FUNCTION")
            .arg("LOAD")
            .arg("REPLACE")
            .arg(&self.0.library.source_for_people)
            .to_owned();
        self.send::<Value>("load the functions for people", &people)
            .await
            .map(|_| ())
    }

    /// Admits a task, or says why not.
    pub async fn submit(&self, task: &Submission) -> Result<Submitted, QueueError> {
        let (key_hash, body_hash) = task.idempotency.as_ref().map_or(("", ""), |known| {
            (known.key_hash.as_str(), known.body_hash.as_str())
        });
        let call = self
            .function("submit")
            .arg(task.id.to_string())
            .arg(task.kind.as_str())
            .arg(task.username.as_str())
            .arg(task.repository.as_str())
            .arg(Stage::Fetch.as_str())
            .arg(whole_ms(task.delay))
            .arg(self.live_limit())
            .arg(key_hash)
            .arg(body_hash)
            .arg(whole_ms(IDEMPOTENCY_TTL));
        self.call(call, reply::submitted).await
    }

    /// Cancels a job: at once if it is scheduled, else by asking its worker.
    pub async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        self.call(
            self.function("cancel").arg(id.to_string()),
            reply::cancelled,
        )
        .await
    }

    /// Puts a dead job back into its lane, due now.
    pub async fn revive(&self, id: JobId) -> Result<Revived, QueueError> {
        let call = self
            .function("revive")
            .arg(id.to_string())
            .arg(Stage::Fetch.as_str())
            .arg(self.live_limit());
        self.call(call, reply::revived).await
    }

    /// Says where a job is and why; `None` if there is no such job.
    pub async fn explain(&self, id: JobId) -> Result<Option<Explanation>, QueueError> {
        let call = self.function("explain").arg(id.to_string());
        self.call(call, |value| reply::explanation(id, value)).await
    }

    /// Lists jobs of one state, at most `limit` (1 to [`PAGE_MAX`]).
    pub async fn list(
        &self,
        state: State,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, QueueError> {
        let (score, id) = after.map_or_else(Default::default, |cursor| {
            (cursor.score.to_string(), cursor.id.to_string())
        });
        let limit = limit.clamp(1, PAGE_MAX);
        let call = self
            .function("list")
            .arg(state.as_str())
            .arg(limit)
            .arg(score)
            .arg(id);
        self.call(call, |value| reply::page(value, limit)).await
    }

    /// Counts what there is.
    pub async fn counts(&self) -> Result<Counts, QueueError> {
        self.call(self.function("counts"), reply::counts).await
    }

    /// Claims jobs that are due, for `worker`.
    pub async fn claim(&self, worker: &str, request: &ClaimRequest) -> Result<Batch, QueueError> {
        let Terms {
            limits,
            lease,
            job_max_age,
            report_max_age,
            ..
        } = &self.0.terms;
        let mut call = self
            .function("claim")
            .arg(worker)
            .arg(&request.request)
            .arg(request.wanted.clamp(1, BATCH_MAX))
            .arg(whole_ms(*lease))
            .arg(u8::from(request.holds_nothing))
            .arg(request.turn)
            .arg(whole_ms(*job_max_age))
            .arg(whole_ms(*report_max_age))
            .arg(limits.running_jobs.unwrap_or(0))
            .arg(limits.starts.unwrap_or(0))
            .arg(whole_ms(limits.interval));
        for (stage, weight) in LANES {
            call = call.arg(stage.as_str()).arg(weight);
        }
        self.call(call, reply::batch).await
    }

    /// Reads the kept report of a claimed job, to be sent at once.
    pub async fn load_report(&self, id: JobId, fence: &Fence) -> Result<Loaded, QueueError> {
        let call = self
            .function("load")
            .arg(id.to_string())
            .arg(fence.as_str());
        self.call(call, reply::loaded).await
    }

    /// Keeps a report's stored form, and notes that delivery comes next. Where
    /// there is no room for it the job stays at the fetch, but the body is
    /// numbered all the same.
    pub async fn keep_report(
        &self,
        id: JobId,
        fence: &Fence,
        stored: &[u8],
    ) -> Result<Advanced, QueueError> {
        let call = self
            .function("keep")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(Stage::Deliver.as_str())
            .arg(stored)
            .arg(self.0.terms.reports_max_bytes);
        match self.call(call, reply::advanced).await {
            Ok(Some(advanced)) => return Ok(advanced),
            Ok(None) => {}
            Err(QueueError::Refused { source, .. }) if source.code() == Some("OOM") => {}
            Err(other) => return Err(other),
        }
        self.go_without_report(id, fence).await
    }

    /// Numbers a new body for a job whose report is not kept.
    pub async fn go_without_report(
        &self,
        id: JobId,
        fence: &Fence,
    ) -> Result<Advanced, QueueError> {
        let call = self
            .function("advance")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(Stage::Fetch.as_str())
            .arg(1);
        match self.call(call, reply::advanced).await? {
            Some(Advanced::Stored { body }) => Ok(Advanced::WithoutReport { body }),
            _ => Ok(Advanced::Lost),
        }
    }

    /// Says that `worker` lives, with what it says of itself, and renews its
    /// leases: one answer for each, in order. `claims` holds at most
    /// [`BATCH_MAX`].
    pub async fn renew(
        &self,
        worker: &str,
        about: &[(&str, String)],
        claims: &[(JobId, Fence)],
    ) -> Result<Vec<Renewed>, QueueError> {
        let mut call = self
            .function("renew")
            .arg(worker)
            .arg(whole_ms(self.0.terms.lease))
            .arg(whole_ms(self.0.terms.lease))
            .arg(2 * about.len());
        for (field, value) in about {
            call = call.arg(field).arg(value);
        }
        for (id, fence) in claims {
            call = call.arg(id.to_string()).arg(fence.as_str());
        }
        self.call(call, reply::renewed).await
    }

    /// Takes a worker that stops off the list.
    pub async fn depart(&self, worker: &str) -> Result<(), QueueError> {
        let tag = &self.0.tag;
        let leave = redis::cmd("ZREM")
            .arg(keys::workers(tag))
            .arg(worker)
            .to_owned();
        self.send::<Value>("depart", &leave).await?;
        let forget = redis::cmd("DEL").arg(keys::worker(tag, worker)).to_owned();
        self.send::<Value>("depart", &forget).await.map(|_| ())
    }

    /// Finishes jobs: one answer for each, in order.
    pub async fn finish(&self, claims: &[(JobId, Fence)]) -> Result<Vec<Settled>, QueueError> {
        let mut call = self.function("finish");
        for (id, fence) in claims {
            call = call.arg(id.to_string()).arg(fence.as_str());
        }
        self.call(call, reply::settled).await
    }

    /// Settles one job.
    pub async fn settle(
        &self,
        id: JobId,
        fence: &Fence,
        settlement: &Settlement,
    ) -> Result<Settled, QueueError> {
        let back = |function, delay: Duration, reason: &str| {
            self.function(function)
                .arg(whole_ms(self.0.terms.job_max_age))
                .arg(id.to_string())
                .arg(fence.as_str())
                .arg(whole_ms(delay))
                .arg(reason)
        };
        let call = match settlement {
            Settlement::Finish => self
                .function("finish")
                .arg(id.to_string())
                .arg(fence.as_str()),
            Settlement::Retry { delay, reason } => back("retry", *delay, reason),
            Settlement::Defer { delay, reason } => back("defer", *delay, reason),
            Settlement::Release { reason } => back("release", Duration::ZERO, reason),
            Settlement::Bury { reason } => self
                .function("bury")
                .arg(id.to_string())
                .arg(fence.as_str())
                .arg(reason),
        };
        let codes = self.call(call, reply::settled).await?;
        codes.first().copied().ok_or(QueueError::Corrupt {
            operation: "settle",
            detail: "no answer".to_owned(),
        })
    }

    /// Takes back jobs whose lease ran out, at most [`BATCH_MAX`]. Returns how
    /// many, and how many leases got a fresh term instead because Redis was
    /// away. `jitter` is a sample in `[0, 1)`.
    pub async fn reap(&self, jitter: f64) -> Result<(u64, u64), QueueError> {
        let call = self
            .function("reap")
            .arg(BATCH_MAX)
            .arg(whole_ms(self.0.terms.lease))
            .arg(jitter);
        self.call(call, reply::reaped).await
    }

    /// A dedicated connection that waits for hints.
    pub async fn hints(&self) -> Result<Hints, QueueError> {
        let connection = self.0.connections.pool().get().await.map_err(|error| {
            let source = match error {
                deadpool_redis::PoolError::Backend(source) => Some(source),
                _ => None,
            };
            QueueError::Unavailable {
                operation: WAIT_FOR_HINT,
                source,
            }
        })?;
        // Out of the pool for good: it must not come back while it still waits.
        let connection = deadpool_redis::Connection::take(connection);
        Ok(Hints {
            connection,
            wake: keys::wake(&self.0.tag),
        })
    }

    /// Passes on a hint that came too late to be of use here.
    pub async fn pass_hint_on(&self) -> Result<(), QueueError> {
        let command = redis::cmd("LPUSH")
            .arg(keys::wake(&self.0.tag))
            .arg("passed on")
            .to_owned();
        self.send::<Value>("pass a hint on", &command)
            .await
            .map(|_| ())
    }

    /// The default for [`submit`](Self::submit) and [`revive`](Self::revive).
    fn live_limit(&self) -> u64 {
        self.0.terms.limits.live_jobs.unwrap_or(0)
    }

    fn function(&self, function: &'static str) -> Call {
        let mut command = redis::cmd("FCALL");
        command
            .arg(self.0.library.name_of(function))
            .arg(1)
            .arg(&self.0.tag);
        Call { function, command }
    }

    /// Calls a function; if Redis has lost the library, loads it and calls again.
    async fn call<T>(
        &self,
        call: Call,
        read: impl FnOnce(Value) -> reply::Read<T>,
    ) -> Result<T, QueueError> {
        let Call { function, command } = call;
        let value = match self.send(function, &command).await {
            Err(QueueError::Refused { source, .. }) if is_function_missing(&source) => {
                self.load_functions().await?;
                self.send(function, &command).await?
            }
            other => other?,
        };
        read(value).map_err(|detail| QueueError::Corrupt {
            operation: function,
            detail,
        })
    }

    async fn send<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T, QueueError> {
        let result = command.query_async(&mut self.0.connections.hot()).await;
        self.0.connections.note(result.as_ref().err());
        result.map_err(|error| classify(operation, error))
    }
}

const WAIT_FOR_HINT: &str = "wait for a hint";

/// Waits for hints that something became due sooner.
pub struct Hints {
    connection: redis::aio::MultiplexedConnection,
    wake: String,
}

impl Hints {
    /// Waits for a hint, at most `longest`; says whether one came.
    pub async fn wait(&mut self, longest: Duration) -> Result<bool, QueueError> {
        // The connection's own time-out is for calls that are answered at once.
        self.connection
            .set_response_timeout(longest + Duration::from_secs(2));
        let popped: Result<Value, RedisError> = redis::cmd("BLPOP")
            .arg(&self.wake)
            .arg(longest.as_secs_f64())
            .query_async(&mut self.connection)
            .await;
        popped
            .map(|value| value != Value::Nil)
            .map_err(|error| classify(WAIT_FOR_HINT, error))
    }
}

/// Redis reports a missing function as a plain `ERR`: only its words tell.
fn is_function_missing(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("Function not found"))
}

/// Whether Redis answered at all, and if so what the caller can do.
fn classify(operation: &'static str, error: RedisError) -> QueueError {
    match error.kind() {
        redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => QueueError::Refused {
            operation,
            source: error,
        },
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => QueueError::Corrupt {
            operation,
            detail: error.to_string(),
        },
        _ => QueueError::Unavailable {
            operation,
            source: Some(error),
        },
    }
}
