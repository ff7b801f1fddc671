//! The jobs that the recipes are tried out on.

use std::time::Duration;

use hookme_shared::feedback::Grade;
use hookme_shared::job::{Fence, JobId, State};
use hookme_shared::queue::{Queue, Settled, Settlement};
use hookme_tests::{by_hand, eventually};

use super::HOUR;

/// Where the one comment is.
pub(crate) const COMMENT_URL: &str = "https://github.com/octocat/hello-world/pull/5#issuecomment-1";

/// One job of each kind, in the namespace that the section uses.
pub(crate) struct Jobs {
    pub(crate) waiting: JobId,
    pub(crate) retried: JobId,
    pub(crate) running: JobId,
    pub(crate) succeeded: JobId,
    pub(crate) dead: JobId,
    pub(crate) cancelled: JobId,
    /// Feedback that waits to be graded, for its comment, and for the webhook.
    pub(crate) ungraded: JobId,
    pub(crate) graded: JobId,
    pub(crate) commented: JobId,
}

impl Jobs {
    /// `hasty`: the same queue with leases that end soon.
    pub(crate) async fn make(queue: &Queue, hasty: &Queue) -> Self {
        let dead = crash_and_bury(hasty).await;
        let commented = commented(queue).await;
        let graded = graded(queue, 3, HOUR).await;
        let ungraded = by_hand::submit_feedback(queue, 4, 1, HOUR).await.unwrap();
        let about = [("version", "1".to_owned())];
        queue.renew(by_hand::WORKER, &about, &[]).await.unwrap();
        let (retried, fence) = claim(queue, "retried").await;
        queue.keep_report(retried, &fence, b"bytes").await.unwrap();
        let reason = "the webhook answered 503: so sorry".to_owned();
        let retry = Settlement::Retry {
            delay: HOUR,
            reason,
        };
        queue.settle(retried, &fence, &retry).await.unwrap();
        let (succeeded, fence) = claim(queue, "succeeded").await;
        queue.finish(&[(succeeded, fence)], &[]).await.unwrap();
        let cancelled = by_hand::submit(queue, "cancelled", HOUR).await.unwrap();
        queue.cancel(cancelled).await.unwrap();
        let (running, _) = claim(queue, "running").await;
        let waiting = by_hand::submit(queue, "hello-world", HOUR).await.unwrap();
        Self {
            waiting,
            retried,
            running,
            succeeded,
            dead,
            cancelled,
            ungraded,
            graded,
            commented,
        }
    }

    pub(crate) fn all(&self) -> [(State, JobId); 9] {
        [
            (State::Scheduled, self.waiting),
            (State::Scheduled, self.retried),
            (State::Running, self.running),
            (State::Succeeded, self.succeeded),
            (State::Dead, self.dead),
            (State::Cancelled, self.cancelled),
            (State::Scheduled, self.ungraded),
            (State::Scheduled, self.graded),
            (State::Scheduled, self.commented),
        ]
    }
}

async fn claim(queue: &Queue, repository: &str) -> (JobId, Fence) {
    by_hand::submit(queue, repository, Duration::ZERO)
        .await
        .unwrap();
    let one = by_hand::claim(queue, 1, 0)
        .await
        .unwrap()
        .jobs
        .pop()
        .unwrap();
    (one.job.id, one.fence)
}

/// A job whose first worker was lost, and which its second one gave up.
async fn crash_and_bury(queue: &Queue) -> JobId {
    claim(queue, "dead").await;
    let again = eventually(HOUR, "the job that crashed", async || {
        queue.reap(0.0).await.unwrap();
        let claimed = by_hand::claim(queue, 1, 0).await.unwrap().jobs.pop();
        claimed.ok_or("not yet".to_owned())
    });
    let again = again.await.unwrap();
    let reason = "GitHub has no repository octocat/dead".to_owned();
    let bury = Settlement::Bury { reason };
    queue
        .settle(again.job.id, &again.fence, &bury)
        .await
        .unwrap();
    again.job.id
}

/// Feedback that is graded, and whose comment may be made after `delay`.
async fn graded(queue: &Queue, pull_request: u64, delay: Duration) -> JobId {
    let submitted = by_hand::submit_feedback(queue, pull_request, 1, Duration::ZERO);
    let id = submitted.await.unwrap();
    let grade = Settlement::Grade(Grade {
        passed: 1,
        total: 2,
    });
    let defer = Settlement::Defer {
        delay,
        reason: "it waits".to_owned(),
    };
    for settlement in [grade, defer] {
        let claimed = by_hand::claim(queue, 1, 0).await.unwrap().jobs.remove(0);
        let settled = queue.settle(id, &claimed.fence, &settlement);
        assert_eq!(settled.await.unwrap(), Settled::Done);
    }
    id
}

/// Feedback whose comment exists, and of which the webhook wants to hear later.
async fn commented(queue: &Queue) -> JobId {
    let id = graded(queue, 5, Duration::ZERO).await;
    let fence = by_hand::claim(queue, 1, 0)
        .await
        .unwrap()
        .jobs
        .remove(0)
        .fence;
    queue.open_comment(id, &fence).await.unwrap();
    let closed = queue.close_comment(id, &fence, Some(COMMENT_URL));
    assert!(closed.await.unwrap());
    let retry = Settlement::Retry {
        delay: HOUR,
        reason: "the webhook answered 503".to_owned(),
    };
    queue.settle(id, &fence, &retry).await.unwrap();
    id
}
