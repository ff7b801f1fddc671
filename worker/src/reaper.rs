//! The reaper: takes back the jobs of workers that died.
//!
//! It stands beside the line, between claim and settle, and runs in every
//! worker; whoever comes first does the work, and no leader is needed.

use hookme_shared::queue::{BATCH_MAX, Queue};
use hookme_shared::trouble::Trouble;
use tokio_util::sync::CancellationToken;

/// How many ticks there are to a lease, at least. The functions take a gap of
/// a third of a lease between two ticks as a sign that Redis was away.
const TICKS: u32 = 10;

/// Reaps until `done`.
pub async fn reap(queue: Queue, done: CancellationToken) {
    done.run_until_cancelled(reap_on(&queue)).await;
}

async fn reap_on(queue: &Queue) {
    let trouble = Trouble::default();
    loop {
        let jitter = rand::random_range(0.0..1.0);
        let mut wait = (queue.terms().lease / TICKS).mul_f64(1.0 - 0.2 * jitter);
        let reaped = queue.reap(jitter).await;
        if reaped.is_ok() {
            trouble.end();
        }
        match reaped {
            Ok((0, 0)) => {}
            Ok((0, renewed)) => {
                tracing::info!(
                    leases = renewed,
                    "no worker looked after the leases, as redis or all workers were away, or its clock jumped; they got a fresh term"
                );
                // There may be more of them, and until all have it none is taken back.
                if renewed >= BATCH_MAX as u64 {
                    wait /= TICKS;
                }
            }
            Ok((reaped, _)) => {
                tracing::warn!(
                    jobs = reaped,
                    "took back jobs whose leases ran out: their workers died, hung, or could not renew them"
                );
                if reaped >= BATCH_MAX as u64 {
                    wait /= TICKS;
                }
            }
            // Whoever renews and claims says that Redis is away.
            Err(error) if error.passes() => {
                tracing::debug!(%error, "could not look for jobs of dead workers");
            }
            Err(error) if trouble.is_news(&error) => {
                tracing::error!(%error, "jobs of dead workers cannot be taken back until somebody mends this");
            }
            Err(_) => {}
        }
        tokio::time::sleep(wait).await;
    }
}
