//! Log lines: which of them, and in which form.
//!
//! `RUST_LOG` says which, in the syntax of `tracing_subscriber::EnvFilter`.
//! `LOG_FORMAT` says in which form: `text` for people, `json` for machines, and
//! `auto`, which is text on a terminal and JSON elsewhere. In JSON one event is
//! one line whatever its fields hold, so a client's text cannot forge a line.
//!
//! No [secret of a setting](crate::hiding) stands in a line: it is taken out of messages and
//! values, never out of names or of the form, so that a line can be read by machines whatever
//! a secret is. Panics are lines too, and so nothing escapes on standard error.
//!
//! Lines go to standard output, one write each. A reader that stops reading
//! holds up whoever logs; whoever runs the program in a pipe must read it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Builder;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::hiding::{hide, hide_in_text};
use crate::settings::Mistakes;
use crate::supervisor::words_of;

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
    let is_terminal = io::stdout().is_terminal();
    lines(settings.format, filter, is_terminal, io::stdout).try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Where lines go, in their form.
fn lines<W: Write + 'static>(
    format: LogFormat,
    filter: EnvFilter,
    is_terminal: bool,
    out: impl Fn() -> W + Send + Sync + 'static,
) -> Dispatch {
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    match format {
        LogFormat::Text => lines
            .with_ansi(is_terminal)
            .fmt_fields(text_fields())
            .with_writer(out)
            .into(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_writer(move || HidingWriter(out()))
            .into(),
    }
}

/// Says why the process cannot go on, without any secret, and returns the code that it
/// exits with. For the end of `main`: whoever runs the program may not read its log.
pub fn complain(error: &dyn fmt::Debug) -> ExitCode {
    // Nobody is left to be told if this fails.
    let _told = writeln!(
        io::stderr(),
        "Error: {}",
        hide_in_text(&format!("{error:?}"), &[])
    );
    ExitCode::FAILURE
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let (words, place) = (words_of(panic.payload()), panic.location());
    let place = place.map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(reason = words, place, %backtrace, "a thread panicked");
    } else {
        tracing::error!(reason = words, place, "a thread panicked");
    }
}

/// The fields of an event in a line for people: the message first, then `name=value`.
fn text_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let fields = format::debug_fn(|writer, field, value| {
        let shown = one_line(&hide_in_text(&format!("{value:?}"), &[]));
        match field.name() {
            "message" => write!(writer, "{shown}"),
            name => write!(writer, "{name}={shown}"),
        }
    });
    fields.delimited(" ")
}

/// The text with its control characters escaped: it stays on its line, and moves no cursor.
fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Writes lines of JSON without any secret that this process knows. Each comes whole.
struct HidingWriter<W>(W);

impl<W: Write> Write for HidingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&hide_in_json(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The JSON with known secrets hidden in its strings, but for names of members.
fn hide_in_json(json: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (before, from_quote) = rest.split_at(start);
        shown.extend_from_slice(before);
        let (text, after) = from_quote.split_at(length_of_string(from_quote));
        if after.starts_with(b":") {
            shown.extend_from_slice(text);
        } else {
            shown.extend(hide_in_string(text));
        }
        rest = after;
    }
    shown.extend_from_slice(rest);
    shown
}

/// How many bytes the JSON string has that `json` begins with, its quotes among them.
fn length_of_string(json: &[u8]) -> usize {
    let mut is_escaped = false;
    for (place, byte) in json.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    json.len()
}

/// A JSON string with known secrets hidden in what it says.
fn hide_in_string(string: &[u8]) -> Vec<u8> {
    let hidden = serde_json::from_slice::<String>(string).and_then(|text| {
        let shown = hide_in_text(&text, &[]);
        if shown == text {
            Ok(string.to_vec())
        } else {
            serde_json::to_vec(&shown)
        }
    });
    hidden.unwrap_or_else(|_| hide(string, &[]))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn lines_are_text_on_a_terminal_and_json_elsewhere_unless_told_otherwise() {
        assert_eq!(LogFormat::parse("auto", true), Some(LogFormat::Text));
        assert_eq!(LogFormat::parse("auto", false), Some(LogFormat::Json));
        assert_eq!(LogFormat::parse("text", false), Some(LogFormat::Text));
        assert_eq!(LogFormat::parse("json", true), Some(LogFormat::Json));
        assert_eq!(LogFormat::parse("yaml", true), None);
    }

    /// What a log has of an event with the field `attempts`, told by `tell`.
    fn logged(format: LogFormat, tell: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Shared(Arc<Mutex<Vec<u8>>>);

        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let shared = Shared::default();
        let out = shared.clone();
        let lines = lines(format, EnvFilter::new("info"), false, move || out.clone());
        tracing::dispatcher::with_default(&lines, tell);
        let written = shared.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    /// Secrets that are also names in a line, its form, or spelt otherwise in one.
    const SECRETS: [&str; 5] = [
        "timestamp",
        "attempts",
        r#""level":""#,
        r#"a "quoted" secret"#,
        "secret-of-a-log",
    ];

    #[test]
    fn no_line_holds_a_secret_and_its_names_and_form_stay() {
        for secret in SECRETS {
            drop(crate::secret::Secret::from(secret.to_owned()));
        }
        for secret in SECRETS {
            let tell = || {
                let error = std::io::Error::other(format!("no {secret}"));
                tracing::warn!(attempts = 3, %error, said = secret, "a {secret}, told");
            };
            let line = logged(LogFormat::Json, tell);
            let json: serde_json::Value = serde_json::from_str(&line).unwrap();
            let shown = ["message", "error", "said"].map(|name| json[name].as_str().unwrap());
            assert_eq!(
                shown,
                ["a [hidden], told", "no [hidden]", "[hidden]"],
                "{line}"
            );
            assert_eq!(
                (&json["level"], &json["attempts"]),
                (&"WARN".into(), &3.into())
            );
            assert!(json["timestamp"].is_string(), "{line}");

            let line = logged(LogFormat::Text, tell);
            let told = "a [hidden], told attempts=3 error=no [hidden] said=";
            assert!(line.contains("WARN") && line.contains(told), "{line}");
            assert_eq!(line.matches("[hidden]").count(), 3, "{line}");
            assert!(line.ends_with('\n') && !line.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn an_event_of_many_lines_is_one_line() {
        let tell = || tracing::info!(said = %"b\nc\u{1b}[2J", "a\nINFO forged");
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = logged(format, tell);
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(
                !line.contains('\u{1b}') && line.contains("forged"),
                "{line}"
            );
        }
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
