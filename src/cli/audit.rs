//! `audit`: who asked for what, and whether the trail is whole.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Done, Exit, OutputArg,
    output::{self, Format, moment},
};
use crate::{
    app::App,
    config::{Config, Needs, environment},
    domain::audit::{AUDIT_FORMAT, Event, Fault, Record},
};

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every record against the one before it
    Verify(VerifyArgs),
    /// List the records
    List(OutputArg),
}

/// How to print what was found.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command. The exit code is 0 for a trail that is whole, 1 for one that is not.
///
/// # Errors
/// When settings are wrong or the trail cannot be read.
pub async fn run(command: AuditCommand) -> Done {
    let app = App::build(&Config::read(environment, Needs::Storage)?)?;
    let mut records = Vec::new();
    let checked = app.audit()?.verify(|name, record| records.push((name.to_owned(), record))).await?;
    match command {
        AuditCommand::List(args) => list(&records, checked.faults.len(), args.output),
        AuditCommand::Verify(args) => verify(checked.records, &checked.faults, args.output.output),
    }
}

fn verify(records: u32, faults: &[(String, Fault)], format: Format) -> Done {
    let exit = if faults.is_empty() { Exit::All } else { Exit::Part };
    if format == Format::Json {
        let faults: Vec<_> =
            faults.iter().map(|(name, fault)| json!({ "record": name, "fault": words(fault) })).collect();
        output::json(&json!({ "records": records, "faults": faults }))?;
        return Ok(exit);
    }
    for (name, fault) in faults {
        output::line(format_args!("{name}: {}", words(fault)))?;
    }
    let said = if faults.is_empty() { "the trail is whole" } else { "the trail is NOT whole" };
    output::line(format_args!("{records} records: {said}"))?;
    Ok(exit)
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Unreadable => "it cannot be read".to_owned(),
        Fault::TooNew { found } => {
            format!(
                "it has format {found}; this program knows formats up to {AUDIT_FORMAT}: install the newer version"
            )
        }
        Fault::Missing { name } => format!("the record before it, {name}, is missing"),
        Fault::Changed { name } => format!("the record before it, {name}, was changed after it was written"),
        Fault::Inserted { name } => format!("it does not know of {name}, which stands before it"),
    }
}

fn list(records: &[(String, Record)], faults: usize, format: Format) -> Done {
    if format == Format::Json {
        output::json(&records.iter().map(|(_, record)| record).collect::<Vec<_>>())?;
        return Ok(Exit::All);
    }
    let mut table = output::table(&["at", "by", "what"]);
    for (_, record) in records {
        table.add_row([moment(record.at), record.by.to_string(), what(&record.event)]);
    }
    output::print(&table)?;
    if faults > 0 {
        output::line(format_args!("the trail is NOT whole: `audit verify` names {faults} faults"))?;
    }
    Ok(Exit::All)
}

fn what(event: &Event) -> String {
    match event {
        Event::BackupRequested { vault, run, objects: 0 } => format!("backup of vault {vault}, run {run}"),
        Event::BackupRequested { vault, run, objects } => {
            format!("backup of {objects} objects of vault {vault}, run {run}")
        }
        Event::HsmBackupRequested { hsm, run } => format!("backup of HSM {hsm}, run {run}"),
        Event::HsmRestoreStarted { restore, source, target, everything: true, .. } => {
            format!("restore {restore} of everything from HSM {source} into {target}")
        }
        Event::HsmRestoreStarted { restore, source, target, keys, .. } => {
            format!("restore {restore} of {} keys from HSM {source} into {target}", keys.len())
        }
        Event::HsmRestoreEnded { restore, hsm, verdict } => {
            format!("restore {restore} of HSM {hsm} {verdict}")
        }
        Event::RestoreStarted { restore, source, target, steps, purges, .. } => {
            format!(
                "restore {restore} of {steps} objects from {source} into {target}, {} purged for it",
                purges.len()
            )
        }
        Event::RestoreEnded { restore, verdict, numbers } => {
            format!("restore {restore} {verdict}: {} restored, {} failed", numbers.restored, numbers.failed)
        }
    }
}
