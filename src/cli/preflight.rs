//! `preflight`: faults of the installation, and how to fix them.

use std::io;

use super::{
    Done, Exit,
    output::{self, Cell, Column, Format, Table},
};
use crate::{
    api::shapes::preflight::Preflight,
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    preflight,
    preflight::findings::Report,
};

/// Runs the command. The exit code is 0 if all is well, 1 if something has to be done or is unknown, 2 if nothing could
/// be checked.
///
/// # Errors
/// When settings are wrong, with all faults at once.
pub async fn run(format: Format) -> Done {
    let (app, clock) = (App::build(&Config::read(environment, Needs::Backup)?)?, Clock::system());
    let report = preflight::check(&app, false, &clock).await;
    let exit = match &report {
        report if report.is_blind() => Exit::None,
        report if report.is_well() => Exit::All,
        _ => Exit::Part,
    };
    if format.is_json() {
        output::json(&Preflight::new(report, clock.now()))?;
    } else {
        print(&report, format)?;
    }
    Ok(exit)
}

fn print(report: &Report, format: Format) -> io::Result<()> {
    table(report).print(format)?;
    for found in &report.findings {
        output::aside(format, format_args!("\n{} of {}: {}", found.name, found.subject, found.why))?;
        // A command that is copied, so it is not wrapped.
        output::beside(format, format_args!("  {}", found.remedy))?;
    }
    let (findings, unknown, well) = (report.findings.len(), report.unknown.len(), report.well.len());
    let sum = format!("{}, {unknown} not known, {well} well", output::count(findings, "finding"));
    output::aside(format, if findings + unknown > 0 { format!("\n{sum}") } else { sum })
}

/// The findings, and then the checks that gave no result, as severity `unknown`.
fn table(report: &Report) -> Table {
    let subject = [Column::label("severity"), Column::prose("finding"), Column::prose("of")];
    let details = [Column::prose("seen"), Column::prose("why").wide(), Column::prose("remedy").wide()];
    let mut table = Table::new(&subject, &details);
    for of in &report.findings {
        let [severity, subject] = [of.severity.to_string(), of.subject.clone()].map(Cell::from);
        let [seen, remedy] = [&of.seen, &of.remedy].map(|text| Cell::from(text.as_str()));
        table.push([severity, of.name.into(), subject, seen, of.why.into(), remedy]);
    }
    for of in &report.unknown {
        let [what, subject, seen] = [&of.what, &of.subject, &of.seen].map(|text| Cell::from(text.as_str()));
        table.push(["unknown".into(), what, subject, seen, Cell::Nothing, Cell::Nothing]);
    }
    table
}
