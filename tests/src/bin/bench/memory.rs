//! What a waiting job takes in Redis.

use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;

use crate::scene::Scene;
use crate::seed;

/// Jobs before the first look: buffers and tables are there then.
const WARM: usize = 1_000;
/// How long a job of these waits: it never runs.
const DELAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long Redis gets to finish growing its tables.
const SETTLE: Duration = Duration::from_millis(300);

/// The bytes that each of `jobs` waiting jobs takes, with its lock and its place in
/// its lane.
pub(crate) async fn measure(scene: &mut Scene, jobs: usize) -> anyhow::Result<f64> {
    scene.flush().await?;
    seed::submit(&scene.queue, 0..WARM, |_| DELAY).await?;
    let before = used(scene).await?;
    seed::submit(&scene.queue, WARM..WARM + jobs, |_| DELAY).await?;
    let after = used(scene).await?;
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    Ok((after - before) / jobs as f64)
}

/// `used_memory`, when it no longer changes.
async fn used(scene: &mut Scene) -> anyhow::Result<f64> {
    let mut last = 0.0;
    loop {
        sleep(SETTLE).await;
        let info: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut scene.connection)
            .await?;
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        let used: f64 = used.context("INFO without used_memory")?.parse()?;
        let settled: f64 = used - last;
        if settled.abs() < 20_000.0 {
            return Ok(used);
        }
        last = used;
    }
}
