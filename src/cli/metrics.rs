//! `metrics`: the status as numbers, for a monitoring system.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{
    Done, Exit,
    output::{Format, Stream},
    written,
};
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    query::status,
    tell,
};

/// Print the status as numbers, in the text form of OpenMetrics, over the configured sources, or over all that the
/// catalogue has. A number that is not known is left out. The exit code is 0 if the status could be read, well or not.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Write them to a file instead, which is replaced as a whole: for the textfile collector of Prometheus
    #[arg(id = "file", long = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// It has no other format; by its id it stands for the argument of every command.
    #[arg(id = "output", short = 'o', long = "format", value_name = "FORMAT", value_enum, default_value_t = Format::Table, hide = true)]
    _format: Format,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, a service refuses or does not answer, or the file cannot be written.
pub async fn run(args: MetricsArgs) -> Done {
    let app = App::build(&Config::read(environment, Needs::Jobs)?)?;
    let text = tell::metrics::metrics(&status::status(&app, Clock::system().now()).await?);
    match args.file {
        Some(path) => written::replace(&path, text.as_bytes(), "--output")?,
        None => Stream::Out.print(&text)?,
    }
    Ok(Exit::All)
}
