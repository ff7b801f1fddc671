//! Numbers for Prometheus: what this process answered, and what the queue holds.
//!
//! The first are counted here, the second are read from the queue at each
//! scrape. Every API process shows the same queue, so do not add those up.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hookme_shared::job::State;
use hookme_shared::queue::Counts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The first part of every metric's name.
const PREFIX: &str = "hookme";
/// The shortest time that the histogram tells from none; each of the others is
/// twice the one before.
const SHORTEST_S: f64 = 0.000_5;
/// How many times the histogram tells apart: up to about a second.
const TIMES: u16 = 12;

/// What a request was and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HttpLabels {
    /// One of the methods that HTTP defines, or `OTHER`.
    pub(crate) method: &'static str,
    /// The path of the route with its placeholders, or nothing.
    pub(crate) route: String,
    /// The status of the answer.
    pub(crate) status: u16,
}

/// Gauges of whole numbers, apart by labels.
type Gauges = Family<Vec<(&'static str, &'static str)>, Gauge<u64, AtomicU64>>;

/// What this process answered.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    registry: Registry,
    requests: Family<HttpLabels, Counter>,
    seconds: Family<HttpLabels, Histogram>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let requests = Family::default();
        let seconds = Family::new_with_constructor(
            (|| Histogram::new(exponential_buckets(SHORTEST_S, 2.0, TIMES))) as fn() -> Histogram,
        );
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "From the end of a request's header to the begin of its answer",
            seconds.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
        }
    }
}

impl HttpMetrics {
    /// Counts a request that took `elapsed` to answer.
    pub(crate) fn observe(&self, labels: &HttpLabels, elapsed: Duration) {
        self.requests.get_or_create(labels).inc();
        self.seconds
            .get_or_create(labels)
            .observe(elapsed.as_secs_f64());
    }

    /// Everything, in version 1.0 of the format `OpenMetrics`. `counts` is `None` while
    /// Redis is away; then the queue's numbers are left out.
    pub(crate) fn render(&self, counts: Option<&Counts>) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &queue_registry(counts))?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// The queue's numbers, as a registry that lives for one scrape.
fn queue_registry(counts: Option<&Counts>) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register(
        "redis_up",
        "Whether Redis answered this scrape",
        ConstGauge::new(u32::from(counts.is_some())),
    );
    let Some(counts) = counts else {
        return registry;
    };
    registry.register(
        "jobs",
        "Jobs by state; scheduled ones by lane",
        jobs(counts),
    );
    registry.register(
        "jobs_due",
        "Scheduled jobs that are due, by lane",
        due(counts),
    );
    registry.register(
        "oldest_due_age_seconds",
        "How long the oldest due job has been due; 0 if none is",
        seconds(counts.oldest_due_age_ms),
    );
    registry.register(
        "workers",
        "Workers that were heard of lately",
        ConstGauge::new(counts.workers),
    );
    registry.register(
        "report_bytes",
        "What all kept reports take",
        ConstGauge::new(counts.report_bytes),
    );
    registry.register(
        "github_answer_bytes",
        "What GitHub's kept answers take",
        ConstGauge::new(counts.github_answer_bytes),
    );
    registry.register(
        "github_paused_seconds",
        "For how long yet no worker asks GitHub; 0 if it may be asked",
        seconds(counts.github_paused_ms),
    );
    if let Some(remaining) = counts.github_core_remaining {
        registry.register(
            "github_core_remaining",
            "What is left of GitHub's hour, in requests to its REST API",
            ConstGauge::new(remaining),
        );
    }
    registry.register(
        "events",
        "What happened to jobs since the namespace began",
        events(counts),
    );
    registry
}

fn seconds(ms: u64) -> ConstGauge<f64> {
    ConstGauge::new(Duration::from_millis(ms).as_secs_f64())
}

/// Every job once. Only scheduled jobs wait in a lane.
fn jobs(counts: &Counts) -> Gauges {
    let gauges = Gauges::default();
    let set = |state: State, lane, count| {
        let labels = vec![("state", state.as_str()), ("lane", lane)];
        gauges.get_or_create(&labels).set(count);
    };
    for (lane, count) in &counts.scheduled {
        set(State::Scheduled, lane.as_str(), *count);
    }
    set(State::Running, "", counts.running);
    set(State::Succeeded, "", counts.succeeded);
    set(State::Dead, "", counts.dead);
    set(State::Cancelled, "", counts.cancelled);
    gauges
}

fn due(counts: &Counts) -> Gauges {
    let gauges = Gauges::default();
    for (lane, count) in &counts.due {
        gauges
            .get_or_create(&vec![("lane", lane.as_str())])
            .set(*count);
    }
    gauges
}

fn events(counts: &Counts) -> Family<Vec<(&'static str, String)>, Counter> {
    let counters = Family::<Vec<(&'static str, String)>, Counter>::default();
    for (event, count) in &counts.totals {
        counters
            .get_or_create(&vec![("event", event.clone())])
            .inc_by(*count);
    }
    counters
}

#[cfg(test)]
mod tests {
    use hookme_shared::job::Stage;

    use super::*;

    fn counts() -> Counts {
        Counts {
            scheduled: vec![(Stage::Fetch, 5), (Stage::Deliver, 2)],
            due: vec![(Stage::Fetch, 1), (Stage::Deliver, 0)],
            oldest_due_age_ms: 1_500,
            running: 3,
            succeeded: 40,
            dead: 1,
            cancelled: 0,
            workers: 2,
            report_bytes: 77,
            github_answer_bytes: 78,
            github_paused_ms: 2_500,
            github_core_remaining: Some(4_321),
            totals: vec![("accepted".to_owned(), 51)],
        }
    }

    #[test]
    fn the_queue_s_numbers_are_shown_under_stable_names() {
        let text = HttpMetrics::default().render(Some(&counts())).unwrap();
        for line in [
            "hookme_redis_up 1",
            r#"hookme_jobs{state="scheduled",lane="fetch"} 5"#,
            r#"hookme_jobs{state="scheduled",lane="deliver"} 2"#,
            r#"hookme_jobs{state="running",lane=""} 3"#,
            r#"hookme_jobs{state="cancelled",lane=""} 0"#,
            r#"hookme_jobs_due{lane="fetch"} 1"#,
            "hookme_oldest_due_age_seconds 1.5",
            "hookme_workers 2",
            "hookme_report_bytes 77",
            "hookme_github_answer_bytes 78",
            "hookme_github_paused_seconds 2.5",
            "hookme_github_core_remaining 4321",
            r#"hookme_events_total{event="accepted"} 51"#,
            "# EOF",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn without_redis_there_are_no_stale_numbers_of_the_queue() {
        let metrics = HttpMetrics::default();
        let labels = HttpLabels {
            method: "POST",
            route: "/tasks".to_owned(),
            status: 503,
        };
        metrics.observe(&labels, Duration::from_millis(3));
        let text = metrics.render(None).unwrap();
        assert!(text.contains("hookme_redis_up 0\n"), "{text}");
        assert!(!text.contains("hookme_jobs"), "{text}");
        let labels = r#"{method="POST",route="/tasks",status="503"}"#;
        assert!(
            text.contains(&format!("hookme_http_requests_total{labels} 1\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!("hookme_http_request_seconds_count{labels} 1\n")),
            "{text}"
        );
    }
}
