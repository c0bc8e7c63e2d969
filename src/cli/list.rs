//! `list`: vaults, runs, objects, and the backups of one object.

use clap::{Args, Subcommand};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Done, Exit, Failed, ObjectArgs, OutputArg, SourceArg, app_for, nothing,
    output::{self, Format, age, bytes, count, moment},
    report,
};
use crate::{
    app::App,
    catalogue::{ManifestRef, Point},
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        filter::NameFilter,
        location::{Apart, Location},
        manifest::{Line, ObjectStatus},
        object::ObjectKind,
        restore::Selection,
        versions::VERSIONS_WARNING,
    },
    error::Error,
    query::{
        objects::{self, History, Listing},
        runs,
        vaults::{self, Newest},
    },
};

/// The lists.
#[derive(Debug, Subcommand)]
pub enum List {
    /// The configured vaults, each with its newest run and the last that covered it
    Vaults(OutputArg),
    /// The runs of a vault, or of an HSM's single keys, newest first
    Runs(RunsArgs),
    /// The objects of a vault, each with its newest backup
    Objects(ObjectsArgs),
    /// Every backup of one object, newest first
    History(HistoryArgs),
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
    output: OutputArg,
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
    #[command(flatten)]
    output: OutputArg,
}

impl ObjectsArgs {
    /// The selection of a restore of the listed objects.
    fn selection(&self) -> Selection {
        Selection {
            kinds: self.kind.into_iter().collect(),
            pattern: self.name.clone(),
            ..Selection::default()
        }
    }
}

/// The backups of one object.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    vault: SourceArg,
    #[command(flatten)]
    object: ObjectArgs,
    #[command(flatten)]
    output: OutputArg,
}

