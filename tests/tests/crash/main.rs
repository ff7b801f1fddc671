//! Parts that die, hang or misbehave while jobs are under way, and damage by
//! hand: no task is lost, no limit is passed, nothing is left behind.

#![cfg(test)]

mod alone;
mod amnesty;
mod damage;
mod load;
mod parts;
mod paused_worker;
mod redis_kills;
mod rights;
mod shutdown;
mod spoilt;
mod stale;
mod unruly;
mod virtual_queue;
mod worker_kills;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// How long to wait for what takes a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A generator whose seed is printed, and taken from `HOOKME_SEED` if that is set.
fn generator() -> StdRng {
    let given = std::env::var("HOOKME_SEED").map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|_| rand::random::<u64>());
    println!("HOOKME_SEED={seed}");
    StdRng::seed_from_u64(seed)
}
