//! Measures the pace of comments in virtual time and writes the table of `GITHUB.md`.
//!
//! `make pace` runs it. What it measures and how is told in [`hookme_tests::pace`].

use std::io::{self, Write};

use anyhow::Context;
use hookme_tests::pace::{rows, table, with_table};

/// The page with the table, in the directory that the program runs in.
const PAGE: &str = "GITHUB.md";

fn main() -> anyhow::Result<()> {
    let page = std::fs::read_to_string(PAGE).with_context(|| format!("cannot read {PAGE}"))?;
    say("Every client clears its backlogs; hours pass in seconds.")?;
    let rows = rows(|client| say(&format!("  {} has ended", client.name())))?;
    let table = table(&rows);
    let page = with_table(&page, &table)?;
    std::fs::write(PAGE, page).with_context(|| format!("cannot write {PAGE}"))?;
    say(&format!("\n{table}\nWritten to {PAGE}."))?;
    Ok(())
}

/// What is being done, on standard error.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{line}")
}
