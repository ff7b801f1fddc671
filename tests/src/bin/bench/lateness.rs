//! How late a job starts in a worker that has nothing else to do.

use std::time::Duration;

use anyhow::Context;
use hookme_tests::eventually;

use crate::empty_worker::{LATE, TELL_LATENESS};
use crate::scene::{PATIENCE, Scene};
use crate::seed;

/// Half of the jobs and 99 in 100 of them start within this, in ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lateness {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Submits `jobs` that fall due at random moments `over` a span, to an idle worker.
pub(crate) async fn measure(
    scene: &mut Scene,
    jobs: usize,
    over: Duration,
) -> anyhow::Result<Lateness> {
    scene.flush().await?;
    let worker = scene.empty_worker(&[(TELL_LATENESS, "yes")]).await?;
    // The first falls due when all are in and the worker is idle again.
    let head_start = Duration::from_secs(1);
    let delays: Vec<Duration> = (0..jobs)
        .map(|_| head_start + over.mul_f64(rand::random_range(0.0..1.0)))
        .collect();
    seed::submit(&scene.queue, 0..jobs, |number| delays[number]).await?;
    let all = eventually(PATIENCE, "the start of every job", async || {
        let told = lateness_ms(&worker.log());
        if told.len() >= jobs {
            Ok(told)
        } else {
            Err(format!("{} of {jobs}", told.len()))
        }
    });
    let mut all = all.await?;
    all.sort_by(f64::total_cmp);
    let at = |hundredth: usize| {
        let place = (all.len() * hundredth).div_ceil(100).saturating_sub(1);
        all.get(place).copied().context("no job started")
    };
    Ok(Lateness {
        p50_ms: at(50)?,
        p99_ms: at(99)?,
    })
}

fn lateness_ms(log: &str) -> Vec<f64> {
    let told = log.lines().filter_map(|line| line.strip_prefix(LATE));
    told.filter_map(|us| us.parse::<f64>().ok())
        .map(|us| us / 1_000.0)
        .collect()
}
