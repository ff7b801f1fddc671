//! What both programs do before their work: reach Redis, load the functions,
//! and refuse a Redis that would lose jobs.

use std::time::{Duration, Instant};

use crate::queue::{Address, Clock, Complaint, Queue, QueueError, Terms};
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
        namespace: redis.namespace.clone(),
        response_timeout,
        clock: Clock::Redis,
    }
}

/// Connects to a Redis that is fit for jobs, with the functions loaded. Waits
/// for one that does not answer yet, up to a minute.
///
/// # Errors
///
/// [`StartError`] says what to mend.
pub async fn ready_queue(
    address: &Address,
    terms: Terms,
    allow_unsafe: bool,
) -> Result<Queue, StartError> {
    let queue = Queue::new(address, terms).map_err(StartError::Redis)?;
    let complaints = answered(&queue).await.map_err(StartError::Redis)?;
    let (dangers, notes): (Vec<_>, Vec<_>) = complaints
        .into_iter()
        .partition(|complaint| complaint.unsafe_for_jobs && !allow_unsafe);
    for note in notes {
        tracing::warn!("{}", note.text);
    }
    if dangers.is_empty() {
        Ok(queue)
    } else {
        Err(StartError::Unsafe(dangers))
    }
}

/// Loads the functions and looks Redis over, as soon as it answers.
async fn answered(queue: &Queue) -> Result<Vec<Complaint>, QueueError> {
    let since = Instant::now();
    let mut told = false;
    loop {
        let complaints = match queue.load_functions().await {
            Ok(()) => queue.complaints().await,
            Err(error) => Err(error),
        };
        match complaints {
            Err(error @ QueueError::Unavailable { .. }) if since.elapsed() < PATIENCE => {
                if !told {
                    tracing::warn!(%error, patience_s = PATIENCE.as_secs(), "waiting for redis");
                    told = true;
                }
                tokio::time::sleep(AGAIN).await;
            }
            decided => return decided,
        }
    }
}
