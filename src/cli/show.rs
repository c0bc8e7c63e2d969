//! `show`: the result of every object in a run.

use std::io;

use clap::Args;

use super::{
    Done, Failed, SourceArg, app_for,
    list::why,
    output::{self, Column, Format, Table},
    report::{late, summary_line, tried_again, unlisted_line},
};
use crate::{
    api::shapes::{problem::ProblemKind, terminal::RunReport},
    config::Needs,
    domain::{
        job::BackupJob,
        manifest::{Line, ObjectStatus, Summary},
        plan::PlanHeader,
        run::RunId,
    },
    query::{
        nothing,
        runs::{self, Report},
    },
};

/// Show a run.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run, such as 20261122T020000Z-nightly
    #[arg(value_parser = run_of)]
    run: RunId,
    #[command(flatten)]
    vault: SourceArg,
    /// Show every object, not only those that need attention
    #[arg(long)]
    all: bool,
}

/// Runs the command. The exit code is the run's: 0 for a run that succeeded.
///
/// # Errors
/// When there is no such run, or it is still open, or its manifest cannot be read.
pub async fn run(args: ShowArgs, format: Format) -> Done {
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let vault = args.vault.vault.name();
    let jobs = runs::open_jobs(&app).await?;
    let job = jobs.iter().find(|job| job.vault == *vault && job.run == args.run);
    let wanted = |line: &Line| args.all || needs_attention(line);
    let (kind, text, next) = match runs::report(&app, vault, &args.run, job, wanted).await? {
        Some(Report::Closed { header, summary, lines }) => {
            print(&header, &summary, &lines, format)?;
            return Ok(summary.verdict.into());
        }
        Some(Report::Open { job, planned, .. }) => (
            ProblemKind::NotPossible,
            still_open(&job, planned),
            "wait until it has ended, as `keyvault-backup jobs` shows".to_owned(),
        ),
        None if runs::is_planned(&app, vault, &args.run).await? => (
            ProblemKind::NotPossible,
            "it was begun, and its record is gone".to_owned(),
            format!("end it with `keyvault-backup rebuild --vault {vault}`"),
        ),
        None => {
            nothing::refuse_unknown(&app, vault).await?;
            let next = format!("list the runs with `keyvault-backup list runs --vault {vault}`");
            (ProblemKind::NotFound, "there is no such run".to_owned(), next)
        }
    };
    Err(Failed::of(kind, format!("{} of {vault}: {text}", args.run), next))
}

/// Parses the name of a run.
fn run_of(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|error| format!("{error}; `keyvault-backup list runs --vault VAULT` lists runs"))
}

fn still_open(job: &BackupJob, planned: Option<usize>) -> String {
    let planned = match planned {
        Some(1) => "it is still open; it backs up 1 object".to_owned(),
        Some(planned) => format!("it is still open; it backs up {planned} objects"),
        None => "it is still open, and not planned yet".to_owned(),
    };
    let late = late(job.run.late(job.opened));
    match job.tried_again() {
        Some(of) => format!("{planned}{late}; {}", tried_again(of)),
        None => format!("{planned}{late}"),
    }
}

fn print(header: &PlanHeader, summary: &Summary, lines: &[Line], format: Format) -> io::Result<()> {
    if format.is_json() {
        return output::json(&RunReport::new(header, summary, lines));
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
        let at = output::moment(late.at);
        let said = format!("The {}s could be listed only at {at}, in round {}", late.kind, late.round);
        output::aside(format, said)?;
    }
    for hint in &header.hints {
        output::aside(format, format_args!("Everything was due: {hint}"))?;
    }
    output::aside(format, summary_line(summary))
}

fn needs_attention(line: &Line) -> bool {
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
