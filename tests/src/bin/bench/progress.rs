//! Says what is being measured while it is.

use std::io::{self, Write};
use std::time::Instant;

/// Writes to standard output, since the start.
#[derive(Debug)]
pub(crate) struct Progress(Instant);

impl Progress {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// A line with the time that has passed.
    pub(crate) fn say(&self, line: &str) -> io::Result<()> {
        Self::show(&format!(
            "{:6.1} s  {line}\n",
            self.0.elapsed().as_secs_f64()
        ))
    }

    /// A text as it is.
    pub(crate) fn show(text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}
