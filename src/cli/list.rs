//! `list`: vaults, runs, objects, and the backups of one object.

use clap::{Args, Subcommand};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Done, Exit, ObjectArgs, OutputArg, VaultArg, app_for,
    output::{self, Format, age, bytes, moment},
};
use crate::{
    app::App,
    catalogue::ManifestRef,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        manifest::{Fared, Line},
        object::ObjectKind,
        versions::VERSIONS_WARNING,
    },
    look::vaults::{self, Newest},
};

/// What to list.
#[derive(Debug, Subcommand)]
pub enum List {
    /// The configured vaults, each with its newest run, and when one covered it last
    Vaults(OutputArg),
    /// The runs of a vault, newest first
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
    vault: VaultArg,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 30)]
    limit: usize,
    #[command(flatten)]
    output: OutputArg,
}

/// The objects of a vault.
#[derive(Debug, Args)]
pub struct ObjectsArgs {
    #[command(flatten)]
    vault: VaultArg,
    /// Only this kind
    #[arg(long)]
    kind: Option<ObjectKind>,
    /// Only names that contain this
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// As the backups were at this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    at: Option<OffsetDateTime>,
    #[command(flatten)]
    output: OutputArg,
}

/// The backups of one object.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    vault: VaultArg,
    #[command(flatten)]
    object: ObjectArgs,
    #[command(flatten)]
    output: OutputArg,
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
        found.push((vault.url(), vaults::newest(&app, vault.url().name()).await?));
    }
    if format == Format::Json {
        let found = found.iter().map(|(url, newest)| {
            json!({ "vault": url.to_string(), "newest": newest.last, "covering": newest.covering })
        });
        output::json(&found.collect::<Vec<_>>())?;
        return Ok(Exit::All);
    }
    let mut table = output::table(&["vault", "newest run", "age", "verdict", "#protected", "last covered"]);
    for (url, Newest { last, covering }) in found {
        let covered = covering.map_or_else(|| "never".to_owned(), |of| age(now - of.planned));
        let of = last.map(|of| {
            [of.run.to_string(), age(now - of.finished), of.verdict.to_string(), of.protected.to_string()]
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
    let found =
        app.catalogue()?.manifests(args.vault.vault.name(), None, |found| found.len() >= args.limit).await?;
    if args.output.output == Format::Json {
        output::json(&found.iter().map(|found| &found.summary).collect::<Vec<_>>())?;
        return Ok(Exit::All);
    }
    let headings = ["run", "planned", "verdict", "#listed", "#backed up", "#skipped", "#failed", "size"];
    let mut table = output::table(&headings);
    for ManifestRef { run, summary, .. } in found {
        let Some(of) = summary else {
            table.add_row([run.as_str(), "its manifest has lost its metadata"]);
            continue;
        };
        table.add_row([
            run.to_string(),
            moment(of.planned),
            of.verdict.to_string(),
            of.numbers.listed.to_string(),
            of.numbers.backed_up.to_string(),
            of.numbers.skipped().to_string(),
            of.numbers.failed.to_string(),
            bytes(of.numbers.bytes),
        ]);
    }
    output::print(&table)?;
    Ok(Exit::All)
}

async fn objects(args: ObjectsArgs) -> Done {
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let catalogue = app.catalogue()?;
    let view = catalogue.view(args.vault.vault.name(), args.at).await?;
    let wanted = |line: &Line| {
        args.kind.is_none_or(|kind| line.kind == kind)
            && args.name.as_ref().is_none_or(|text| line.name.folded().contains(&text.to_ascii_lowercase()))
    };
    let mut lines = Vec::new();
    for line in catalogue.lines(&view).await? {
        lines.push(line?);
    }
    lines.retain(wanted);
    if args.output.output == Format::Json {
        output::json(&lines)?;
        return Ok(Exit::All);
    }
    let now = Clock::system().now();
    let mut table = output::table(&["kind", "name", "newest backup", "age", "#versions", "#size", "state"]);
    for line in &lines {
        let entry = line.entry.as_ref();
        table.add_row([
            line.kind.to_string(),
            line.name.to_string(),
            entry.map_or_else(|| "none".to_owned(), |entry| moment(entry.taken)),
            entry.map_or_else(String::new, |entry| age(now - entry.taken)),
            entry.map_or_else(String::new, |entry| entry.versions.to_string()),
            entry.map_or_else(String::new, |entry| bytes(entry.bytes)),
            state(line),
        ]);
    }
    output::print(&table)?;
    output::line(format_args!("{} objects", lines.len()))?;
    Ok(Exit::All)
}

/// A time on the command line.
///
/// # Errors
/// When it is not in RFC 3339's form.
pub fn moment_of(text: &str) -> Result<OffsetDateTime, String> {
    let expected = |_| "expected a time such as 2026-11-22T10:00:00Z".to_owned();
    OffsetDateTime::parse(text, &Rfc3339).map_err(expected)
}

/// What a reader should know of an object besides its newest backup.
fn state(line: &Line) -> String {
    let why = why(line);
    if line.fared == Fared::Failed { format!("failed: {why}") } else { why }
}

/// Why an object fared as it did; empty where that needs no words.
pub fn why(line: &Line) -> String {
    let failure = line.failure.as_ref();
    let near = line.entry.as_ref().is_some_and(|entry| entry.versions >= VERSIONS_WARNING);
    match line.fared {
        Fared::BackedUp | Fared::Unchanged if near => "near the limit of 500 versions".to_owned(),
        Fared::BackedUp | Fared::Unchanged => String::new(),
        Fared::Managed => "belongs to a certificate".to_owned(),
        Fared::VaultManaged => {
            "managed by the vault, not by a certificate; Key Vault does not back it up".to_owned()
        }
        Fared::Disappeared => "deleted while the vault was backed up".to_owned(),
        Fared::Failed => {
            failure.map_or_else(String::new, |of| format!("{}: {}", of.code, output::one_line(&of.text)))
        }
        Fared::Gone => "gone from the vault".to_owned(),
        Fared::Carried => "not listed in the newest run".to_owned(),
    }
}

async fn history(args: HistoryArgs) -> Done {
    let id = args.object.one()?;
    let app = app_for(&args.vault.vault, Needs::Storage)?;
    let entries = app.catalogue()?.history(args.vault.vault.name(), &id).await?;
    let exit = if entries.is_empty() { Exit::None } else { Exit::All };
    if args.output.output == Format::Json {
        output::json(&entries)?;
        return Ok(exit);
    }
    if entries.is_empty() {
        output::line(format_args!("There is no backup of {id} of {}", args.vault.vault))?;
        return Ok(exit);
    }
    let mut table = output::table(&["taken", "run", "#versions", "newest version", "#size", "SHA-256"]);
    for entry in &entries {
        table.add_row([
            moment(entry.taken),
            entry.run.to_string(),
            entry.versions.to_string(),
            entry.newest.to_string(),
            bytes(entry.bytes),
            entry.sha256.to_string(),
        ]);
    }
    output::print(&table)?;
    Ok(Exit::All)
}
