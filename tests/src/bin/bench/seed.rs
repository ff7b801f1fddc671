//! Fills the queue, by the transitions that fill it in production.

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use hookme_shared::job::JobId;
use hookme_shared::names::{RepositoryName, Username};
use hookme_shared::queue::{
    Advanced, BATCH_MAX, ClaimRequest, Claimed, Queue, Settlement, Submission, Submitted, Work,
};
use hookme_worker::report::{KeptReport, Omissions};

use crate::raw_loop::BODY_BYTES;

/// Calls under way at once.
const AT_ONCE: usize = 128;

/// The names that the job of this number is for; no two have the same.
pub(crate) fn names(number: usize) -> (String, String) {
    (
        format!("organization-{:03}", number % 1_000),
        format!("repository-{number:06}"),
    )
}

/// Submits jobs that fall due after `delay` of their number, from `first` on.
pub(crate) async fn submit(
    queue: &Queue,
    numbers: std::ops::Range<usize>,
    delay: impl Fn(usize) -> Duration,
) -> anyhow::Result<()> {
    let calls = stream::iter(numbers).map(|number| {
        let delay = delay(number);
        async move {
            let (username, repository) = names(number);
            let submission = Submission {
                id: JobId::random(),
                work: Work::Report,
                username: Username::parse(&username)?,
                repository: RepositoryName::parse(&repository)?,
                delay,
                owner: None,
                destination: None,
                idempotency: None,
            };
            let answer = queue.submit(&submission).await?;
            ensure!(matches!(answer, Submitted::Accepted(_)), "{answer:?}");
            anyhow::Ok(())
        }
    });
    calls.buffer_unordered(AT_ONCE).try_collect().await
}

/// Takes every job once to where its report is kept and its delivery has failed:
/// it is due again at once, in the stage of delivery.
pub(crate) async fn fail_first_delivery(queue: &Queue) -> anyhow::Result<()> {
    let body = Bytes::from(vec![b'x'; BODY_BYTES - 1]);
    let kept = KeptReport {
        body,
        omissions: Omissions::default(),
    }
    .compress();
    let retry = Settlement::Retry {
        delay: Duration::ZERO,
        reason: "the webhook answered 503".to_owned(),
    };
    let mut open = Vec::new();
    for request in 0.. {
        let request = ClaimRequest {
            request: format!("{request:016x}"),
            wanted: BATCH_MAX,
            holds_nothing: false,
            turn: 0,
            asking: None,
            fetches: true,
        };
        let batch = queue.claim("seed", &request).await?;
        if batch.jobs.is_empty() {
            break;
        }
        let keep = async |job: Claimed| {
            let answer = queue.keep_report(job.job.id, &job.fence, &kept).await?;
            ensure!(matches!(answer, Advanced::Stored { .. }), "{answer:?}");
            anyhow::Ok(())
        };
        let claimed = stream::iter(batch.jobs.clone()).map(Ok);
        claimed.try_for_each_concurrent(AT_ONCE, keep).await?;
        open.extend(batch.jobs);
    }
    let fail = async |job: Claimed| {
        queue.settle(job.job.id, &job.fence, &retry).await?;
        Ok(())
    };
    let open = stream::iter(open).map(Ok);
    open.try_for_each_concurrent(AT_ONCE, fail).await
}