impl List {
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Vaults(output) => output.output,
            Self::Runs(args) => args.output.output,
            Self::Objects(args) => args.output.output,
            Self::History(args) => args.output.output,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the catalogue cannot be read.
pub async fn run(list: List) -> Done {
    match list {
        List::Vaults(args) => all_vaults(args.output).await,
        List::Runs(args) => runs(args).await,
        List::Objects(args) => objects(args).await,
        List::History(args) => history(args).await,
    }
}

async fn all_vaults(format: Format) -> Done {
    let app = App::build(&Config::read(environment, Needs::Backup)?)?;
    let now = Clock::system().now();
    let mut found = Vec::new();
    for vault in app.vaults() {
        found.push((vault.source(), vaults::newest(&app, vault.source().name()).await?));
    }
    if format == Format::Json {
        let found = found.iter().map(|(url, newest)| {
            json!({ "vault": url.to_string(), "newest": newest.last, "covering": newest.covering })
        });
        output::json(&found.collect::<Vec<_>>())?;
        return Ok(Exit::All);
    }
    let mut table = output::table(&["vault", "newest run", "age", "verdict", "#protected", "last covered"]);
    for (url, Newest { last, covering, .. }) in found {
        let covered = covering.map_or_else(|| "never".to_owned(), |of| age(now - of.planned));
        let of = last.map(|of| {
            let run = format!("{}{}", of.run, report::late(of.late));
            [run, age(now - of.finished), of.verdict.to_string(), of.protected.to_string()]
        });
        let none = || ["none".to_owned(), String::new(), String::new(), String::new()];
        let [run, age, verdict, protected] = of.unwrap_or_else(none);
        table.add_row([url.to_string(), run, age, verdict, protected, covered]);
    }
    output::print(&table)?;
    Ok(Exit::All)
}

async fn runs(args: RunsArgs) -> Done {
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let found = runs::closed(&app, args.vault.vault.name(), args.limit).await?;
    if found.is_empty() {
        nothing::refuse_unknown(&app, &args.vault.vault).await?;
    }
    if args.output.output == Format::Json {
        output::json(&found.iter().map(|found| &found.summary).collect::<Vec<_>>())?;
        return Ok(Exit::All);
    }
    let headings = [
        "run",
        "planned",
        "verdict",
        "#listed",
        "#backed up",
        "#skipped",
        "#failed",
        "#gone",
        "#returned",
        "size",
    ];
    let mut table = output::table(&headings);
    for ManifestRef { run, summary, .. } in found {
        let Some(of) = summary else {
            table.add_row([run.as_str(), "its manifest has lost its metadata"]);
            continue;
        };
        table.add_row([
            run.to_string(),
            moment(of.planned) + &report::late(of.late),
            of.verdict.to_string(),
            of.numbers.listed.to_string(),
            of.numbers.backed_up.to_string(),
            of.numbers.skipped().to_string(),
            report::failed(&of.numbers, ""),
            of.numbers.gone.to_string(),
            of.numbers.returned.to_string(),
            bytes(of.numbers.bytes),
        ]);
    }
    output::print(&table)?;
    Ok(Exit::All)
}

async fn objects(args: ObjectsArgs) -> Done {
    args.vault.may_hold(args.kind)?;
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let wanted = |line: &Line| {
        args.kind.is_none_or(|kind| line.kind == kind)
            && args.name.as_ref().is_none_or(|name| name.takes(&line.name))
    };
    let listing = Listing::read(&app, args.vault.vault.name(), args.at, wanted).await?;
    let lines = &listing.lines;
    if lines.is_empty() {
        nothing::refuse_unmatched(&app, &args.vault.vault, args.at, &args.selection()).await?;
    }
    if args.output.output == Format::Json {
        output::json(lines)?;
        return Ok(Exit::All);
    }
    let (now, location) = (Clock::system().now(), listing.location(&app, args.vault.vault.name()).await?);
    let mut table = output::table(&["kind", "name", "newest backup", "age", "#versions", "#size", "state"]);
    for line in lines {
        let entry = line.entry.as_ref();
        table.add_row([
            line.kind.to_string(),
            line.name.to_string(),
            entry.map_or_else(|| "none".to_owned(), |entry| moment(entry.taken)),
            entry.map_or_else(String::new, |entry| age(now - entry.taken)),
            entry.map_or_else(String::new, |entry| entry.versions.to_string()),
            entry.map_or_else(String::new, |entry| bytes(entry.bytes)),
            state(line, &location),
        ]);
    }
    output::print(&table)?;
    output::line(count(lines.len(), "object"))?;
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

/// The state of an object in words, besides its newest backup.
fn state(line: &Line, location: &Location) -> String {
    let why = why(line);
    let why = if line.status == ObjectStatus::Failed { format!("failed: {why}") } else { why };
    let apart = line.entry.as_ref().and_then(|entry| entry.location.apart(location)).map(Apart::text);
    [why.as_str(), apart.unwrap_or_default()]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("; ")
}

/// The reason for an object's status, and a warning if the form of its backup is unknown. Empty if neither needs words.
pub fn why(line: &Line) -> String {
    let unknown = line.entry.as_ref().and_then(|entry| entry.form.unknown());
    let unknown = unknown.map(|clear| format!("its backup has a form that is not known ({clear})"));
    let said = [Some(why_so(line)), unknown].into_iter().flatten().filter(|said| !said.is_empty());
    said.collect::<Vec<_>>().join("; ")
}

fn why_so(line: &Line) -> String {
    let failure = line.failure.as_ref();
    let near = line.entry.as_ref().is_some_and(|entry| entry.versions >= VERSIONS_WARNING);
    match line.status {
        ObjectStatus::BackedUp | ObjectStatus::Unchanged if near => {
            "near the limit of 500 versions".to_owned()
        }
        ObjectStatus::BackedUp | ObjectStatus::Unchanged => String::new(),
        ObjectStatus::Managed => format!("belongs to a certificate{}", earlier(line)),
        ObjectStatus::VaultManaged => {
            format!(
                "managed by the vault, not by a certificate; Key Vault does not back it up{}",
                earlier(line)
            )
        }
        ObjectStatus::Disappeared => "deleted while the vault was backed up".to_owned(),
        ObjectStatus::Failed => {
            failure.map_or_else(String::new, |of| format!("{}: {}", of.code, output::one_line(&of.text)))
        }
        ObjectStatus::Gone => "gone from the vault".to_owned(),
        ObjectStatus::Carried => "not listed in the newest run".to_owned(),
        ObjectStatus::Former => {
            format!("not listed in the newest run, and managed when it last was{}", earlier(line))
        }
    }
}

/// A hint at the backups of an earlier object of the name, if there are any.
fn earlier(line: &Line) -> &'static str {
    if line.former.is_some() { "; an earlier object of that name has backups, see its history" } else { "" }
}

async fn history(args: HistoryArgs) -> Done {
    let id = args.object.one()?;
    args.vault.may_hold([id.kind])?;
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let vault = &args.vault.vault;
    let points = match objects::history(&app, vault.name(), &id).await? {
        History::Points(points) => points,
        History::Nothing(nothing) => return Err(Error::from(*nothing).into()),
        History::NoBackup => {
            return Err(Failed::new(format!(
                "there is no backup of {id} of {vault}; `show` of the newest run says why"
            )));
        }
    };
    if args.output.output == Format::Json {
        output::json(&points)?;
        return Ok(Exit::All);
    }
    let mut headings = vec!["taken", "run", "#versions", "newest version", "#size", "SHA-256"];
    let unknown = points.iter().any(|point| point.entry.form.unknown().is_some());
    headings.extend(unknown.then_some("form"));
    headings.extend(points.iter().any(|point| point.apart.is_some()).then_some("not restorable here"));
    let mut table = output::table(&headings);
    for Point { entry, apart } in &points {
        let row = [
            moment(entry.taken),
            entry.run.to_string(),
            entry.versions.to_string(),
            entry.newest.to_string(),
            bytes(entry.bytes),
            entry.sha256.to_string(),
        ];
        let form =
            entry.form.unknown().map_or_else(|| "known".to_owned(), |clear| format!("not known: {clear}"));
        let row = row.into_iter().chain(unknown.then_some(form));
        table.add_row(row.chain(apart.map(|apart| apart.text().to_owned())));
    }
    output::print(&table)?;
    Ok(Exit::All)
}
