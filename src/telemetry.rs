//! Logging.
//!
//! Under the Functions host each line is one JSON object: on standard output, which the host files as
//! information, or, for errors, on standard error, which it files as errors. Every line of an invocation has
//! its `invocation.id` and, where the host sends one, its `trace.id`: see [`Ids`]. Fields have dotted names
//! (`vault.name`, `run.id`, `object.kind`), and quantities have a unit. The text can be read without the fields.
//!
//! A failure is logged once, by the code that decides how to handle it. Tokens, backup blobs, secret values,
//! request or message bodies, and the invocation's envelope are never logged.

use axum::http::HeaderMap;
use tracing::Level;
use tracing_subscriber::{filter::Targets, fmt::writer::MakeWriterExt as _, prelude::*};

/// This program at `info`, the Azure clients at `warn`, because they log every request.
const FILTER: &str = "warn,keyvault_backup=info";

/// Installs logging for the host. `filter` overrides the default: levels, or targets with levels, as in
/// `warn,keyvault_backup=debug`. A filter that cannot be parsed is ignored.
pub fn for_host(filter: Option<&str>) {
    let writer = std::io::stderr.with_max_level(Level::ERROR).or_else(std::io::stdout);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    install(lines, filter, FILTER);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.place = %place, "A defect in this program stopped an invocation at {place}");
    }));
}

/// Installs logging for a person at a terminal: none, unless `filter` asks for it. The commands print errors
/// themselves.
pub fn for_terminal(filter: Option<&str>) {
    let lines =
        tracing_subscriber::fmt::layer().without_time().with_target(false).with_writer(std::io::stderr);
    install(lines, filter, "off");
}

fn install<L>(lines: L, filter: Option<&str>, default: &str)
where
    L: tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync,
{
    let filter = targets(filter.unwrap_or(default)).or_else(|| targets(default)).unwrap_or_default();
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}

fn targets(filter: &str) -> Option<Targets> {
    filter.parse().ok()
}

/// The ids that the host gives an invocation, in the headers of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids<'a> {
    /// The invocation. Each attempt has its own.
    pub invocation: &'a str,
    /// The trace, of which the invocation is a part: what Application Insights has as `operation_Id`, and the workspace as
    /// `OperationId`. The host files the lines of this program without it, and its client sends it (`traceparent` of
    /// W3C's Trace Context) only where the host itself is traced.
    pub trace: Option<&'a str>,
}

impl<'a> Ids<'a> {
    /// The most characters of an invocation's id that are logged.
    const LONGEST: usize = 100;

    /// The ids in these headers. An id that is absent or of another form is never an error.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let invocation = text("x-azure-functions-invocationid");
        let invocation = invocation.filter(|id| id.len() <= Self::LONGEST).unwrap_or("none");
        Self { invocation, trace: text("traceparent").and_then(trace_id) }
    }
}

/// The trace's id in a `traceparent`: version, trace, parent and flags, in hexadecimal digits. Later versions may have
/// more after these.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let lengths = [2, 32, 16, 2];
    let parts: [&str; 4] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits = parts.iter().zip(lengths).all(|(part, length)| part.len() == length && is_hex(part));
    let [version, trace, ..] = parts;
    (fits && version != "ff" && trace.bytes().any(|digit| digit != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_what_a_traceparent_names_and_nothing_else() {
        let trace = "bb2bd5eef54cb15a1506d0326d2489e7";
        for (sent, expected) in [
            ("00-bb2bd5eef54cb15a1506d0326d2489e7-d3f54c84c7034d76-00", Some(trace)),
            ("01-bb2bd5eef54cb15a1506d0326d2489e7-d3f54c84c7034d76-01-more", Some(trace)),
            ("ff-bb2bd5eef54cb15a1506d0326d2489e7-d3f54c84c7034d76-00", None),
            ("00-00000000000000000000000000000000-d3f54c84c7034d76-00", None),
            ("00-BB2BD5EEF54CB15A1506D0326D2489E7-d3f54c84c7034d76-00", None),
            ("00-bb2bd5eef54cb15a1506d0326d2489e-d3f54c84c7034d76-00", None),
            ("00-bb2bd5eef54cb15a1506d0326d2489e7", None),
            ("", None),
        ] {
            assert_eq!(trace_id(sent), expected, "{sent}");
        }
    }

    #[test]
    fn a_call_without_ids_has_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Ids::of(&headers), Ids { invocation: "none", trace: None });
        headers.insert("x-azure-functions-invocationid", "5".repeat(101).parse().unwrap());
        assert_eq!(Ids::of(&headers).invocation, "none");
        headers.insert("x-azure-functions-invocationid", "5".repeat(100).parse().unwrap());
        assert_eq!(Ids::of(&headers).invocation.len(), 100);
    }

    #[test]
    fn what_the_filters_say_can_be_read() {
        let logs = |filter: &str, target, level| {
            targets(filter).is_some_and(|targets| targets.would_enable(target, &level))
        };
        assert!(
            logs(FILTER, "keyvault_backup::backup", Level::INFO) && !logs(FILTER, "azure_core", Level::INFO)
        );
        assert!(logs("debug", "azure_core", Level::DEBUG) && !logs("off", "keyvault_backup", Level::ERROR));
        assert!(targets("keyvault_backup=loudly").is_none());
    }
}
