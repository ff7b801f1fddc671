//! A client and a worker whose every step a test decides: for what no timing may
//! decide.

use std::time::Duration;

use anyhow::bail;
use hookme_shared::feedback::{Commit, Evaluation, PullRequest, Requirement};
use hookme_shared::job::JobId;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{Batch, ClaimRequest, Queue, Submission, Submitted, Work};

/// The worker that claims here.
pub const WORKER: &str = "by-hand";
/// The owner of all repositories here.
pub const OWNER: &str = "octocat";
/// The repository of all pull requests here.
pub const REPOSITORY: &str = "hello-world";

/// Submits the task of a report that is due after `delay`.
///
/// # Errors
///
/// When it is not taken.
pub async fn submit(queue: &Queue, repository: &str, delay: Duration) -> anyhow::Result<JobId> {
    taken(offer(queue, repository, Work::Report, delay).await?)
}

/// Submits the feedback on a commit of [`REPOSITORY`], which [`sha`] numbers, that is
/// due after `delay`.
///
/// # Errors
///
/// When it is not taken.
pub async fn submit_feedback(
    queue: &Queue,
    pull_request: u64,
    commit: u32,
    delay: Duration,
) -> anyhow::Result<JobId> {
    let work = feedback(pull_request, commit)?;
    taken(offer(queue, REPOSITORY, work, delay).await?)
}

/// Submits a task, whatever becomes of it.
///
/// # Errors
///
/// When Redis does not answer.
pub async fn offer(
    queue: &Queue,
    repository: &str,
    work: Work,
    delay: Duration,
) -> anyhow::Result<Submitted> {
    let task = Submission {
        id: JobId::random(),
        username: Username::parse(OWNER)?,
        repository: RepositoryName::parse(repository)?,
        work,
        delay,
        owner: None,
        destination: None,
        idempotency: None,
    };
    Ok(queue.submit(&task).await?)
}

fn taken(submitted: Submitted) -> anyhow::Result<JobId> {
    match submitted {
        Submitted::Accepted(receipt) => Ok(receipt.id),
        other => bail!("{other:?}"),
    }
}

/// The feedback on a commit: one of two requirements is met.
///
/// # Errors
///
/// When there is no such pull request.
pub fn feedback(pull_request: u64, commit: u32) -> anyhow::Result<Work> {
    Ok(Work::Feedback {
        pull_request: PullRequest::new(pull_request)?,
        commit: Commit::parse(&sha(commit))?,
        evaluation: evaluation(),
    })
}

/// The SHA of the commit that a test calls by this number.
#[must_use]
pub fn sha(commit: u32) -> String {
    format!("{commit:040x}")
}

/// What an evaluator found.
#[must_use]
pub fn evaluation() -> Evaluation {
    let requirement = |description: &str, grade| Requirement {
        description: description.to_owned(),
        grade,
    };
    Evaluation {
        username: "student".to_owned(),
        requirements: vec![requirement("a", 3.0), requirement("b", 1.0)],
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
