//! `status`: whether everything is well, and if not, what first.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use time::{Duration, OffsetDateTime};

use super::{
    Done, Exit, Failed,
    output::{self, Cell, Column, Format, Table, moment},
    written,
};
use crate::{
    api::shapes::status::Status as StatusShape,
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        notice::Waiting,
        state::{Objects, SourceState},
    },
    query::{
        passes,
        status::{self, Status},
        version,
    },
    tell,
};

/// Failing objects of a vault that are named.
const NAMED: usize = 3;

/// The form of the status.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Write it as one page to this file as well, which is replaced as a whole
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long, requires = "html")]
    open: bool,
}

impl StatusArgs {
    /// Whether it writes no file.
    pub const fn only_reads(&self) -> bool {
        self.html.is_none()
    }
}

/// Runs the command, over the configured sources, or over all that the catalogue has. The exit code is 0 if everything
/// is well, and 1 if not.
///
/// # Errors
/// When settings are wrong, or a service refuses or does not answer.
pub async fn run(args: StatusArgs, format: Format) -> Done {
    let app = App::build(&Config::read(environment, Needs::Jobs)?)?;
    let now = Clock::system().now();
    let found = match args.html {
        None => status::status(&app, now).await?,
        Some(path) => {
            let seen = tell::read(&app, now).await?;
            written::replace(&path, tell::page::page(&seen).as_bytes(), "--html")?;
            if args.open {
                open::that_detached(&path).map_err(|error| {
                    let next = format!("open {} yourself", path.display());
                    Failed::new(format!("no browser could be started: {error}"), next)
                })?;
            }
            seen.status
        }
    };
    let exit = if found.is_ok() { Exit::All } else { Exit::Part };
    if format.is_json() {
        output::json(&StatusShape::from(found))?;
        return Ok(exit);
    }
    table(&found).print(format)?;
    for line in lines(&found) {
        output::aside(format, line)?;
    }
    if let Some(other) = version::other(&app, now).await {
        output::aside(format, other)?;
    }
    Ok(exit)
}

/// A row for each source, the most urgent first.
pub fn table(of: &Status) -> Table {
    let details = [
        Column::name("state"),
        Column::number("newest"),
        Column::number("protected"),
        Column::number("damaged").if_any(),
        Column::number("not verified yet").if_any(),
        Column::number("failing").if_any(),
        Column::number("accepted").if_any(),
        Column::number("gone").if_any(),
        Column::number("running").if_any(),
        Column::number("verified"),
        Column::number("second place behind").if_any(),
        Column::number("drilled").if_any(),
        Column::name("restorable since"),
    ];
    let mut table = Table::new(&[Column::name("source")], &details);
    for source in of.by_urgency() {
        let Objects { protected, damaged, not_verified, failing, accepted, gone, .. } =
            source.objects.unwrap_or_default();
        let some = |count: usize| (count > 0).then_some(count as u64).map_or(Cell::Nothing, Cell::Number);
        table.push([
            source.source.as_str().into(),
            state(source).into(),
            age(source, of.now).into(),
            source.objects.map_or(Cell::Nothing, |_| Cell::Number(protected as u64)),
            some(damaged),
            some(not_verified),
            some(failing),
            some(accepted),
            some(gone),
            some(source.running),
            match source.verified().time_or_word() {
                Ok(at) => (of.now - at).into(),
                Err(word) => word.into(),
            },
            source.second.filter(|of| of.behind_since.is_some()).map(|of| of.behind).into(),
            match source.drills.at().time_or_word() {
                Ok(at) => (of.now - at).into(),
                Err(_) if source.drills.interval.is_none() => Cell::Nothing,
                Err(word) => word.into(),
            },
            source.points.map(|points| points.earliest).into(),
        ]);
    }
    table
}

/// The name of the most urgent trouble.
fn state(of: &SourceState) -> &'static str {
    of.troubles.first().map_or("ok", |trouble| trouble.code())
}

fn age(of: &SourceState, now: OffsetDateTime) -> Option<Duration> {
    of.covered.map(|covered| now - covered)
}

/// The first of a vault's failing objects, and the command that lists them all.
fn failing(of: &Status, source: &SourceState) -> Option<String> {
    let vault = of.vaults.iter().find(|vault| vault.state.source == source.source && !source.is_hsm())?;
    let lines = &vault.known.as_ref().ok()?.failing;
    let all = source.objects.map_or(lines.len(), |of| of.failing);
    let named: Vec<_> = lines.iter().take(NAMED).map(|line| format!("{} {}", line.kind, line.name)).collect();
    let more = all.saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let list = format!("`keyvault-backup list objects --vault {} --failing`", source.source);
    (!named.is_empty()).then(|| format!("Failing: {}{more}. {list} says why.", named.join(", ")))
}

fn undelivered(of: &Waiting) -> String {
    let messages = output::count(of.posts as u64, "message");
    let why = of.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("Not yet delivered to {} since {}: {messages}{why}.", of.host, moment(of.since))
}

/// What is wrong, most urgent first, and what happens next.
fn lines(of: &Status) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for source in of.by_urgency() {
        lines.extend(source.troubles.iter().map(|trouble| format!("{}: {trouble}.", source.source)));
        lines.extend(failing(of, source));
    }
    if of.by_urgency().is_empty() {
        lines.push(
            "There is no source: the settings name none, and the catalogue has none. Take a first backup with \
             `keyvault-backup backup --vault NAME`."
                .to_owned(),
        );
    } else if !lines.is_empty() {
        lines.push("`keyvault-backup preflight` says how to fix each.".to_owned());
    }
    if of.passes.stands_still {
        lines.push(format!("Jobs stand still: {}.", passes::words(of.passes.last)));
    }
    if !of.retention.is_applied() {
        lines.push(format!("Nothing is deleted: {}.", of.retention));
    }
    if let Some(pass) = of.second.as_ref().filter(|pass| pass.failed > 0) {
        let parts = output::count(pass.failed, "part");
        lines.push(format!(
            "The last pass over the second place could not copy {parts}; the log of the keeper names them (`second.failed`, \
             `second.differs`)."
        ));
    }
    for source in of.by_urgency() {
        if let Some(second) = source.second.filter(|of| of.lacking > 0) {
            let points = output::count(second.lacking, "point");
            lines.push(format!(
                "{}: the second place has {points} without something that the first place had lost; `keyvault-backup list runs \
                 --vault {} --from second` says which.",
                source.source, source.source
            ));
        }
    }
    if let Some(messages) = of.poison_messages.filter(|messages| *messages > 0) {
        let messages = output::count(messages, "message");
        lines.push(format!("The host gave up {messages}; see `poison-message` in docs/operations.md."));
    }
    lines.extend(of.notices.iter().flat_map(|of| of.waiting.iter()).map(undelivered));
    lines.extend(
        of.next_runs.iter().map(|(timer, at)| format!("{} runs next at {}.", timer.function(), moment(*at))),
    );
    lines
}
