//! What both programs do before their work: reach Redis, load the functions,
//! and refuse a Redis that would lose jobs.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::causes;
use crate::queue::{
    Address, Clock, Complaint, Queue, QueueError, Role, Severity, Terms, is_certificate_refused,
};
use crate::secret::Secret;
use crate::settings::RedisSettings;

/// How long a program waits for a Redis that does not answer yet.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Redis is not there, or said something that makes no sense.
    #[error("redis at REDIS_URL cannot be used; is it running and reachable from here?")]
    Redis(#[source] QueueError),
    /// Redis is there, but does not know the user or the password.
    #[error("redis refuses the user or the password of REDIS_URL")]
    Login(#[source] QueueError),
    /// Redis is there, but nobody who is trusted vouches for it.
    #[error(
        "redis at REDIS_URL shows a certificate that is not trusted for this host; REDIS_CA_FILE names the file of who vouches for it"
    )]
    Certificate(#[source] QueueError),
    /// The functions are missing, and this user may not load them.
    #[error(
        "the queue's functions are not in this Redis, and the user of REDIS_URL may not load them; somebody who may loads them once for all: REDIS_URL='{0}' api --load-functions"
    )]
    NoFunctions(String),
    /// The functions were to be loaded, by a user who may not.
    #[error(
        "the user of REDIS_URL may not load the queue's functions, or not call them; load them as one who may, with the rights +fcall +function|load: REDIS_URL='{0}' api --load-functions"
    )]
    MayNotLoad(String),
    /// The user lacks rights, so that a job could be left half-way.
    #[error("{0}")]
    Rights(String),
    /// The queue cannot work on this Redis, whatever the operator allows.
    #[error("{0}")]
    Unusable(String),
    /// Redis is there but not to be trusted with jobs.
    #[error("this Redis is unsafe for jobs (ALLOW_UNSAFE_REDIS=true takes it all the same):{}", list(.0))]
    Unsafe(Vec<Complaint>),
}

fn list(complaints: &[Complaint]) -> String {
    complaints.iter().fold(String::new(), |lines, complaint| {
        lines + "\n  " + &complaint.text
    })
}

/// The address of the queue that `redis` names. A call that gets no answer
/// within `response_timeout` fails.
#[must_use]
pub fn address(redis: &RedisSettings, response_timeout: Duration) -> Address {
    Address {
        url: redis.url.clone(),
        certificate_authority: redis.certificate_authority.clone(),
        namespace: redis.namespace.clone(),
        response_timeout,
        clock: Clock::Redis,
    }
}

/// Loads the functions into Redis, for programs whose user may not. Waits for a Redis
/// that does not answer yet, up to a minute.
///
/// # Errors
///
/// [`StartError`] says what to mend.
pub async fn load_functions(address: &Address) -> Result<(), StartError> {
    let queue = Queue::new(address, Terms::default()).map_err(StartError::Redis)?;
    let redis = host_of(&address.url);
    let loaded = async {
        answered(redis, || queue.load_functions()).await?;
        answered(redis, || queue.load_functions_for_people()).await
    };
    loaded.await.map_err(|error| match error {
        error if error.is_denied() => StartError::MayNotLoad(deploy_url(&address.url)),
        error => told(error),
    })
}

/// Connects to a Redis that is fit for the jobs of `role`, with the functions loaded.
/// Waits for one that does not answer yet, up to a minute; `None` if `shutdown` came first.
///
/// # Errors
///
/// [`StartError`] says what to mend.
pub async fn ready_queue(
    address: &Address,
    role: Role,
    terms: Terms,
    allow_unsafe: bool,
    shutdown: &CancellationToken,
) -> Result<Option<Queue>, StartError> {
    let ready = ready(address, role, terms, allow_unsafe);
    shutdown.run_until_cancelled(ready).await.transpose()
}

