//! Log lines: which of them, and in which form.
//!
//! `RUST_LOG` says which, in the syntax of `tracing_subscriber::EnvFilter`.
//! `LOG_FORMAT` says in which form: `text` for people, `json` for machines, and
//! `auto`, which is text on a terminal and JSON elsewhere. In JSON one event is
//! one line whatever its fields hold, so a client's text cannot forge a line.
//!
//! Lines go to standard output, one write each. A reader that stops reading
//! holds up whoever logs; whoever runs the program in a pipe must read it.

use std::io::{self, IsTerminal, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Builder;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::hiding::hide;
use crate::settings::Mistakes;

/// What and how to log, as given.
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetryArguments {
    /// The form of a log line: text, json or auto (text on a terminal, else
    /// json).
    #[arg(long, env = "LOG_FORMAT", default_value = "auto")]
    log_format: String,

    /// Which events are logged, for example `info` or `warn,hookme_api=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    rust_log: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What and how to log.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    format: LogFormat,
    /// A filter's text that was found to be good.
    filter: String,
}

impl TelemetryArguments {
    /// Judges what was given. The result counts only if `mistakes` stays empty.
    #[must_use]
    pub fn check(&self, mistakes: &mut Mistakes) -> TelemetrySettings {
        let format = LogFormat::parse(&self.log_format, io::stdout().is_terminal());
        if format.is_none() {
            mistakes.add("LOG_FORMAT", "text, json or auto");
        }
        if filter().parse(&self.rust_log).is_err() {
            mistakes.add("RUST_LOG", "levels like info or warn,hookme_api=debug");
        }
        TelemetrySettings {
            format: format.unwrap_or(LogFormat::Json),
            filter: self.rust_log.clone(),
        }
    }
}

/// A filter to be read, which lets `info` through where its text says nothing.
fn filter() -> Builder {
    EnvFilter::builder().with_default_directive(LevelFilter::INFO.into())
}

impl LogFormat {
    /// The form that `text` names, if it names one.
    fn parse(text: &str, terminal: bool) -> Option<Self> {
        match text.trim() {
            "auto" if terminal => Some(Self::Text),
            "text" => Some(Self::Text),
            "auto" | "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Starts logging for the whole process. Fails if that was done before.
pub fn start(settings: &TelemetrySettings) -> Result<(), TryInitError> {
    // Nothing is lost here: a text with a mistake never gets this far.
    let filter = filter().parse_lossy(&settings.filter);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| HidingWriter(std::io::stdout()));
    match settings.format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    }
}

/// Writes lines without any secret that this process knows. Each comes whole.
struct HidingWriter<W>(W);

impl<W: Write> Write for HidingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&hide(line, &[]))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_on_a_terminal_and_json_elsewhere_unless_told_otherwise() {
        assert_eq!(LogFormat::parse("auto", true), Some(LogFormat::Text));
        assert_eq!(LogFormat::parse("auto", false), Some(LogFormat::Json));
        assert_eq!(LogFormat::parse("text", false), Some(LogFormat::Text));
        assert_eq!(LogFormat::parse("json", true), Some(LogFormat::Json));
        assert_eq!(LogFormat::parse("yaml", true), None);
    }

    #[test]
    fn no_line_of_a_log_holds_a_secret() {
        drop(crate::secret::Secret::from("secret-of-a-log".to_owned()));
        let mut written = Vec::new();
        let line = b"a secret-of-a-log\n";
        HidingWriter(&mut written).write_all(line).unwrap();
        assert_eq!(written, b"a [hidden]\n");
    }

    #[test]
    fn a_wrong_filter_and_a_wrong_format_are_both_mistakes() {
        let mut mistakes = Mistakes::default();
        let arguments = TelemetryArguments {
            log_format: "xml".to_owned(),
            rust_log: "api=loud".to_owned(),
        };
        let _settings = arguments.check(&mut mistakes);
        let shown = mistakes.to_string();
        assert!(
            shown.contains("LOG_FORMAT must be") && shown.contains("RUST_LOG must be"),
            "{shown}"
        );
    }
}
