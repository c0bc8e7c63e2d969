//! `list`: vaults, runs, objects, and the backups of one object.

mod history;
mod why;

use clap::{Args, Subcommand};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use self::why::why;
use self::{
    history::{HistoryArgs, history},
    why::state,
};
use super::{
    Done, Exit, Failed, FromArg, SourceArg, app_for_in,
    output::{self, Cell, Column, Format, Table, count},
    report,
};
use crate::{
    api::shapes::{
        run::{RunItem, Runs},
        terminal::{ObjectItem, Objects, VaultItem, Vaults},
    },
    app::App,
    catalogue::ManifestRef,
    clock::Clock,
    config::{Needs, named},
    domain::{
        filter::{NameFilter, ObjectFilter},
        manifest::{Line, ObjectStatus, Summary},
        object::ObjectKind,
        restore::Selection,
        run::RunId,
        second::Lacks,
        source::Source,
        state::Newest,
    },
    query::{nothing, objects::Listing, runs, vaults},
};

/// The lists.
#[derive(Debug, Subcommand)]
pub enum List {
    /// The configured vaults, or all that the catalogue has, each with its newest run and the last that covered it
    Vaults(VaultsArgs),
    /// The runs of a vault, or of an HSM's single keys, newest first
    Runs(RunsArgs),
    /// The objects of a vault, each with its newest backup
    Objects(ObjectsArgs),
    /// Every backup of one object, newest first
    History(HistoryArgs),
}

/// The vaults.
#[derive(Debug, Args)]
pub struct VaultsArgs {
    #[command(flatten)]
    from: FromArg,
}

/// The runs of a vault.
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    vault: SourceArg,
    /// The most runs to list
    #[arg(long, value_name = "N", default_value_t = 30)]
    limit: usize,
    #[command(flatten)]
    from: FromArg,
}

/// The objects of a vault.
#[derive(Debug, Args)]
pub struct ObjectsArgs {
    #[command(flatten)]
    vault: SourceArg,
    /// Only this kind
    #[arg(long)]
    kind: Option<ObjectKind>,
    /// Only names that match as a whole; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    name: Option<NameFilter>,
    /// As the backups were at this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    at: Option<OffsetDateTime>,
    /// Only objects that could not be backed up
    #[arg(long)]
    failing: bool,
    /// Only objects that are gone from the vault; with `--failing`, either
    #[arg(long)]
    gone: bool,
    /// Only objects that were backed up, or were found gone, at this time or later
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    since: Option<OffsetDateTime>,
    #[command(flatten)]
    from: FromArg,
}

impl ObjectsArgs {
    fn filter(&self) -> ObjectFilter {
        let statuses = [(self.failing, ObjectStatus::Failed), (self.gone, ObjectStatus::Gone)];
        ObjectFilter {
            kind: self.kind,
            name: self.name.clone(),
            statuses: statuses.into_iter().filter_map(|(wanted, status)| wanted.then_some(status)).collect(),
            since: self.since,
        }
    }

