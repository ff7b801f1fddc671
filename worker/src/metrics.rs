//! What this worker counts, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hookme_shared::queue::{Settled, Settlement};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    end: &'static str,
}

/// How a request to GitHub ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// With an answer.
    Answered,
    /// With the word that the kept answer still holds.
    Unchanged,
    /// With a refusal that makes everybody wait.
    Refused,
    /// Without an answer.
    Failed,
}

/// The counters of one worker.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    lateness: Histogram,
    duration: Histogram,
    ends: Family<End, Counter<u64, AtomicU64>>,
    stale: Counter<u64, AtomicU64>,
    asked: Family<End, Counter<u64, AtomicU64>>,
    unasked: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hookme");
        // From 1 ms to about 17 minutes.
        let buckets = || exponential_buckets(0.001, 4.0, 11);
        let (lateness, duration) = (Histogram::new(buckets()), Histogram::new(buckets()));
        let (ends, stale) = (Family::default(), Counter::default());
        let (asked, unasked) = (Family::default(), Counter::default());
        registry.register_with_unit(
            "lateness",
            "From when a job was due to its claim",
            Unit::Seconds,
            lateness.clone(),
        );
        registry.register_with_unit(
            "attempt_duration",
            "From claim to the end of the attempt",
            Unit::Seconds,
            duration.clone(),
        );
        registry.register("attempts", "Attempts by how they ended", ends.clone());
        registry.register(
            "stale_attempts",
            "Attempts that another claim had overtaken",
            stale.clone(),
        );
        registry.register(
            "github_requests",
            "Requests to GitHub by how they ended",
            asked.clone(),
        );
        registry.register(
            "github_answers_used_again",
            "Answers of GitHub that were used without asking again",
            unasked.clone(),
        );
        Self {
            registry,
            lateness,
            duration,
            ends,
            stale,
            asked,
            unasked,
        }
    }
}

impl Metrics {
    /// A job was claimed, `late_ms` after it was due.
    pub fn claimed(&self, late_ms: u64) {
        self.lateness
            .observe(Duration::from_millis(late_ms).as_secs_f64());
    }

    /// An attempt ended after `duration`; `None` if its job was lost.
    pub fn attempt_ended(&self, end: Option<&Settlement>, duration: Duration) {
        let end = match end {
            Some(Settlement::Finish) => "finish",
            Some(Settlement::Grade(_)) => "grade",
            Some(Settlement::Retry { .. }) => "retry",
            Some(Settlement::Defer { .. }) => "defer",
            Some(Settlement::Release { .. }) => "release",
            Some(Settlement::Bury { .. }) => "bury",
            None => "lost",
        };
        self.ends.get_or_create(&End { end }).inc();
        self.duration.observe(duration.as_secs_f64());
    }

    /// Redis answered a settlement.
    pub fn settled(&self, answer: Settled) {
        if matches!(answer, Settled::Stale | Settled::Gone) {
            self.stale.inc();
        }
    }

    /// A request to GitHub ended.
    pub fn asked_github(&self, asked: Asked) {
        let end = match asked {
            Asked::Answered => "answered",
            Asked::Unchanged => "unchanged",
            Asked::Refused => "refused",
            Asked::Failed => "failed",
        };
        self.asked.get_or_create(&End { end }).inc();
    }

    /// A kept answer was used without asking GitHub.
    pub fn used_again(&self) {
        self.unasked.inc();
    }

    /// The counters in Prometheus's text format.
    ///
    /// # Errors
    ///
    /// If the text cannot be written, which a string never refuses.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
