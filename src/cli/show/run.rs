//! A run of a vault, or of an HSM's single keys.

use std::io;

use crate::{
    api::shapes::{run::RunInSource, terminal::RunReport},
    cli::{
        Done, Exit,
        list::why,
        output::{self, Column, Format, Table, count},
        report::{late, summary_line, tried_again, unlisted_line},
    },
    domain::{
        job::BackupJob,
        manifest::{Line, ObjectStatus, Summary},
        plan::{ListedLate, PlanHeader},
        second::Lacks,
    },
    query::runs::Report,
};

/// Prints a run. The exit code is the run's; 0 while it is open.
pub(super) fn print(report: Report, lacks: Option<&Lacks>, format: Format) -> Done {
    match report {
        Report::Closed { header, summary, lines } => {
            closed(&header, &summary, &lines, lacks, format)?;
            if let Some(lacks) = lacks.filter(|_| !format.is_json()) {
                output::note(format_args!("{} {}", header.run, lacks.words()));
            }
            Ok(summary.verdict.into())
        }
        open if format.is_json() => {
            output::json(&RunInSource::from(open))?;
            Ok(Exit::All)
        }
        Report::Open { job, planned, listed_late } => {
            open(&job, planned, &listed_late, format)?;
            Ok(Exit::All)
        }
    }
}

/// A run that has not ended: how far it has come, and what it tries again.
fn open(
    job: &BackupJob,
    planned: Option<usize>,
    listed_late: &[ListedLate],
    format: Format,
) -> io::Result<()> {
    let columns = [
        Column::name("opened"),
        Column::name("state"),
        Column::number("planned"),
        Column::number("done"),
        Column::prose("why"),
    ];
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &columns);
    let [source, run] = [job.vault.to_string(), job.run.to_string()].map(Into::into);
    let again = job.tried_again().map(tried_again);
    let objects = planned.and_then(|planned| u32::try_from(planned).ok());
    table.push([
        source,
        run,
        job.opened.into(),
        "open".into(),
        objects.into(),
        job.answered.into(),
        again.into(),
    ]);
    output::one(format, still_open(job, planned), &table)?;
    listed_late.iter().try_for_each(|late| output::aside(format, late_line(late)))
}

fn still_open(job: &BackupJob, planned: Option<usize>) -> String {
    let planned = match planned {
        Some(planned) => {
            let objects = count(planned, "object");
            format!(
                "is still open; it backs up {objects}, of which {} had a result at the last pass",
                job.answered
            )
        }
        None => "is still open, and not planned yet".to_owned(),
    };
    let late = late(job.run.late(job.opened));
    let again = job.tried_again().map_or_else(String::new, |of| format!("; {}", tried_again(of)));
    format!("{} of {} {planned}{late}{again}", job.run, job.vault)
}

fn late_line(late: &ListedLate) -> String {
    let at = output::moment(late.at);
    format!("The {}s could be listed only at {at}, in round {}", late.kind, late.round)
}

fn closed(
    header: &PlanHeader,
    summary: &Summary,
    lines: &[Line],
    lacks: Option<&Lacks>,
    format: Format,
) -> io::Result<()> {
    if format.is_json() {
        let report = RunReport::new(header, summary, lines);
        return output::json(&report.copied_without(lacks.map(Lacks::backups)));
    }
    let mut table = Table::new(
        &[Column::name("kind"), Column::name("name")],
        &[Column::name("status"), Column::prose("why")],
    );
    for line in lines {
        let why = why(line);
        table.push([
            line.kind.as_str().into(),
            line.name.as_str().into(),
            status(header, line).into(),
            why.into(),
        ]);
    }
    table.print(format)?;
    for unlisted in &header.unlisted {
        output::aside(format, unlisted_line(unlisted))?;
    }
    for late in &header.listed_late {
        output::aside(format, late_line(late))?;
    }
    for hint in &header.hints {
        output::aside(format, format_args!("Everything was due: {hint}"))?;
    }
    output::aside(format, summary_line(summary))
}