async fn ready(
    address: &Address,
    role: Role,
    terms: Terms,
    allow_unsafe: bool,
) -> Result<Queue, StartError> {
    let queue = Queue::new(address, terms).map_err(StartError::Redis)?;
    let redis = host_of(&address.url);
    let missing = answered(redis, || queue.missing_rights(role)).await;
    let missing = missing.map_err(|error| match error {
        error if error.is_denied() => StartError::NoFunctions(deploy_url(&address.url)),
        error => told(error),
    })?;
    // Not one of the dangers that an operator can choose to live with.
    if !missing.is_empty() {
        return Err(StartError::Rights(queue.about_rights(&missing)));
    }
    let complaints = answered(redis, || queue.complaints(role)).await;
    let complaints = complaints.map_err(told)?;
    let (reasons, notes): (Vec<_>, Vec<_>) = complaints
        .into_iter()
        .partition(|complaint| complaint.forbids_start(allow_unsafe));
    for note in notes {
        tracing::warn!("{}", note.text);
    }
    let is_unusable = |reason: &Complaint| reason.severity == Severity::Unusable;
    if let Some(reason) = reasons.iter().find(|reason| is_unusable(reason)) {
        return Err(StartError::Unusable(reason.text.clone()));
    }
    if !reasons.is_empty() {
        return Err(StartError::Unsafe(reasons));
    }
    load_for_people(&queue).await;
    Ok(queue)
}

/// Loads the functions for people, if that is possible. No job waits for them.
async fn load_for_people(queue: &Queue) {
    match queue.load_functions_for_people().await {
        Ok(()) => {}
        // Then whoever may has loaded them with the others.
        Err(error) if error.is_denied() => {
            tracing::debug!(%error, "the functions for people are not loaded");
        }
        Err(error) => {
            tracing::warn!(%error, "hookme_explain and hookme_counts are missing or of another version");
        }
    }
}

/// `url` as the user whose task it is to load functions has it, without a password.
fn deploy_url(url: &Secret) -> String {
    let scheme = url
        .expose()
        .split_once("://")
        .map_or("redis", |parts| parts.0);
    format!("{scheme}://hookme_deploy:PASSWORD@{}", host_of(url))
}

/// Where `url` leads: what stands behind the login.
fn host_of(url: &Secret) -> &str {
    let rest = url.expose().split_once("://").map_or("", |parts| parts.1);
    rest.rsplit_once('@').map_or(rest, |(_login, host)| host)
}

fn told(error: QueueError) -> StartError {
    if is_login_refused(&error) {
        StartError::Login(error)
    } else if is_certificate_refused(&error) {
        StartError::Certificate(error)
    } else {
        StartError::Redis(error)
    }
}

/// Whether asking again is of no use: the same login will be refused again.
fn is_login_refused(error: &QueueError) -> bool {
    match error {
        QueueError::Refused { source, .. } => {
            source.kind() == redis::ErrorKind::AuthenticationFailed
                || matches!(source.code(), Some("NOAUTH" | "WRONGPASS"))
        }
        QueueError::Unavailable { .. } | QueueError::Failed { .. } | QueueError::Corrupt { .. } => {
            false
        }
    }
}

/// What Redis says to `ask`, as soon as it answers. `redis` is where it is, for people.
async fn answered<T, A>(redis: &str, ask: impl Fn() -> A) -> Result<T, QueueError>
where
    A: Future<Output = Result<T, QueueError>>,
{
    let since = Instant::now();
    let mut told = false;
    loop {
        match ask().await {
            Err(error)
                if error.passes()
                    && since.elapsed() < PATIENCE
                    && !is_login_refused(&error)
                    && !is_certificate_refused(&error) =>
            {
                if !told {
                    tracing::warn!(
                        redis,
                        error = causes(&error),
                        patience_s = PATIENCE.as_secs(),
                        "waiting for redis"
                    );
                    told = true;
                }
                tokio::time::sleep(AGAIN).await;
            }
            decided => return decided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_to_load_functions_with_shows_no_password() {
        for (given, shown) in [
            (
                "redis://localhost:6379",
                "redis://hookme_deploy:PASSWORD@localhost:6379",
            ),
            (
                "rediss://api:canary@r:1/2",
                "rediss://hookme_deploy:PASSWORD@r:1/2",
            ),
            ("redis://:can@ary@r", "redis://hookme_deploy:PASSWORD@r"),
        ] {
            assert_eq!(deploy_url(&Secret::from(given.to_owned())), shown);
        }
    }
}
