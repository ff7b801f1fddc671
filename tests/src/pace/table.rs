//! The results as a table in Markdown.

use std::time::Duration;

use super::BACKLOGS;
use super::client::Client;
use super::scene::Measured;

/// One client's results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose they are.
    pub client: Client,
    /// One for each of the [`BACKLOGS`].
    pub runs: [Measured; BACKLOGS.len()],
}

/// Writes the table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let columns = BACKLOGS.map(|comments| {
        let exist = format!("{} comments exist after", grouped(comments as u64));
        [exist, "refusals".to_owned()]
    });
    let head = line("client", &columns);
    let rule = format!("{}|\n", "|---".repeat(1 + columns.as_flattened().len()));
    let rows = rows
        .iter()
        .map(|row| line(row.client.name(), &row.runs.map(cells)));
    [head, rule].into_iter().chain(rows).collect()
}

fn cells(run: Measured) -> [String; 2] {
    let refused = grouped(run.refused);
    let refused = match run.first_refusal {
        None => refused,
        Some(first) => format!("{refused}, the first after {}", span(first)),
    };
    [span(run.took), refused]
}

fn line(first: &str, others: &[[String; 2]]) -> String {
    format!("| {first} | {} |\n", others.as_flattened().join(" | "))
}

/// A span in hours and minutes, or below an hour in minutes and seconds; what is
/// smaller is left out.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{minutes} min {} s", seconds % 60)
    }
}

/// A number below a million, with a comma after the thousands.
fn grouped(number: u64) -> String {
    match (number / 1_000, number % 1_000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_numbers_are_shown_as_people_read_them() {
        let shown = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(shown(59), "0 min 59 s");
        assert_eq!(shown(3_599), "59 min 59 s");
        assert_eq!(shown(3_600), "1 h 0 min");
        assert_eq!(shown(16_379), "4 h 32 min");
        assert_eq!(
            [999, 1_000, 12_034].map(grouped),
            ["999", "1,000", "12,034"]
        );
    }
}
