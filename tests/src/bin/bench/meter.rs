//! What some work cost: Redis commands, and processor time of both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use hookme_tests::Program;
use redis::aio::MultiplexedConnection;

/// What Redis and a program had used up at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Calls of a function: one round trip each.
    functions: u64,
    /// All commands, also those that functions call.
    commands: BTreeMap<String, u64>,
    redis: Duration,
    program: Duration,
}

/// What one job cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) functions: f64,
    pub(crate) commands: f64,
    pub(crate) redis_us: f64,
    pub(crate) program_us: f64,
}

impl Reading {
    pub(crate) async fn take(
        redis: &mut MultiplexedConnection,
        program: &Program,
    ) -> anyhow::Result<Self> {
        let ask = |section: &'static str| redis::cmd("INFO").arg(section).to_owned();
        let cpu: String = ask("cpu").query_async(redis).await?;
        let stats: String = ask("commandstats").query_async(redis).await?;
        let commands: BTreeMap<String, u64> = stats.lines().filter_map(command_calls).collect();
        Ok(Self {
            functions: commands.get("fcall").copied().unwrap_or(0),
            commands,
            redis: seconds(&cpu, "used_cpu_user")? + seconds(&cpu, "used_cpu_sys")?,
            program: program.cpu_time()?,
        })
    }

    /// What each of `jobs` cost from this reading until `later`; `own` commands of
    /// the benchmark between the two are left out.
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    pub(crate) fn cost(&self, later: &Self, jobs: usize, own: u64) -> Cost {
        let jobs = jobs as f64;
        let commands = later.total().saturating_sub(self.total() + own);
        let us = |before: Duration, after: Duration| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / jobs
        };
        Cost {
            functions: (later.functions - self.functions) as f64 / jobs,
            commands: commands as f64 / jobs,
            redis_us: us(self.redis, later.redis),
            program_us: us(self.program, later.program),
        }
    }

    /// All commands but those that ask for a reading.
    fn total(&self) -> u64 {
        let counted = self.commands.iter().filter(|(name, _)| *name != "info");
        counted.map(|(_, calls)| calls).sum()
    }
}

/// `cmdstat_hset:calls=3,usec=…`
fn command_calls(line: &str) -> Option<(String, u64)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
}

fn seconds(info: &str, field: &str) -> anyhow::Result<Duration> {
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let seconds: f64 = value
        .with_context(|| format!("INFO without {field}"))?
        .parse()?;
    Ok(Duration::from_secs_f64(seconds))
}