    /// The selection of a restore of the listed objects.
    fn selection(&self) -> Selection {
        Selection {
            kinds: self.kind.into_iter().collect(),
            pattern: self.name.clone(),
            ..Selection::default()
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the catalogue cannot be read.
pub async fn run(list: List, format: Format) -> Done {
    match list {
        List::Vaults(args) => all_vaults(args, format).await,
        List::Runs(args) => runs(args, format).await,
        List::Objects(args) => objects(args, format).await,
        List::History(args) => history(args, format).await,
    }
}

async fn all_vaults(args: VaultsArgs, format: Format) -> Done {
    let app = args.from.app(Needs::Storage)?;
    let now = Clock::system().now();
    let mut found = Vec::new();
    for source in vaults_to_list(&app).await? {
        let newest = vaults::newest(&app, source.name()).await?;
        found.push((source, newest));
    }
    if format.is_json() {
        let item = |(source, newest): &(Source, Newest)| VaultItem::new(source, newest, now);
        output::json(&Vaults { vaults: found.iter().map(item).collect() })?;
        return Ok(Exit::All);
    }
    let details = [
        Column::name("newest run"),
        Column::number("age"),
        Column::name("verdict"),
        Column::number("protected"),
        Column::number("late").if_any(),
        Column::number("last covered"),
    ];
    let mut table = Table::new(&[Column::name("vault")], &details);
    for (source, Newest { last, covering, .. }) in &found {
        let run = last.as_ref().map_or("none", |of| of.run.as_str());
        let (since, protected) =
            (last.as_ref().map(|of| now - of.finished), last.as_ref().map(|of| of.protected));
        let verdict = last.as_ref().map(|of| of.verdict.to_string());
        let covered = covering.as_ref().map_or_else(|| Cell::from("never"), |of| (now - of.planned).into());
        let late = report::lateness(last.as_ref().and_then(|of| of.late));
        table.push([
            source.into(),
            run.into(),
            since.into(),
            verdict.into(),
            protected.into(),
            late,
            covered,
        ]);
    }
    table.print(format)?;
    if found.is_empty() {
        output::aside(format, "There is no vault: the settings name none, and the catalogue has none.")?;
    }
    Ok(Exit::All)
}

/// The configured vaults or, if there are none, those that the catalogue has. In it, an HSM whose keys are backed up one
/// by one is a vault as well, and is left out.
async fn vaults_to_list(app: &App) -> Result<Vec<Source>, Failed> {
    let configured: Vec<_> = app.vaults().map(|vault| vault.source().clone()).collect();
    if !configured.is_empty() {
        return Ok(configured);
    }
    let catalogue = app.catalogue()?;
    let (vaults, hsms) = (catalogue.vaults().await?, catalogue.hsms().await?);
    let vaults = vaults.into_iter().filter(|name| !hsms.contains(name));
    // What is in the catalogue was a source's name once.
    Ok(vaults.filter_map(|name| named::vault(name.as_str()).ok()).collect())
}

async fn runs(args: RunsArgs, format: Format) -> Done {
    let app = app_for_in(&args.vault.vault, Needs::Storage, args.from)?;
    let found = runs::closed(&app, args.vault.vault.name(), args.limit).await?;
    let lacking = app.catalogue()?.lacking(args.vault.vault.name()).await?;
    let without = |run: &RunId| lacking.get(run).map(Lacks::backups);
    if found.is_empty() {
        nothing::refuse_unknown(&app, args.vault.vault.name()).await?;
    }
    if format.is_json() {
        let name = args.vault.vault.name();
        let runs = found.into_iter().map(|found| {
            let copied_without = without(&found.run);
            RunItem { copied_without, ..runs::Run::Closed(name.clone(), found).into() }
        });
        output::json(&Runs { runs: runs.collect(), after: None })?;
        return Ok(Exit::All);
    }
    let details = [
        Column::name("planned"),
        Column::number("late").if_any(),
        Column::name("verdict"),
        Column::number("listed"),
        Column::number("backed up"),
        Column::number("skipped"),
        Column::number("failed"),
        Column::number("accepted").if_any(),
        Column::number("gone"),
        Column::number("returned"),
        Column::number("size"),
        Column::number("copied without").if_any(),
    ];
    let mut table = Table::new(&[Column::name("run")], &details);
    for ManifestRef { run, summary, .. } in &found {
        let mut cells = row(run, summary.as_ref()).into_iter().chain([without(run).into()]);
        table.push(std::array::from_fn::<_, 13, _>(|_| cells.next().unwrap_or(Cell::Nothing)));
    }
    table.print(format)?;
    if found.is_empty() {
        output::aside(format, format_args!("No run of {} has ended.", args.vault.vault))?;
    }
    Ok(Exit::All)
}

fn row(run: &RunId, summary: Option<&Summary>) -> [Cell; 12] {
    const NOTHING: Cell = Cell::Nothing;
    let name = run.as_str().into();
    let Some(Summary { planned, late, verdict, numbers, .. }) = summary else {
        let mut row = [NOTHING; 12];
        (row[0], row[3]) = (name, "Unreadable".into());
        return row;
    };
    let accepted = Some(numbers.accepted).filter(|accepted| *accepted > 0);
    [
        name,
        (*planned).into(),
        report::lateness(*late),
        verdict.to_string().into(),
        numbers.listed.into(),
        numbers.backed_up.into(),
        numbers.skipped().into(),
        numbers.failed.into(),
        accepted.into(),
        numbers.gone.into(),
        numbers.returned.into(),
        Cell::Bytes(numbers.bytes),
    ]
}

async fn objects(args: ObjectsArgs, format: Format) -> Done {
    args.vault.may_hold(args.kind)?;
    let app = app_for_in(&args.vault.vault, Needs::Storage, args.from)?;
    let filter = args.filter();
    let listing = Listing::read(&app, args.vault.vault.name(), args.at, |line| filter.takes(line)).await?;
    let lines = &listing.lines;
    if lines.is_empty() {
        nothing::refuse_unmatched(&app, args.vault.vault.name(), args.at, &args.selection()).await?;
    }
    let location = listing.location(&app, args.vault.vault.name()).await?;
    if format.is_json() {
        let item = |line: &Line| ObjectItem::new(line, Some(&location)).verified(listing.verified(line));
        output::json(&Objects { objects: lines.iter().map(item).collect() })?;
        return Ok(Exit::All);
    }
    let now = Clock::system().now();
    let details = [
        Column::name("newest backup"),
        Column::number("age"),
        Column::name("verified").if_any(),
        Column::number("versions"),
        Column::number("size"),
        Column::name("run").wide(),
        Column::name("SHA-256").wide(),
        Column::prose("state"),
    ];
    let mut table = Table::new(&[Column::name("kind"), Column::name("name")], &details);
    for line in lines {
        let entry = line.entry.as_ref();
        let taken = entry.map_or_else(|| Cell::from("none"), |entry| entry.taken.into());
        table.push([
            line.kind.as_str().into(),
            line.name.as_str().into(),
            taken,
            entry.map(|entry| now - entry.taken).into(),
            listing.verified(line).into(),
            entry.map(|entry| entry.versions).into(),
            entry.map_or(Cell::Nothing, |entry| Cell::Bytes(entry.bytes)),
            entry.map(|entry| entry.run.as_str()).into(),
            entry.map(|entry| &entry.sha256).into(),
            state(line, &location).into(),
        ]);
    }
    table.print(format)?;
    output::aside(format, count(lines.len(), "object"))?;
    Ok(Exit::All)
}

/// Parses a time on the command line.
///
/// # Errors
/// If it is not in RFC 3339's form.
pub fn moment_of(text: &str) -> Result<OffsetDateTime, String> {
    let expected = |_| "expected a time such as 2026-11-22T10:00:00Z".to_owned();
    OffsetDateTime::parse(text, &Rfc3339).map_err(expected)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::{
        object::ObjectId,
        outcome::Failure,
        samples::{NIGHT, line, of_kind, secret},
    };

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: ObjectsArgs,
    }

    fn parsed(options: &str) -> Result<ObjectsArgs, String> {
        let words = ["list", "--vault", "kv-prod"].into_iter().chain(options.split_whitespace());
        Command::try_parse_from(words).map(|of| of.args).map_err(|error| error.to_string())
    }

    /// A key that was backed up, one that fails, a secret that fails and was never backed up, and one that is gone.
    fn index() -> [(&'static str, Line); 4] {
        let key = |name: &str| of_kind(ObjectKind::Key, name);
        let failing = |id: &ObjectId, line: Line| {
            let failure = Some(Failure::ours("Forbidden", format!("no right to {id}")));
            Line { failure, status: ObjectStatus::Failed, ..line }
        };
        let old = NIGHT - time::Duration::days(30);
        let never = Line::new(secret("never"), ObjectStatus::Failed, None);
        let gone = Line { gone: Some(NIGHT), ..line(&secret("gone"), ObjectStatus::Gone, old) };
        [
            ("fresh", line(&key("fresh"), ObjectStatus::BackedUp, NIGHT)),
            ("stale", failing(&key("stale"), line(&key("stale"), ObjectStatus::Failed, old))),
            ("never", failing(&secret("never"), never)),
            ("gone", gone),
        ]
    }

    #[test]
    fn each_option_narrows_the_list_and_the_two_states_widen_each_other() {
        for (options, expected) in [
            ("", "fresh stale never gone"),
            ("--failing", "stale never"),
            ("--gone", "gone"),
            ("--failing --gone", "stale never gone"),
            ("--kind key", "fresh stale"),
            ("--kind key --failing", "stale"),
            ("--kind key --gone", ""),
            ("--name *e*", "fresh stale never gone"),
            ("--name S*", "stale"),
            ("--name s", ""),
            ("--name n* --gone", ""),
            ("--since 2026-11-22T02:00:00Z", "fresh gone"),
            ("--since 2026-11-22T03:00:01+01:00", ""),
            ("--since 2026-10-23T02:00:00Z", "fresh stale gone"),
            ("--since 2026-11-22T02:00:00Z --failing", ""),
            ("--since 2026-11-22T02:00:00Z --gone", "gone"),
        ] {
            let filter = parsed(options).unwrap().filter();
            let found: Vec<_> =
                index().iter().filter(|(_, line)| filter.takes(line)).map(|(name, _)| *name).collect();
            assert_eq!(found.join(" "), expected, "{options}");
        }
    }

    #[test]
    fn what_cannot_match_is_refused_before_anything_is_read() {
        for (options, fault) in [
            ("--since yesterday", "expected a time such as 2026-11-22T10:00:00Z"),
            ("--at 2026-11-22", "expected a time such as 2026-11-22T10:00:00Z"),
            ("--kind secrets", "invalid value 'secrets'"),
            ("--name a/b", "invalid value 'a/b'"),
            ("--vault kv-test", "cannot be used multiple times"),
        ] {
            let told = parsed(options).unwrap_err();
            assert!(told.contains(fault), "{options}: {told}");
        }
    }

    #[test]
    fn what_explains_an_empty_list_is_what_was_asked_for() {
        let selection =
            parsed("--kind key --name a* --failing --since 2026-11-22T02:00:00Z").unwrap().selection();
        assert_eq!(selection.kinds, [ObjectKind::Key]);
        assert_eq!(selection.pattern.as_ref().map(NameFilter::as_str), Some("a*"));
        assert_eq!(parsed("--gone").unwrap().selection(), Selection::default());
    }

    #[test]
    fn a_run_without_its_summary_is_still_a_row() {
        let run = RunId::nightly(NIGHT);
        let row = row(&run, None);
        let filled: Vec<_> =
            row.iter().enumerate().filter(|(_, cell)| !matches!(cell, Cell::Nothing)).collect();
        assert!(
            matches!(&filled[..], [(0, Cell::Text(name)), (3, Cell::Text(state))] if name == run.as_str() && state == "Unreadable")
        );
    }
}
