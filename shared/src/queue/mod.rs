//! The queue in Redis: the one module that speaks to it.
//!
//! Each transition is one Redis function, in a file of its own under
//! `shared/src/lua`, and one method here. A method sends the call, and
//! `reply.rs` reads what comes back. What a client or a worker makes of it is
//! not decided here.

mod checks;
mod clients;
mod connection;
mod dedicated;
mod destinations;
mod error;
mod github;
mod hints;
mod keys;
mod library;
mod reply;
mod rights;
mod tls;
mod types;
mod whereabouts;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};

use self::connection::Connections;
use self::library::Library;
pub use checks::{Complaint, Severity};
pub use error::QueueError;
use error::{classify, is_function_missing};
pub use hints::Hints;
pub use keys::patterns as key_patterns;
pub use library::Clock;
pub use rights::Role;
pub use tls::{AuthorityError, CertificateAuthority, is_certificate_refused};
pub use types::*;
pub use whereabouts::is_redis_url;

use crate::hiding::Reason;
use crate::job::Stage;
use crate::secret::Secret;

/// The longest reason that is stored with a job, in bytes.
const REASON_MAX_BYTES: usize = 1024;
/// How many jobs one call can claim, renew or settle at most.
pub const BATCH_MAX: usize = 128;
/// How many entries of a job's history are kept.
pub const HISTORY_MAX: usize = 32;
/// How many jobs one page of a listing holds at most.
pub const PAGE_MAX: usize = 100;
/// How many jobs a listing looks at for one page of a key's own.
pub const LOOKS_MAX: usize = 500;
/// How many places that results go to are remembered.
pub const DESTINATIONS_MAX: usize = 1000;
/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The lanes that a worker takes from, and how often it is a lane's turn.
/// Feedback, which somebody waits for, goes before reports; and what was fetched is
/// delivered before more is fetched.
const LANES: [(Stage, u32); 4] = [
    (Stage::Comment, 4),
    (Stage::Grade, 4),
    (Stage::Deliver, 3),
    (Stage::Fetch, 1),
];

/// Where the queue is.
#[derive(Debug, Clone)]
pub struct Address {
    /// A URL of Redis or of its Sentinels; it may hold a password.
    pub url: Secret,
    /// Who vouches for Redis, if its certificate is not to be judged by the system's
    /// list.
    pub certificate_authority: Option<CertificateAuthority>,
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

/// What holds where no setting says otherwise.
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
    write_probe: checks::WriteProbe,
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

    /// Words for people: the one way that a reason goes into a record.
    fn reason(self, words: &str) -> Self {
        let reason = Reason::of(words);
        self.arg(start_of(reason.as_str()))
    }
}

/// As much of a reason as is stored: a panic can bring any amount of words.
fn start_of(reason: &str) -> &str {
    let most = REASON_MAX_BYTES.min(reason.len());
    let end = (0..=most).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}

impl Queue {
    /// Prepares a queue; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`QueueError::Corrupt`] if the URL is not one of a Redis.
    pub fn new(address: &Address, terms: Terms) -> Result<Self, QueueError> {
        let connections = Connections::new(address).map_err(|error| QueueError::Corrupt {
            operation: "connect",
            detail: error.to_string(),
        })?;
        Ok(Self(Arc::new(Inner {
            tag: keys::tag(&address.namespace),
            terms,
            connections,
            library: Library::new(address.clock),
            write_probe: checks::WriteProbe::default(),
        })))
    }

    /// The terms that this queue was made with.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// Whether this version of the functions is there.
    async fn are_functions_loaded(&self) -> Result<bool, QueueError> {
        let name = self.0.library.name_of("version");
        Ok(self.loaded_version(&name).await?.is_some())
    }

    /// The version that the library of this function `version` was made from, if it is
    /// there.
    async fn loaded_version(&self, function: &str) -> Result<Option<String>, QueueError> {
        let version = redis::cmd("FCALL").arg(function).arg(0).to_owned();
        match self.send("hookme_version", &version).await {
            Ok(version) => Ok(Some(version)),
            Err(QueueError::Failed { source, .. }) if is_function_missing(&source) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Loads the functions if this version of them is not there yet.
    ///
    /// # Errors
    ///
    /// [`QueueError::Failed`] where the right for it is missing, [`QueueError::Refused`]
    /// where the memory is.
    pub async fn load_functions(&self) -> Result<(), QueueError> {
        if self.are_functions_loaded().await? {
            return Ok(());
        }
        // Another process may load it at the same moment, which makes this
        // load fail: what counts is whether it is there afterwards.
        let load = redis::cmd("FUNCTION")
            .arg("LOAD")
            .arg(&self.0.library.source)
            .to_owned();
        let loaded = self.send::<Value>("load the functions", &load).await;
        if matches!(self.are_functions_loaded().await, Ok(true)) {
            return Ok(());
        }
        loaded.map(|_| ())
    }

    /// Loads the functions for people, unless those that are there are of this version.
    /// They have the same names in all versions: the program that started last wins.
    ///
    /// # Errors
    ///
    /// As [`load_functions`](Self::load_functions). No program needs them.
    pub async fn load_functions_for_people(&self) -> Result<(), QueueError> {
        let library = &self.0.library;
        let loaded = self.loaded_version(Library::VERSION_FOR_PEOPLE).await?;
        if loaded.is_some_and(|version| version == library.version) {
            return Ok(());
        }
        let load = redis::cmd("FUNCTION")
            .arg("LOAD")
            .arg("REPLACE")
            .arg(&library.source_for_people)
            .to_owned();
        self.send::<Value>("load the functions for people", &load)
            .await
            .map(|_| ())
    }

    /// Declares a second key that never exists: where a cluster moves the slot, it then
    /// refuses the call on both sides (ASK, TRYAGAIN) instead of running it on one half of
    /// the keys.
    fn function(&self, function: &'static str) -> Call {
        self.function_on(function, &[&self.0.tag, &keys::never(&self.0.tag)])
    }

    /// A call of a function that declares these keys.
    fn function_on(&self, function: &'static str, keys: &[&str]) -> Call {
        let mut command = redis::cmd("FCALL");
        command
            .arg(self.0.library.name_of(function))
            .arg(keys.len())
            .arg(keys);
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
            Err(QueueError::Failed { source, .. }) if is_function_missing(&source) => {
                self.load_functions().await?;
                // Whatever lost the one lost the other too; the call does not need it.
                if let Err(error) = self.load_functions_for_people().await {
                    tracing::debug!(%error, "the functions for people could not be loaded");
                }
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
        let answer = self.0.connections.send(command).await;
        answer.map_err(|error| classify(operation, error))
    }
}
