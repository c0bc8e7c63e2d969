//! `audit`: lists and verifies the audit trail.

use clap::{Args, Subcommand};

use super::{
    Done, Exit, FromArg,
    output::{self, Column, Format, Table, count},
};
use crate::{
    api::shapes::terminal::{Trail, TrailCheck},
    catalogue::CheckedSection,
    config::Needs,
    domain::audit::{AUDIT_FORMAT, Expected, Fault, Record},
    query::trail::{self, Soundness, Verified},
};

/// The commands of the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every record against the one before it, and every section against those that name it
    Verify(VerifyArgs),
    /// List the records
    List(ListArgs),
}

/// The arguments of `audit list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    from: FromArg,
}

/// The arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What must still be there, as printed or logged before: the SHA-256 of a record, or SECTION:NUMBER:SHA256, which
    /// also finds a section that was shortened and written anew; may be repeated
    #[arg(long, value_name = "EXPECTED")]
    expect: Vec<Expected>,
    #[command(flatten)]
    from: FromArg,
}

/// Runs the command. The exit code is 0 if the trail is whole, 1 if it is not, 2 if it has no records.
///
/// # Errors
/// When settings are wrong or the trail cannot be read.
pub async fn run(command: AuditCommand, format: Format) -> Done {
    let from = match &command {
        AuditCommand::List(args) => args.from,
        AuditCommand::Verify(args) => args.from,
    };
    let app = from.app(Needs::Storage)?;
    match command {
        AuditCommand::List(_) => {
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
    let Verified { checked, gone, changed } = verified;
    let faults = checked.faults.iter().map(|(name, fault)| (name.clone(), words(fault))).collect();
    let whole = match verified.soundness() {
        Soundness::Whole => Some(true),
        Soundness::Damaged => Some(false),
        Soundness::Empty => None,
    };
    output::json(&TrailCheck::new(checked, whole, faults, gone, changed))
}

fn print(verified: &Verified, format: Format) -> std::io::Result<()> {
    let Verified { checked, gone, changed } = verified;
    // The newest record's digest is what a person writes down, so it is whole.
    let details = [
        Column::name("from"),
        Column::name("to"),
        Column::number("records"),
        Column::number("number"),
        Column::name("newest"),
    ];
    let mut table = Table::new(&[Column::name("section")], &details);
    for section in &checked.sections {
        let CheckedSection { name, records, first, last, head, .. } = section;
        let (records, number) = (records.to_string(), section.number().to_string());
        let head = head.sha256.to_string();
        let (section, from, to) = (name.as_str().into(), (*first).into(), (*last).into());
        table.push([section, from, to, records.into(), number.into(), head.into()]);
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
    for (expected, is_changed) in gone.iter().map(|of| (of, false)).chain(changed.iter().map(|of| (of, true)))
    {
        output::aside(format, format_args!("{expected}: {}", unmet(expected, is_changed)))?;
    }
    let (records, sections) = (checked.records, checked.sections.len());
    output::aside(
        format,
        format_args!("{} in {}: {said}", count(records, "record"), count(sections, "section")),
    )
}

/// Why something expected is not there, as the continuation of its text.
fn unmet(expected: &Expected, is_changed: bool) -> String {
    match expected {
        Expected::Digest(_) => "there is no record with this digest".to_owned(),
        Expected::Head(head) if is_changed => {
            format!("changed: record {} of this section has another digest now", head.number)
        }
        Expected::Head(head) => {
            format!("gone: this section has no record {} any more; it was cut off or deleted", head.number)
        }
    }
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
        table.push([record.at.into(), record.by.to_string().into(), record.event.to_string().into()]);
    }
    table.print(format)?;
    if faults > 0 {
        let faults = count(faults, "fault");
        output::aside(format, format_args!("the trail is NOT whole: `audit verify` names {faults}"))?;
    }
    Ok(Exit::All)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;

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

    #[test]
    fn what_is_expected_and_not_there_is_gone_or_changed_in_words() {
        let digest = Digest::of(b"a");
        let head: Expected = format!("audit/backup/2026-11-22/7:3:{digest}").parse().unwrap();
        for (expected, is_changed, start) in [
            (&Expected::Digest(digest), false, "there is no record"),
            (&head, false, "gone: this section has no record 3"),
            (&head, true, "changed: record 3"),
        ] {
            assert!(unmet(expected, is_changed).starts_with(start));
        }
    }
}
