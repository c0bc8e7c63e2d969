//! `diff`: how a live source differs from a recovery point.

use std::io;

use clap::Args;
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, FromArg, SourceArg, app_for_in,
    list::moment_of,
    output::{self, Column, Format, Table, count},
    report::{kinds, unlisted_line},
    show::run_of,
};
use crate::{
    api::shapes::{problem::ProblemKind, terminal::Differences},
    config::Needs,
    domain::{
        diff::{Change, Difference},
        run::RunId,
        source::Source,
    },
    query::{
        diff::{self, Diff, Point},
        nothing,
    },
};

/// Compare a vault with a recovery point.
#[derive(Debug, Args)]
pub struct DiffArgs {
    #[command(flatten)]
    vault: SourceArg,
    /// With the backups as they were at this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of, conflicts_with = "run")]
    at: Option<OffsetDateTime>,
    /// With what this run left, such as 20261122T020000Z-nightly
    #[arg(long, value_name = "RUN", value_parser = run_of)]
    run: Option<RunId>,
    /// Show also the objects that are the same
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    from: FromArg,
}

/// Runs the command. The exit code is 0 if nothing differs, 1 if something does or a kind could not be listed.
///
/// # Errors
/// When settings are wrong, there is no such recovery point, or the source lists nothing.
pub async fn run(args: DiffArgs, format: Format) -> Done {
    let app = app_for_in(&args.vault.vault, Needs::Storage, args.from)?;
    let source = &args.vault.vault;
    let point = match (args.run, args.at) {
        (Some(run), _) => Point::Run(run),
        (None, Some(at)) => Point::At(at),
        (None, None) => Point::Newest,
    };
    let Some(diff) = diff::diff(&app, source.name(), &point).await? else {
        nothing::refuse_unknown(&app, source.name()).await?;
        return Err(no_run(source, &point));
    };
    let shown = |of: &&Difference| args.all || of.change != Change::Same;
    let shown: Vec<_> = diff.objects.iter().filter(shown).collect();
    if format.is_json() {
        output::json(&Differences::new(source.name(), &point, &diff, &shown))?;
    } else {
        print(source, &diff, &shown, format)?;
    }
    let is_same = diff.unlisted.is_empty() && diff.objects.iter().all(|of| of.change == Change::Same);
    Ok(if is_same { Exit::All } else { Exit::Part })
}

fn no_run(source: &Source, point: &Point) -> Failed {
    let name = source.name();
    let run = if let Point::Run(run) = point { run.as_str() } else { "it" };
    Failed::of(
        ProblemKind::NotFound,
        format!("{run} of {name}: there is no such run that has ended"),
        format!("list the runs with `keyvault-backup list runs --vault {name}`"),
    )
}

fn print(source: &Source, diff: &Diff, shown: &[&Difference], format: Format) -> io::Result<()> {
    let subject = [Column::label("change"), Column::name("kind"), Column::name("name")];
    let details = [
        Column::name("backup"),
        Column::number("versions"),
        Column::name("run").wide(),
        Column::name("SHA-256").wide(),
    ];
    let mut table = Table::new(&subject, &details);
    for Difference { id, change, entry } in shown.iter().copied() {
        let entry = entry.as_ref();
        table.push([
            change.word().into(),
            id.kind.as_str().into(),
            id.name.as_str().into(),
            entry.map(|entry| entry.taken).into(),
            entry.map(|entry| entry.versions).into(),
            entry.map(|entry| entry.run.as_str()).into(),
            entry.map(|entry| &entry.sha256).into(),
        ]);
    }
    table.print(format)?;
    for unlisted in &diff.unlisted {
        output::aside(format, unlisted_line(unlisted))?;
    }
    output::aside(format, summary(source, diff))
}

fn summary(source: &Source, diff: &Diff) -> String {
    let number = |change| diff.objects.iter().filter(|of| of.change == change).count();
    let numbers = Change::ALL.map(|change| format!("{} {}", number(change), change.word())).join(", ");
    let run = diff.run.as_ref().map_or_else(String::new, |run| format!(" with {run}"));
    let unlisted: Vec<_> = diff.unlisted.iter().map(|of| of.kind).collect();
    let unknown = match &unlisted[..] {
        [] => String::new(),
        unlisted => format!("; of the {} it is not known", kinds(unlisted)),
    };
    let restore = match number(Change::Gone) {
        0 => "A restore would bring nothing back".to_owned(),
        gone => format!("A restore would bring {} back", count(gone, "object")),
    };
    let name = source.name();
    format!("{name}, compared{run}: {numbers}{unknown}. {restore}, and leave what is there as it is.")
}
