//! The calls that serve workers: claim, progress, heartbeat and settlement.

use std::time::Duration;

use redis::Value;

use super::{
    Advanced, AttemptEnd, BATCH_MAX, Batch, ClaimRequest, LANES, Loaded, MadeReport, Queue,
    QueueError, Renewed, Settled, Settlement, Terms, keys, reply,
};
use crate::job::{Fence, JobId, Stage, Truncated};
use crate::span::whole_ms;

impl Queue {
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
        call = match &request.asking {
            Some((identity, pace)) => call
                .arg(&identity.name)
                .arg(&identity.token)
                .arg(whole_ms(pace.write_gap))
                .arg(pace.content_per_minute)
                .arg(pace.content_per_hour),
            None => call.arg("").arg("").arg(0).arg(0).arg(0),
        };
        let wanted = |stage| request.fetches || stage != Stage::Fetch;
        for (stage, weight) in LANES.into_iter().filter(|(stage, _)| wanted(*stage)) {
            call = call.arg(stage.as_str()).arg(weight);
        }
        self.call(call, |value| reply::batch(worker, value)).await
    }

    /// Reads the kept report of a claimed job, to be sent at once.
    pub async fn load_report(&self, id: JobId, fence: &Fence) -> Result<Loaded, QueueError> {
        self.load(id, fence, "report").await
    }

    /// Reads what an evaluator found, as JSON, for the claimed job that was made of it.
    pub async fn load_evaluation(&self, id: JobId, fence: &Fence) -> Result<Loaded, QueueError> {
        self.load(id, fence, "evaluation").await
    }

    async fn load(&self, id: JobId, fence: &Fence, what: &str) -> Result<Loaded, QueueError> {
        let call = self
            .function("load")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(what);
        self.call(call, reply::loaded).await
    }

    /// Notes that a request for a claimed job's comment is about to be sent. Only then may
    /// it be, and once; the next needs a note of its own: says how many comments of this job were begun that may exist; `None` if
    /// the job is no longer the caller's.
    pub async fn open_comment(&self, id: JobId, fence: &Fence) -> Result<Option<u32>, QueueError> {
        let call = self
            .function("comment_open")
            .arg(id.to_string())
            .arg(fence.as_str());
        self.call(call, reply::comment_opened).await
    }

    /// Notes that a claimed job's comment is at `url`, and that its delivery comes
    /// next; or without one that what this claim opened has certainly made no comment. Says
    /// whether the job was still the caller's.
    pub async fn close_comment(
        &self,
        id: JobId,
        fence: &Fence,
        url: Option<&str>,
    ) -> Result<bool, QueueError> {
        let call = self
            .function("comment_close")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(url.unwrap_or_default());
        self.call(call, reply::comment_closed).await
    }

    /// Keeps how far a fetch has come, in its stored form, to go on from there in a
    /// later attempt. Says whether it was kept; if not, the fetch begins anew.
    pub async fn keep_checkpoint(
        &self,
        id: JobId,
        fence: &Fence,
        stored: &[u8],
    ) -> Result<bool, QueueError> {
        let kept = self.keep(id, fence, Stage::Fetch, stored.into()).await?;
        Ok(matches!(kept, Some(Advanced::Stored { .. })))
    }

    /// Keeps a report's stored form, and notes that delivery comes next. Where
    /// there is no room for it the job stays at the fetch, but the body is
    /// numbered all the same.
    pub async fn keep_report<'a>(
        &self,
        id: JobId,
        fence: &Fence,
        made: impl Into<MadeReport<'a>>,
    ) -> Result<Advanced, QueueError> {
        let made = made.into();
        match self.keep(id, fence, Stage::Deliver, made).await? {
            Some(advanced) => Ok(advanced),
            None => self.advance_without(id, fence, made.truncated).await,
        }
    }

    /// Stores bytes with the stage that comes next: `None` if there is no room. Only
    /// a stage after the fetch makes a new body.
    async fn keep(
        &self,
        id: JobId,
        fence: &Fence,
        next: Stage,
        made: MadeReport<'_>,
    ) -> Result<Option<Advanced>, QueueError> {
        let call = self
            .function("keep")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(next.as_str())
            .arg(made.bytes)
            .arg(self.0.terms.reports_max_bytes)
            .arg(u8::from(next != Stage::Fetch))
            .arg(made.truncated.names().join(","));
        match self.call(call, reply::advanced).await {
            Err(QueueError::Refused { source, .. }) if source.code() == Some("OOM") => Ok(None),
            answered => answered,
        }
    }

    /// Numbers a new body for a job whose report is not kept.
    pub async fn go_without_report(
        &self,
        id: JobId,
        fence: &Fence,
    ) -> Result<Advanced, QueueError> {
        self.advance_without(id, fence, Truncated::default()).await
    }

    async fn advance_without(
        &self,
        id: JobId,
        fence: &Fence,
        truncated: Truncated,
    ) -> Result<Advanced, QueueError> {
        let call = self
            .function("advance")
            .arg(id.to_string())
            .arg(fence.as_str())
            .arg(Stage::Fetch.as_str())
            .arg(1)
            .arg(truncated.names().join(","));
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

    /// Finishes jobs: one answer for each, in order. `statuses` are those of the last
    /// answers that the attempts got from outside, in the same order; for what is beyond
    /// its end there is none.
    pub async fn finish(
        &self,
        claims: &[(JobId, Fence)],
        statuses: &[Option<u16>],
    ) -> Result<Vec<Settled>, QueueError> {
        let mut call = self.function("finish");
        for (place, (id, fence)) in claims.iter().enumerate() {
            call = call
                .arg(id.to_string())
                .arg(fence.as_str())
                .arg(digits(statuses.get(place).copied().flatten()));
        }
        self.call(call, reply::settled).await
    }

    /// Settles one job.
    pub async fn settle<'a>(
        &self,
        id: JobId,
        fence: &Fence,
        end: impl Into<AttemptEnd<'a>>,
    ) -> Result<Settled, QueueError> {
        let AttemptEnd { settlement, status } = end.into();
        let back = |function, delay: Duration, reason: &str| {
            self.function(function)
                .arg(whole_ms(self.0.terms.job_max_age))
                .arg(id.to_string())
                .arg(fence.as_str())
                .arg(whole_ms(delay))
                .reason(reason)
                .arg(digits(status))
        };
        let call = match settlement {
            Settlement::Finish => self
                .function("finish")
                .arg(id.to_string())
                .arg(fence.as_str())
                .arg(digits(status)),
            Settlement::Grade(grade) => {
                let words = format!("{} of {} requirements are met", grade.passed, grade.total);
                back("grade", Duration::ZERO, &words)
                    .arg(grade.passed)
                    .arg(grade.total)
            }
            Settlement::Retry { delay, reason } => back("retry", *delay, reason),
            Settlement::Defer { delay, reason } => back("defer", *delay, reason),
            Settlement::Release { reason } => back("release", Duration::ZERO, reason),
            Settlement::Bury { reason } => self
                .function("bury")
                .arg(id.to_string())
                .arg(fence.as_str())
                .reason(reason)
                .arg(digits(status)),
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
}

/// A status as the functions take it.
fn digits(status: Option<u16>) -> String {
    status.map(|status| status.to_string()).unwrap_or_default()
}
