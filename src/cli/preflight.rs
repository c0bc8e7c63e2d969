//! `preflight`: faults of the installation, and how to fix them.

use clap::Args;

use super::{
    Done, Exit, OutputArg,
    output::{self, Format},
};
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    preflight,
    preflight::findings::Report,
};

/// Check everything that backups and restores need, with this program's own identity. Safe at any time: it
/// writes one small blob a day, and discards the backups that it takes.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command. The exit code is 0 if all is well, 1 if something has to be done or is unknown, 2 if nothing could
/// be checked.
///
/// # Errors
/// When settings are wrong, with all faults at once.
pub async fn run(args: PreflightArgs) -> Done {
    let app = App::build(&Config::read(environment, Needs::Backup)?)?;
    let report = preflight::check(&app, false, &Clock::system()).await;
    match args.output.output {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    Ok(match &report {
        report if report.is_blind() => Exit::None,
        report if report.is_well() => Exit::All,
        _ => Exit::Part,
    })
}

fn print(report: &Report) -> std::io::Result<()> {
    if !report.findings.is_empty() {
        let mut table = output::table(&["severity", "finding", "of", "seen"]);
        for found in &report.findings {
            table.add_row([&found.severity.to_string(), found.name, &found.subject, &found.seen]);
        }
        output::print(&table)?;
        for found in &report.findings {
            output::line(format_args!("\n{} of {}: {}", found.name, found.subject, found.why))?;
            output::line(format_args!("  {}", found.remedy))?;
        }
        output::line("")?;
    }
    if !report.unknown.is_empty() {
        let mut table = output::table(&["not known", "of", "because"]);
        for check in &report.unknown {
            table.add_row([&check.what, &check.subject, &check.seen]);
        }
        output::print(&table)?;
        output::line("")?;
    }
    let (findings, unknown, well) = (report.findings.len(), report.unknown.len(), report.well.len());
    output::line(format_args!("{}, {unknown} not known, {well} well", output::count(findings, "finding")))
}
