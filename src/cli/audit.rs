//! `audit`: lists and verifies the audit trail.

use clap::{Args, Subcommand};

use super::{
    Done, Exit,
    output::{self, Column, Format, Table, count, moment},
};
use crate::{
    api::shapes::terminal::{Trail, TrailCheck},
    app::App,
    catalogue::CheckedSection,
    config::{Config, Needs, environment},
    domain::{
        audit::{AUDIT_FORMAT, Event, Fault, Record},
        digest::Digest,
    },
    query::trail::{self, Soundness, Verified},
};

/// The commands of the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every record against the one before it, and every section against those that name it
    Verify(VerifyArgs),
    /// List the records
    List,
}

/// The arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The SHA-256 of a record, as printed before, that must still be there; may be repeated
    #[arg(long, value_name = "SHA256")]
    expect: Vec<Digest>,
}

/// Runs the command. The exit code is 0 if the trail is whole, 1 if it is not, 2 if it has no records.
///
/// # Errors
/// When settings are wrong or the trail cannot be read.
pub async fn run(command: AuditCommand, format: Format) -> Done {
    let app = App::build(&Config::read(environment, Needs::Storage)?)?;
    match command {
        AuditCommand::List => {
            let (records, faults) = trail::records(&app).await?;
            list(records, faults, format)
        }
        AuditCommand::Verify(args) => report(&trail::verify(&app, &args.expect).await?, format),
    }
}

fn report(verified: &Verified, format: Format) -> Done {
    if format.is_json() {
        print_json(verified)?;
    } else {
        print(verified, format)?;
    }
    Ok(match verified.soundness() {
        Soundness::Whole => Exit::All,
        Soundness::Damaged => Exit::Part,
        Soundness::Empty => Exit::None,
    })
}

fn print_json(verified: &Verified) -> std::io::Result<()> {
    let Verified { checked, gone } = verified;
    let faults = checked.faults.iter().map(|(name, fault)| (name.clone(), words(fault))).collect();
    let whole = match verified.soundness() {
        Soundness::Whole => Some(true),
        Soundness::Damaged => Some(false),
        Soundness::Empty => None,
    };
    output::json(&TrailCheck::new(checked, whole, faults, gone))
}

fn print(verified: &Verified, format: Format) -> std::io::Result<()> {
    let Verified { checked, gone } = verified;
    // The newest record's digest is what a person writes down, so it is whole.
    let details =
        [Column::name("from"), Column::name("to"), Column::number("records"), Column::name("newest")];
    let mut table = Table::new(&[Column::name("section")], &details);
    for CheckedSection { name, records, first, last, head } in &checked.sections {
        let (records, head) = (records.to_string(), head.sha256.to_string());
        table.push([name.as_str().into(), (*first).into(), (*last).into(), records.into(), head.into()]);
    }
    table.print(format)?;
    let said = match verified.soundness() {
        Soundness::Whole => "the trail is whole",
        Soundness::Damaged => "the trail is NOT whole",
        Soundness::Empty => {
            return output::aside(format, "there is no record, so nothing can be said about the trail");
        }
    };
    for (name, fault) in &checked.faults {
        output::aside(format, format_args!("{name}: {}", words(fault)))?;
    }
    for digest in gone {
        output::aside(format, format_args!("{digest}: there is no record with this digest"))?;
    }
    let (records, sections) = (checked.records, checked.sections.len());
    output::aside(
        format,
        format_args!("{} in {}: {said}", count(records, "record"), count(sections, "section")),
    )
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Misnamed => "it does not have the name of a record".to_owned(),
        Fault::Unreadable => "it cannot be read".to_owned(),
        Fault::TooNew { found } => {
            format!(
                "it has format {found}; this program knows formats up to {AUDIT_FORMAT}: install the newer version"
            )
        }
        Fault::Altered => "it was changed after it was written".to_owned(),
        Fault::Missing { name } => format!("the record before it, {name}, is missing"),
        Fault::Changed { name } => format!("the record before it, {name}, was changed after it was written"),
        Fault::Inserted { name } => format!("it does not refer to {name}, which precedes it"),
        Fault::SectionMissing { name } => {
            format!("{name}, which was the newest of its section when this one began, is missing")
        }
        Fault::SectionChanged { name } => {
            format!("{name}, which was the newest of its section when this one began, was changed since")
        }
    }
}

fn list(records: Vec<Record>, faults: usize, format: Format) -> Done {
    if format.is_json() {
        output::json(&Trail { records: records.iter().map(Into::into).collect() })?;
        return Ok(Exit::All);
    }
    let mut table = Table::new(&[Column::name("at"), Column::prose("by")], &[Column::prose("what")]);
    for record in records {
        table.push([record.at.into(), record.by.to_string().into(), what(&record.event).into()]);
    }
    table.print(format)?;
    if faults > 0 {
        let faults = count(faults, "fault");
        output::aside(format, format_args!("the trail is NOT whole: `audit verify` names {faults}"))?;
    }
    Ok(Exit::All)
}

fn what(event: &Event) -> String {
    match event {
        Event::BackupRequested { vault, run, objects: 0 } => format!("backup of vault {vault}, run {run}"),
        Event::BackupRequested { vault, run, objects } => {
            format!("backup of {} of vault {vault}, run {run}", count(*objects, "object"))
        }
        Event::HsmBackupRequested { hsm, run } => format!("backup of HSM {hsm}, run {run}"),
        Event::HsmRestoreStarted { restore, source, target, everything: true, .. } => {
            format!("restore {restore} of everything from HSM {source} into {target}")
        }
        Event::HsmRestoreStarted { restore, source, target, keys, .. } => {
            format!("restore {restore} of {} from HSM {source} into {target}", count(keys.len(), "key"))
        }
        Event::HsmRestoreEnded { restore, hsm, verdict } => {
            format!("restore {restore} of HSM {hsm} {verdict}")
        }
        Event::RestoreStarted { restore, source, target, steps, purges, .. } => {
            format!(
                "restore {restore} of {} from {source} into {target}, {} purged for it",
                count(*steps, "object"),
                purges.len()
            )
        }
        Event::LossAcknowledged { source, run, reason } => {
            format!("loss of run {run} of {source} acknowledged: {reason}")
        }
        Event::FailureAccepted { source, object, code, reason, until, .. } => {
            format!("{code} of {object} of {source} accepted until {}: {reason}", moment(*until))
        }
        Event::AcceptanceWithdrawn { source, object, .. } => {
            format!("acceptance of {object} of {source} withdrawn")
        }
        Event::RestoreAbandoned { restore, target } => format!("restore {restore} into {target} abandoned"),
        Event::RestoreEnded { restore, verdict, numbers } => {
            format!("restore {restore} {verdict}: {} restored, {} failed", numbers.restored, numbers.failed)
        }
    }
}
