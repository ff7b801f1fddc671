//! The place of the table in `GITHUB.md`.

use anyhow::Context;

const BEGIN: &str = "<!-- table: written by make pace -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The page with this table between its two marks, in the place of the one before.
///
/// # Errors
///
/// When a mark is missing.
pub fn with_table(page: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = page
        .split_once(BEGIN)
        .context("the page has no place for the table")?;
    let (_, after) = rest
        .split_once(END)
        .context("the table's place has no end")?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}
