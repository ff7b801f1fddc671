//! The benchmark: how much Hookme does with what, on this machine, today.
//!
//! The speed of a machine drifts by half within minutes, so each rate stands
//! beside a raw loop of the same HTTP client in the same minute, and the goals
//! are ratios to that loop. `make bench` runs it and writes `BENCHMARKS.md`;
//! `make bench QUICK=1` only shows that it works, with sizes too small to mean
//! anything, and writes nothing.
//!
//! It measures the real programs from outside. Three parts run as processes of
//! their own, and are this program again under another [`part::Part`].

mod drain;
mod empty_worker;
mod figure;
mod idle;
mod lateness;
mod lone_worker;
mod machine;
mod memory;
mod meter;
mod page;
mod part;
mod progress;
mod raw_loop;
mod rounds;
mod scene;
mod seed;
mod sizes;
mod submit;

use std::process::ExitCode;

use anyhow::Context;

use crate::part::Part;
use crate::progress::Progress;
use crate::sizes::Sizes;

/// Where the results are written, in the directory that the program runs in.
const PAGE: &str = "BENCHMARKS.md";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Part::of_this_process()? {
        Some(Part::EmptyWorker) => empty_worker::run().await?,
        Some(Part::LoneWorker) => lone_worker::run().await?,
        Some(Part::RawLoop) => raw_loop::run().await?,
        None => return measure().await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure() -> anyhow::Result<ExitCode> {
    let quick = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--quick") => true,
        Some(other) => anyhow::bail!("{other:?} is not understood; there is only --quick"),
    };
    let sizes = if quick { Sizes::QUICK } else { Sizes::FULL };
    let progress = Progress::start();
    let results = rounds::run(&sizes, &progress).await?;
    let page = page::write(&results, &sizes, &machine::Machine::look()?)?;
    Progress::show(&page)?;
    if quick {
        Progress::show(
            "\nThe sizes were too small for figures that mean something; nothing was written.\n",
        )?;
    } else {
        std::fs::write(PAGE, &page).with_context(|| format!("cannot write {PAGE}"))?;
        Progress::show(&format!("\nWritten to {PAGE}.\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