/// Whether a person has to know of an object.
pub(super) fn needs_attention(line: &Line) -> bool {
    matches!(line.status, ObjectStatus::Failed | ObjectStatus::Disappeared | ObjectStatus::Carried)
        || !why(line).is_empty() && !matches!(line.status, ObjectStatus::Managed | ObjectStatus::Former)
}

fn status(header: &PlanHeader, line: &Line) -> &'static str {
    match line.status {
        ObjectStatus::BackedUp => "backed up",
        ObjectStatus::Unchanged => "unchanged",
        ObjectStatus::Managed | ObjectStatus::VaultManaged => "skipped",
        ObjectStatus::Disappeared => "disappeared",
        ObjectStatus::Failed if header.accepts(line) => "failed, accepted",
        ObjectStatus::Failed => "failed",
        ObjectStatus::Gone => "gone",
        ObjectStatus::Carried | ObjectStatus::Former => "not listed",
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        actor::Actor,
        job::rounds::Failing,
        outcome::Failure,
        run::{RunId, Scope},
        samples::{NIGHT, line, secret},
        versions::VERSIONS_WARNING,
    };

    fn of(status: ObjectStatus) -> Line {
        line(&secret("db"), status, NIGHT)
    }

    #[test]
    fn what_is_as_it_should_be_needs_no_attention() {
        for (status, needs, word) in [
            (ObjectStatus::BackedUp, false, "backed up"),
            (ObjectStatus::Unchanged, false, "unchanged"),
            (ObjectStatus::Managed, false, "skipped"),
            (ObjectStatus::VaultManaged, true, "skipped"),
            (ObjectStatus::Disappeared, true, "disappeared"),
            (ObjectStatus::Failed, true, "failed"),
            (ObjectStatus::Gone, true, "gone"),
            (ObjectStatus::Carried, true, "not listed"),
            (ObjectStatus::Former, false, "not listed"),
        ] {
            let header =
                PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT);
            assert_eq!(
                (needs_attention(&of(status)), super::status(&header, &of(status))),
                (needs, word),
                "{status:?}"
            );
        }
        let mut near = of(ObjectStatus::Unchanged);
        near.entry.as_mut().unwrap().versions = VERSIONS_WARNING;
        assert!(needs_attention(&near));
    }

    #[test]
    fn an_open_run_tells_how_far_it_has_come() {
        let run = RunId::nightly(NIGHT);
        let job = |opened| BackupJob {
            answered: 2,
            ..BackupJob::open("kv-prod".parse().unwrap(), run.clone(), Actor::TIMER, opened)
        };
        let named = |text: &str| format!("20261122T020000Z-nightly of kv-prod {text}");
        for (planned, expected) in [
            (None, "is still open, and not planned yet"),
            (Some(1), "is still open; it backs up 1 object, of which 2 had a result at the last pass"),
            (Some(7), "is still open; it backs up 7 objects, of which 2 had a result at the last pass"),
        ] {
            assert_eq!(still_open(&job(NIGHT), planned), named(expected));
        }
        let late = still_open(&job(NIGHT + Duration::hours(3)), None);
        assert_eq!(late, named("is still open, and not planned yet, late by 3 hours"));
        let failing = Failing { objects: 1, failure: Failure::ours("Forbidden", "no"), at: NIGHT };
        let told = still_open(&BackupJob { failing: Some(failing), ..job(NIGHT) }, Some(7));
        assert!(told.contains("; 1 object fails") && told.ends_with(": Forbidden: no"), "{told}");
    }

    #[test]
    fn a_kind_that_was_listed_late_says_in_which_round() {
        let late = ListedLate { kind: crate::domain::object::ObjectKind::Key, round: 3, at: NIGHT };
        assert_eq!(late_line(&late), "The keys could be listed only at 2026-11-22T02:00:00Z, in round 3");
    }
}
