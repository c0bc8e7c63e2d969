//! `show`: what became of every object in a run.

use std::io;

use clap::Args;
use serde::Serialize;

use super::{
    Done, Failed, OutputArg, VaultArg, app_for,
    list::why,
    output::{self, Format},
    report::{summary_line, unlisted_line},
};
use crate::{
    config::Needs,
    domain::{
        manifest::{Fared, Line, Summary},
        plan::Unlisted,
        run::RunId,
    },
    look::runs::{self, Report},
};

/// Show a run.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The run, such as 20261122T020000Z-nightly
    run: RunId,
    #[command(flatten)]
    vault: VaultArg,
    /// Show every object, and not only those that need attention
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command. The exit code is the run's: 0 for a run that succeeded.
///
/// # Errors
/// When there is no such run, or it is still open, or its manifest cannot be read.
pub async fn run(args: ShowArgs) -> Done {
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let vault = args.vault.vault.name();
    let jobs = runs::open_jobs(&app).await?;
    let job = jobs.iter().find(|job| job.vault == *vault && job.run == args.run);
    let wanted = |line: &Line| args.all || needs_attention(line);
    let text = match runs::report(&app, vault, &args.run, job, wanted).await? {
        Some(Report::Closed { header, summary, lines }) => {
            print(&header.unlisted, &summary, &lines, args.output.output)?;
            return Ok(summary.verdict.into());
        }
        Some(Report::Open { planned: Some(planned), .. }) => {
            format!("it is still open; it backs up {planned} objects")
        }
        Some(Report::Open { planned: None, .. }) => "it is still open, and not planned yet".to_owned(),
        None if app.catalogue()?.plan(vault, &args.run).await?.is_some() => {
            "it was begun, and its record is gone; `rebuild` ends it".to_owned()
        }
        None => "there is no such run; `list runs` shows what there is".to_owned(),
    };
    Err(Failed(format!("{} of {}: {text}", args.run, args.vault.vault)))
}

fn print(unlisted: &[Unlisted], summary: &Summary, lines: &[Line], format: Format) -> io::Result<()> {
    if format == Format::Json {
        #[derive(Serialize)]
        struct Shown<'a> {
            summary: &'a Summary,
            unlisted: &'a [Unlisted],
            objects: &'a [Line],
        }
        return output::json(&Shown { summary, unlisted, objects: lines });
    }
    if !lines.is_empty() {
        let mut table = output::table(&["kind", "name", "fared", "why"]);
        for line in lines {
            table.add_row([line.kind.as_str(), line.name.as_str(), fared(line.fared), &why(line)]);
        }
        output::print(&table)?;
    }
    for unlisted in unlisted {
        output::line(unlisted_line(unlisted))?;
    }
    output::line(summary_line(summary))
}

fn needs_attention(line: &Line) -> bool {
    matches!(line.fared, Fared::Failed | Fared::Disappeared | Fared::Carried)
        || !why(line).is_empty() && line.fared != Fared::Managed
}

fn fared(fared: Fared) -> &'static str {
    match fared {
        Fared::BackedUp => "backed up",
        Fared::Unchanged => "unchanged",
        Fared::Managed | Fared::VaultManaged => "skipped",
        Fared::Disappeared => "disappeared",
        Fared::Failed => "failed",
        Fared::Gone => "gone",
        Fared::Carried => "not listed",
    }
}
