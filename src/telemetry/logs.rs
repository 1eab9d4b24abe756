//! Log lines on standard error: JSON where a machine reads them, plain where a person does.
//!
//! `WABRIDGE_LOG` is one level (`error`, `warn`, `info`, `debug`, `trace`, `off`) and not a filter language,
//! on purpose: it moves our own lines only. Every other crate stays at `warn`, because at `debug` and
//! `trace` the HTTP and database libraries print headers, bodies and statements, which carry tokens, names
//! and phone numbers. Lines of crates that use `log` instead of `tracing` are not collected at all.

use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

/// The variable that sets the level.
pub const VARIABLE: &str = "WABRIDGE_LOG";

/// The targets of this project: a target is a prefix, so this covers `wabridge_model` and its neighbours.
const OURS: &str = "wabridge";

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// `WABRIDGE_LOG` is not a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is not a level: '{0}'; set it to off, error, warn, info, debug or trace")]
pub struct UnknownLevel(String);

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Plain,
}

/// Sends this process's lines to standard error from now on, those of a panic included. A second call
/// changes nothing.
///
/// # Errors
/// [`UnknownLevel`]
pub fn init() -> Result<(), UnknownLevel> {
    let level = level(&std::env::var(VARIABLE).unwrap_or_default())?;
    let format = if io::stderr().is_terminal() { Format::Plain } else { Format::Json };
    // An error means that a subscriber is there already, as in a test that runs two commands.
    drop(tracing::subscriber::set_global_default(subscriber(level, format, io::stderr)));
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

/// Says where a thread panicked, and not why: a panic's message may quote the text it broke on.
fn panicked(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let (file, line) = panic.location().map_or(("unknown", 0), |location| (location.file(), location.line()));
    tracing::error!(thread, file, line, "panicked: a fault of wabridge; please report it");
}

/// Reads a level; an empty text is the default.
///
/// # Errors
/// [`UnknownLevel`]
pub fn level(text: &str) -> Result<LevelFilter, UnknownLevel> {
    let name = if text.is_empty() { "info" } else { text };
    let found = LEVELS.iter().find(|(level, _)| level.eq_ignore_ascii_case(name));
    found.map(|(_, level)| *level).ok_or_else(|| UnknownLevel(text.to_owned()))
}

/// A subscriber that writes our lines from `level`, and others' from `warn`, to `writer`.
pub fn subscriber<W>(level: LevelFilter, format: Format, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(OURS, level);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        Format::Plain => layer.boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(targets))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Json => "json",
            Format::Plain => "plain",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(level: LevelFilter, format: Format, speak: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        tracing::subscriber::with_default(subscriber(level, format, move || writer.clone()), speak);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn at_trace_our_lines_are_all_there_and_a_dependency_says_nothing_below_warn() {
        let lines = written(LevelFilter::TRACE, Format::Plain, || {
            tracing::trace!(target: "wabridge::web", "ours");
            tracing::trace!(target: "wabridge_providers::meta", "our provider's");
            tracing::info!(target: "hyper::proto", "authorization: secret");
            tracing::debug!(target: "actix_http::h1", "body");
            tracing::warn!(target: "refinery", "a warning");
        });
        assert!(lines.contains("ours") && lines.contains("our provider's") && lines.contains("a warning"));
        assert!(!lines.contains("secret") && !lines.contains("body"), "{lines}");
    }

    #[test]
    fn a_quieter_level_quietens_everybody() {
        let lines = written(LevelFilter::ERROR, Format::Plain, || {
            tracing::warn!(target: "wabridge", "ours");
            tracing::warn!(target: "refinery", "theirs");
        });
        assert_eq!(lines, "");
    }

    #[test]
    fn a_machine_reads_one_json_object_a_line_with_fields_at_the_top() {
        let lines = written(LevelFilter::INFO, Format::Json, || {
            tracing::info!(target: "wabridge", { http.status = 200 }, "answered");
        });
        let line: serde_json::Value = serde_json::from_str(lines.trim_end()).unwrap();
        assert_eq!(line["message"], "answered");
        assert_eq!(line["http.status"], 200);
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_level_is_one_of_six_words_and_info_by_default() {
        assert_eq!(level(""), Ok(LevelFilter::INFO));
        assert_eq!(level("TRACE"), Ok(LevelFilter::TRACE));
        assert!(level("hyper=trace").unwrap_err().to_string().contains("set it to off, error"));
    }
}
