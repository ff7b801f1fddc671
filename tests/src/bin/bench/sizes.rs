//! How much of each is measured.

use std::time::Duration;

/// The sizes of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// How often each is measured, interleaved with the others.
    pub(crate) rounds: usize,
    /// Jobs that are submitted, drained or left waiting.
    pub(crate) jobs: usize,
    /// Full reports.
    pub(crate) reports: usize,
    /// Requests of one raw loop.
    pub(crate) raw: usize,
    /// Jobs whose lateness is measured, and over how long they come due.
    pub(crate) late_jobs: usize,
    pub(crate) late_over: Duration,
    /// For how long an idle worker's calls are counted, in each round.
    pub(crate) idle: Duration,
    /// Pairs of drains with and without the limit, beyond one in each round.
    pub(crate) more_pairs: usize,
}

impl Sizes {
    /// What `BENCHMARKS.md` shows.
    pub(crate) const FULL: Self = Self {
        rounds: 3,
        jobs: 50_000,
        reports: 10_000,
        raw: 50_000,
        late_jobs: 200,
        late_over: Duration::from_secs(4),
        idle: Duration::from_secs(20),
        more_pairs: 6,
    };

    /// Enough to see that everything runs.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        jobs: 5_000,
        reports: 1_000,
        raw: 5_000,
        late_jobs: 50,
        late_over: Duration::from_secs(1),
        idle: Duration::from_secs(6),
        more_pairs: 0,
    };
}
