//! A client and a worker whose every step a test decides: for what no timing may
//! decide.

use std::time::Duration;

use anyhow::bail;
use hookme_shared::job::JobId;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Batch, ClaimRequest, Queue, Submission, Submitted, Work};

/// The worker that claims here.
pub const WORKER: &str = "by-hand";
/// The owner of all repositories here.
pub const OWNER: &str = "octocat";

/// Submits a task that is due after `delay`.
///
/// # Errors
///
/// When it is not taken.
pub async fn submit(queue: &Queue, repository: &str, delay: Duration) -> anyhow::Result<JobId> {
    let task = Submission {
        id: JobId::random(),
        work: Work::Report,
        username: Username::parse(OWNER)?,
        repository: RepositoryName::parse(repository)?,
        delay,
        idempotency: None,
    };
    match queue.submit(&task).await? {
        Submitted::Accepted(receipt) => Ok(receipt.id),
        other => bail!("{repository}: {other:?}"),
    }
}

/// Claims at most `wanted` due jobs, for a worker that holds nothing. `turn` says
/// whose turn it is among the lanes.
///
/// # Errors
///
/// When Redis does not answer.
pub async fn claim(queue: &Queue, wanted: usize, turn: u32) -> anyhow::Result<Batch> {
    let request = ClaimRequest {
        request: JobId::random().to_string(),
        wanted,
        holds_nothing: true,
        turn,
        asking: None,
        fetches: true,
    };
    Ok(queue.claim(WORKER, &request).await?)
}
