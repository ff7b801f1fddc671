//! Where the demo shows what it does: numbered steps on standard output.
//!
//! Colours only on a terminal, and not if `NO_COLOR` asks for none
//! (<https://no-color.org>): what is piped is plain text.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use crate::json;

/// The left margin of everything below a step's title.
const MARGIN: &str = "    ";

/// A way to stand out. The numbers are ECMA-48's, "select graphic rendition".
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    Plain,
    Title,
    Faint,
    Good,
    Bad,
    Command,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Title => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Command => Some("36"),
        }
    }
}

/// Standard output, with what has been shown so far.
pub(super) struct Screen {
    out: io::Stdout,
    coloured: bool,
    steps: usize,
    started: Instant,
    /// Whether nothing stands below the title of the step yet.
    fresh: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let out = io::stdout();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self {
            coloured: out.is_terminal() && !is_set("NO_COLOR") && !dumb,
            out,
            steps: 0,
            started: Instant::now(),
            fresh: true,
        }
    }

    /// A line that stands alone, before or after the steps.
    pub(super) fn headline(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(Style::Title, text);
        writeln!(self.out, "\n{text}")
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) -> io::Result<()> {
        self.steps += 1;
        self.fresh = true;
        let number = self.paint(Style::Good, format_args!("{:>2}", self.steps));
        let title = self.paint(Style::Title, title);
        writeln!(self.out, "\n{number}  {title}")
    }

    /// The time since the first line, in seconds.
    pub(super) fn seconds(&self) -> f32 {
        self.started.elapsed().as_secs_f32()
    }

    /// What happens, in words.
    pub(super) fn say(&mut self, text: impl Display) -> io::Result<()> {
        self.lines(Style::Plain, text)
    }

    /// Every line of `text` in one style.
    pub(super) fn lines(&mut self, style: Style, text: impl Display) -> io::Result<()> {
        self.fresh = false;
        for line in text.to_string().lines() {
            if line.is_empty() {
                writeln!(self.out)?;
            } else {
                let line = self.paint(style, line);
                writeln!(self.out, "{MARGIN}{line}")?;
            }
        }
        Ok(())
    }

    /// A command that a person could type to see the same, apart from what stands
    /// above it.
    pub(super) fn command(&mut self, text: impl Display) -> io::Result<()> {
        if !self.fresh {
            writeln!(self.out)?;
        }
        self.lines(Style::Command, format_args!("$ {text}"))
    }

    /// JSON, laid out.
    pub(super) fn json(&mut self, text: &str) -> io::Result<()> {
        self.lines(Style::Plain, json::lay_out(text))
    }

    /// Rows in aligned columns.
    pub(super) fn table<const COLUMNS: usize>(
        &mut self,
        rows: &[[String; COLUMNS]],
    ) -> io::Result<()> {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| width(column).unwrap_or(0));
        for row in rows {
            let cells = row.iter().zip(widths);
            let line: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            self.say(line.join("   ").trim_end())?;
        }
        Ok(())
    }

    fn paint(&self, style: Style, text: impl Display) -> String {
        match style.code() {
            Some(code) if self.coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_string(),
        }
    }
}
