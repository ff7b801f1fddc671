//! One call of a program to the queue, with the jobs that it meets.

use hookme_shared::destination::DEFAULT_ID;
use hookme_shared::job::{Fence, JobId, Stage};
use hookme_shared::queue::{ClaimRequest, Queue, QueueError, Submission, Submitted};
use hookme_tests::site::audit::{self, Reach};
use hookme_tests::site::live;

use super::call::Call;
use crate::virtual_queue::{LONG, VirtualQueue, claim_of, task};

/// The worker of the jobs that run.
pub(super) const WORKER: &str = "worker";

/// A queue with the jobs that a call meets, and a user who may be denied rights.
pub(super) struct Scene {
    pub(super) queue: VirtualQueue,
    /// The queue as that user sees it.
    pub(super) as_user: Queue,
    user: String,
    pub(super) call: Call,
    /// Every job that was taken.
    pub(super) jobs: Vec<JobId>,
    /// The claims that are held.
    pub(super) held: Vec<(JobId, Fence)>,
    request: ClaimRequest,
    pub(super) submission: Submission,
}

impl Scene {
    pub(super) async fn new(call: Call) -> Self {
        let mut queue = VirtualQueue::new().await;
        let user = queue.tag.trim_matches(['{', '}']).to_owned();
        let request = queue.request(2, true);
        let mut made = Self {
            as_user: queue.as_user(&format!("{user}:password")).await,
            user,
            call,
            jobs: Vec::new(),
            held: Vec::new(),
            request,
            submission: task("next"),
            queue,
        };
        made.set_user(&format!("on >password ~{}* +@all", made.queue.tag))
            .await;
        made.prepare().await;
        made
    }

    /// Changes the user, in the words of `ACL SETUSER`.
    pub(super) async fn set_user(&self, rules: &str) {
        let mut set = redis::cmd("ACL");
        set.arg("SETUSER")
            .arg(&self.user)
            .arg(rules.split(' ').collect::<Vec<_>>());
        let () = set
            .query_async(&mut self.queue.redis.clone())
            .await
            .unwrap();
    }

    /// The call; an error if Redis fails it.
    pub(super) async fn call(&mut self) -> Result<(), QueueError> {
        let queue = &self.as_user;
        let claim = self.held.first().cloned();
        let held = || claim.clone().unwrap();
        if let Some(settlement) = self.call.settlement() {
            queue.settle(held().0, &held().1, &settlement).await?;
            return Ok(());
        }
        match self.call {
            Call::Submit | Call::SubmitNewer | Call::SubmitAfterStray => {
                let taken = queue.submit(&self.submission).await?;
                assert!(matches!(taken, Submitted::Accepted(_)), "{taken:?}");
                self.jobs.push(self.submission.id);
            }
            Call::Claim
            | Call::ClaimAgain
            | Call::ClaimTooOld
            | Call::ClaimUnreadable
            | Call::ClaimToFetch
            | Call::ClaimNeedless => {
                queue.claim(WORKER, &self.request).await?;
            }
            Call::Keep => {
                queue.keep_report(held().0, &held().1, b"report").await?;
            }
            Call::KeepCheckpoint => {
                queue
                    .keep_checkpoint(held().0, &held().1, b"page 2")
                    .await?;
            }
            Call::GoWithoutReport => {
                queue.go_without_report(held().0, &held().1).await?;
            }
            Call::Renew => {
                let about = [("host", "h".to_owned())];
                queue.renew(WORKER, &about, &self.held).await?;
            }
            Call::Finish | Call::FinishWithReport => {
                queue.finish(&self.held, &[]).await?;
            }
            Call::OpenComment => {
                queue.open_comment(held().0, &held().1).await?;
            }
            Call::CloseComment => {
                let url = Some("https://github.example/c/1");
                queue.close_comment(held().0, &held().1, url).await?;
            }
            Call::CloseNoComment => {
                queue.close_comment(held().0, &held().1, None).await?;
            }
            Call::Reap | Call::ReapPoison => {
                queue.reap(0.0).await?;
            }
            Call::Cancel => {
                queue.cancel(self.jobs[0]).await?;
            }
            Call::Revive => {
                queue.revive(self.jobs[0]).await?;
            }
            Call::Sweep => {
                for lane in [Stage::Deliver, Stage::Fetch] {
                    queue.sweep_destination(DEFAULT_ID, lane, "").await?;
                }
            }
            _ => unreachable!("it settles"),
        }
        Ok(())
    }

    /// Lets everybody else go on until nothing is left to do; returns what is wrong then:
    /// each job that was taken has ended as it should, and nothing is left over.
    pub(super) async fn faults(&mut self) -> Vec<String> {
        if self.call == Call::SubmitAfterStray {
            // Only the next task of its scope finds a job that is in no set.
            self.queue.submit("next").await;
        }
        self.queue.pass(LONG * 2).await;
        self.work_off().await;
        for _ in 0..2 {
            if live(&self.queue.queue.counts().await.unwrap()) > 0 {
                self.queue.let_leases_run_out().await;
                self.queue.pass(LONG * 2).await;
                self.work_off().await;
            }
        }
        let tag = self.queue.tag.clone();
        let left = audit::left_overs(&mut self.queue.redis, &tag, Reach::Namespace).await;
        let mut faults = left.unwrap();
        for id in &self.jobs {
            let state = self.queue.field(*id, "state").await.unwrap_or_default();
            let ends = self.call.ends_as();
            if !ends.iter().any(|end| end.as_str() == state) {
                faults.push(format!("job {id} is {state:?}, not one of {ends:?}"));
            }
        }
        for repository in ["one", "two", "next"] {
            let again = self.queue.submit(repository).await;
            if !matches!(again, Submitted::Accepted(_) | Submitted::Disabled { .. }) {
                faults.push(format!("{repository}: {again:?}"));
            }
        }
        faults
    }

    /// Finishes whatever can be claimed.
    async fn work_off(&mut self) {
        for _ in 0..10 {
            let batch = self.queue.claim("other", 5, true).await;
            let claims: Vec<_> = batch.jobs.iter().map(claim_of).collect();
            if claims.is_empty() {
                return;
            }
            self.queue.queue.finish(&claims, &[]).await.unwrap();
        }
    }
}
