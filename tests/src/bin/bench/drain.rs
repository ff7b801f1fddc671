//! How fast one worker works off what is due.

use std::time::{Duration, Instant};

use anyhow::bail;
use hookme_tests::Program;

use crate::meter::{Cost, Reading};
use crate::scene::{PATIENCE, Scene};

/// How often the benchmark looks whether all is done.
const LOOK: Duration = Duration::from_millis(3);

/// One drain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) per_second: f64,
    pub(crate) cost: Cost,
    /// The worker's memory before and after, in bytes.
    pub(crate) resident_idle: u64,
    pub(crate) resident_after: u64,
}

/// Lets `worker`, which waits before closed lanes, work off `jobs` that are due.
pub(crate) async fn measure(
    scene: &mut Scene,
    worker: Program,
    jobs: usize,
) -> anyhow::Result<Drained> {
    let goal = scene.succeeded().await? + jobs;
    let resident_idle = worker.resident_bytes()?;
    let before = Reading::take(&mut scene.connection, &worker).await?;
    let started = Instant::now();
    scene.resume().await?;
    let mut looks = 1;
    while scene.succeeded().await? < goal {
        if started.elapsed() > PATIENCE {
            let done = scene.succeeded().await?;
            bail!("{done} of {goal} jobs done:\n{}", worker.log());
        }
        tokio::time::sleep(LOOK).await;
        looks += 1;
    }
    let elapsed = started.elapsed();
    let after = Reading::take(&mut scene.connection, &worker).await?;
    // Two more commands opened the lanes.
    let cost = before.cost(&after, jobs, looks + 2);
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    let per_second = jobs as f64 / elapsed.as_secs_f64();
    Ok(Drained {
        per_second,
        cost,
        resident_idle,
        resident_after: worker.resident_bytes()?,
    })
}
