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
        Event::RestorePlanned { plan, source, target, .. } => {
            format!("restore from {source} into {target} planned: {plan}")
        }
        Event::RestoreApproved { plan, source, target, until, .. } => {
            format!("restore from {source} into {target} approved until {}: {plan}", moment(*until))
        }
        Event::LossAcknowledged { source, run, reason } => {
            format!("loss of run {run} of {source} acknowledged: {reason}")
        }
        Event::FailureAccepted { source, object, code, reason, until, .. } => {
            format!("{code} of {object} of {source} accepted until {}: {reason}", moment(*until))
        }
        Event::RetentionDecided { source, decision, what, reason, .. } => {
            format!("{decision} of {source}, {what}: {reason}")
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        object::{ObjectId, ObjectKind},
        restore::{RestoreId, RestoreNumbers},
        run::{RunId, Verdict},
        source::SourceName,
    };

    fn secret() -> ObjectId {
        ObjectId::new(ObjectKind::Secret, "db".parse().unwrap())
    }

    #[test]
    fn each_event_is_told_with_its_names_and_numbers() {
        let (vault, hsm): (SourceName, SourceName) =
            ("kv-prod".parse().unwrap(), "hsm-prod".parse().unwrap());
        let run: RunId = "20261122T020000Z-nightly".parse().unwrap();
        let restore = || -> RestoreId { "20261122T101112Z-restore-0f3a9c41".parse().unwrap() };
        let (plan, reason) = (Digest::of(b"plan"), || "ticket 4711".parse().unwrap());
        let named = |text: &str| {
            text.replace("RESTORE", "restore 20261122T101112Z-restore-0f3a9c41")
                .replace("RUN", "run 20261122T020000Z-nightly")
        };
        let hsm_restore = |everything, keys: &[&str]| Event::HsmRestoreStarted {
            restore: restore(),
            plan,
            source: hsm.clone(),
            target: hsm.clone(),
            everything,
            keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        };
        let backup = |objects| Event::BackupRequested { vault: vault.clone(), run: run.clone(), objects };
        let numbers = RestoreNumbers { planned: 3, restored: 2, failed: 1, ..RestoreNumbers::default() };
        let (until, decided) = (datetime!(2027-01-31 00:00 UTC), datetime!(2026-11-22 02:00 UTC));
        for (event, expected) in [
            (backup(0), "backup of vault kv-prod, RUN"),
            (backup(1), "backup of 1 object of vault kv-prod, RUN"),
            (backup(2), "backup of 2 objects of vault kv-prod, RUN"),
            (Event::HsmBackupRequested { hsm: hsm.clone(), run: run.clone() }, "backup of HSM hsm-prod, RUN"),
            (hsm_restore(true, &[]), "RESTORE of everything from HSM hsm-prod into hsm-prod"),
            (hsm_restore(false, &["a"]), "RESTORE of 1 key from HSM hsm-prod into hsm-prod"),
            (hsm_restore(false, &["a", "b"]), "RESTORE of 2 keys from HSM hsm-prod into hsm-prod"),
            (
                Event::HsmRestoreEnded { restore: restore(), hsm: hsm.clone(), verdict: Verdict::Failed },
                "RESTORE of HSM hsm-prod Failed",
            ),
            (
                Event::RestoreStarted {
                    restore: restore(),
                    plan,
                    source: vault.clone(),
                    target: hsm.clone(),
                    steps: 1,
                    purges: vec![secret()],
                },
                "RESTORE of 1 object from kv-prod into hsm-prod, 1 purged for it",
            ),
            (
                Event::RestoreEnded { restore: restore(), verdict: Verdict::PartiallyFailed, numbers },
                "RESTORE PartiallyFailed: 2 restored, 1 failed",
            ),
            (
                Event::RestoreAbandoned { restore: restore(), target: vault.clone() },
                "RESTORE into kv-prod abandoned",
            ),
            (
                Event::LossAcknowledged { source: vault.clone(), run: run.clone(), reason: reason() },
                "loss of RUN of kv-prod acknowledged: ticket 4711",
            ),
            (
                Event::FailureAccepted {
                    source: vault.clone(),
                    object: secret(),
                    code: "Forbidden".into(),
                    reason: reason(),
                    until,
                    decided,
                },
                "Forbidden of secret db of kv-prod accepted until 2027-01-31T00:00:00Z: ticket 4711",
            ),
            (
                Event::AcceptanceWithdrawn { source: vault.clone(), object: secret(), decided },
                "acceptance of secret db of kv-prod withdrawn",
            ),
        ] {
            assert_eq!(what(&event), named(expected));
        }
    }

    #[test]
    fn each_fault_continues_the_name_of_its_record() {
        let name = || "2026-11-22/00000001".to_owned();
        let faults = [
            Fault::Misnamed,
            Fault::Unreadable,
            Fault::TooNew { found: 9 },
            Fault::Altered,
            Fault::Missing { name: name() },
            Fault::Changed { name: name() },
            Fault::Inserted { name: name() },
            Fault::SectionMissing { name: name() },
            Fault::SectionChanged { name: name() },
        ];
        let told: std::collections::BTreeSet<_> = faults.iter().map(words).collect();
        assert_eq!(told.len(), faults.len(), "no two read alike: {told:?}");
        for (fault, told) in faults.iter().zip(faults.iter().map(words)) {
            assert!(
                told.starts_with(|c: char| c.is_lowercase() || c.is_numeric()) && !told.ends_with('.'),
                "{told}"
            );
            let names_another =
                !matches!(fault, Fault::Misnamed | Fault::Unreadable | Fault::TooNew { .. } | Fault::Altered);
            assert_eq!(told.contains(&name()), names_another, "{told}");
        }
        assert!(words(&Fault::TooNew { found: 9 }).contains("format 9"));
    }
}
