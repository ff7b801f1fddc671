//! What a call meets: the jobs that are there before it.

use std::time::Duration;

use hookme_shared::destination::DEFAULT_ID;
use hookme_shared::feedback::Grade;
use hookme_shared::job::JobId;
use hookme_shared::queue::{DeliveryOutcome, Return, Settlement};
use hookme_tests::by_hand;
use redis::AsyncCommands;

use super::call::Call;
use super::scene::{Scene, WORKER};
use crate::virtual_queue::{LEASE, LONG, claim_of};

/// More than any job may be old.
const AGES: Duration = Duration::from_secs(8 * 24 * 60 * 60);
/// More than a kept report is good for.
const HOURS: Duration = Duration::from_secs(2 * 60 * 60);

impl Scene {
    /// Makes the jobs that the call meets.
    pub(super) async fn prepare(&mut self) {
        match self.call {
            Call::Submit | Call::SubmitNewer | Call::SubmitAfterStray => {
                self.prepare_submit().await;
            }
            Call::Claim
            | Call::ClaimAgain
            | Call::ClaimTooOld
            | Call::ClaimUnreadable
            | Call::ClaimToFetch
            | Call::ClaimNeedless => self.prepare_claim().await,
            Call::Grade | Call::OpenComment | Call::CloseComment | Call::CloseNoComment => {
                self.prepare_feedback().await;
            }
            Call::Cancel | Call::Revive | Call::Sweep => self.prepare_waiting().await,
            _ => self.prepare_running().await,
        }
    }

    async fn prepare_submit(&mut self) {
        match self.call {
            Call::SubmitNewer => {
                self.feedback(1).await;
                self.submission.work = by_hand::feedback(7, 2).unwrap();
            }
            Call::SubmitAfterStray => {
                let id = self.report("next").await;
                let lane = self.queue.key("scheduled:fetch");
                let () = self.queue.redis.zrem(lane, id.to_string()).await.unwrap();
            }
            _ => {}
        }
    }

    async fn prepare_claim(&mut self) {
        match self.call {
            Call::Claim => {
                self.report("one").await;
                self.report("two").await;
            }
            Call::ClaimAgain => {
                self.running("one").await;
                self.checkpoint().await;
                self.put_back(Duration::ZERO).await;
                self.queue.pass(HOURS * 4).await;
            }
            Call::ClaimTooOld => {
                self.report("one").await;
                self.queue.pass(AGES).await;
            }
            Call::ClaimUnreadable => {
                let id = self.report("one").await;
                self.queue.set_field(id, "created_ms", "x").await;
            }
            Call::ClaimToFetch => {
                self.running("one").await;
                self.kept().await;
                self.put_back(Duration::ZERO).await;
                self.queue.pass(HOURS).await;
            }
            Call::ClaimNeedless => {
                self.feedback(1).await;
                // It runs when the newer one comes, and waits when it is claimed.
                self.claimed().await;
                self.feedback(2).await;
                self.graded().await;
                self.queue.pass(LONG).await;
            }
            _ => {}
        }
    }

    async fn prepare_running(&mut self) {
        match self.call {
            Call::Finish | Call::Retry | Call::Release | Call::Renew | Call::Reap => {
                self.running("one").await;
                self.running("two").await;
                if self.call == Call::Reap {
                    self.leases_are_over().await;
                }
            }
            Call::ReapPoison => {
                let id = self.running("one").await;
                self.kept().await;
                self.queue.set_field(id, "crashes", "4").await;
                self.leases_are_over().await;
            }
            Call::Keep => {
                self.running("one").await;
            }
            Call::KeepCheckpoint | Call::GoWithoutReport => {
                self.running("one").await;
                self.checkpoint().await;
            }
            Call::FinishWithReport | Call::Bury => {
                self.running("one").await;
                self.kept().await;
            }
            Call::RetryTooOld => {
                self.running("one").await;
                self.kept().await;
                self.queue.pass(AGES).await;
            }
            Call::RetryCancelled => {
                let id = self.running("one").await;
                self.kept().await;
                self.queue.queue.cancel(id).await.unwrap();
            }
            _ => {}
        }
    }

    async fn prepare_feedback(&mut self) {
        match self.call {
            Call::Grade => {
                self.feedback(1).await;
                self.claimed().await;
            }
            Call::OpenComment | Call::CloseComment | Call::CloseNoComment => {
                self.feedback(1).await;
                self.claimed().await;
                self.graded().await;
                self.queue.pass(LONG).await;
                self.claimed().await;
                if self.call != Call::OpenComment {
                    let (id, fence) = self.held[0].clone();
                    self.queue.queue.open_comment(id, &fence).await.unwrap();
                }
            }
            _ => {}
        }
    }

    async fn prepare_waiting(&mut self) {
        match self.call {
            Call::Cancel => {
                self.running("one").await;
                self.kept().await;
                self.put_back(LONG).await;
            }
            Call::Revive => {
                self.running("one").await;
                let (id, fence) = self.held.remove(0);
                let dead = Settlement::Bury {
                    reason: "422".to_owned(),
                };
                self.queue.queue.settle(id, &fence, &dead).await.unwrap();
            }
            Call::Sweep => {
                self.running("one").await;
                self.kept().await;
                self.put_back(LONG).await;
                self.report("two").await;
                let gone = Return {
                    lease: "lease".to_owned(),
                    destination: DEFAULT_ID.to_owned(),
                    origin: "https://a.example".to_owned(),
                    outcome: DeliveryOutcome::Gone,
                    started_ms: 0,
                    slow: None,
                    reason: "410".to_owned(),
                };
                self.queue.queue.leave_destinations(&[gone]).await.unwrap();
            }
            _ => {}
        }
    }

    async fn report(&mut self, repository: &str) -> JobId {
        let id = self.queue.accepted(repository).await;
        self.jobs.push(id);
        id
    }

    async fn feedback(&mut self, commit: u32) {
        let queue = &self.queue.queue;
        let id = by_hand::submit_feedback(queue, 7, commit, Duration::ZERO);
        self.jobs.push(id.await.unwrap());
    }

    /// Submits a report and claims it.
    async fn running(&mut self, repository: &str) -> JobId {
        let id = self.report(repository).await;
        self.claimed().await;
        id
    }

    async fn claimed(&mut self) {
        self.held
            .push(claim_of(&self.queue.claim_one(WORKER).await));
    }

    async fn kept(&mut self) {
        let (id, fence) = &self.held[0];
        let kept = self.queue.queue.keep_report(*id, fence, b"report");
        kept.await.unwrap();
    }

    async fn checkpoint(&mut self) {
        let (id, fence) = &self.held[0];
        let kept = self.queue.queue.keep_checkpoint(*id, fence, b"page 1");
        assert!(kept.await.unwrap());
    }

    async fn put_back(&mut self, delay: Duration) {
        let (id, fence) = self.held.remove(0);
        let later = Settlement::Defer {
            delay,
            reason: "its turn".to_owned(),
        };
        self.queue.queue.settle(id, &fence, &later).await.unwrap();
    }

    async fn graded(&mut self) {
        let (id, fence) = self.held.remove(0);
        let graded = Settlement::Grade(Grade {
            passed: 1,
            total: 2,
        });
        self.queue.queue.settle(id, &fence, &graded).await.unwrap();
    }

    /// Until the next reap takes them back.
    async fn leases_are_over(&mut self) {
        for _ in 0..6 {
            self.queue.queue.reap(0.0).await.unwrap();
            self.queue.pass(LEASE / 5).await;
        }
    }
}
