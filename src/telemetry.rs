//! Logging.
//!
//! Under the Functions host each line is one JSON object: on standard output, which the host files as
//! information, or, for errors, on standard error, which it files as errors. Every line of an invocation has
//! its `invocation.id`. Fields have dotted names (`vault.name`, `run.id`, `object.kind`), and quantities have a
//! unit. The text can be read without the fields.
//!
//! A failure is logged once, by the code that decides how to handle it. Tokens, backup blobs, secret values,
//! request or message bodies, and the invocation's envelope are never logged.

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

#[cfg(test)]
mod tests {
    use super::*;

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
