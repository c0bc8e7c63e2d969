//! `restore`: plan, show, ask, do, report.

mod file;
mod report;

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs, OutputArg, VaultArg, app_for_both, ask, list::moment_of, output::Format,
};
use crate::{
    app::App,
    clock::Clock,
    config::Needs,
    domain::{
        asker::Asker,
        object::{ObjectId, ObjectKind, VaultUrl},
        restore::{
            Action, OnConflict, Request, RestoreId, RestoreNumbers, RestorePlan, Selection, StepResult,
        },
    },
    restore::{
        self, here,
        start::{self, Opened},
    },
};

/// Restore backups into a vault.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags as clap reads them")]
pub struct RestoreArgs {
    #[command(flatten)]
    vault: VaultArg,
    /// The vault to restore into; the same one when it is left out
    #[arg(long, value_name = "URL")]
    into: Option<VaultUrl>,
    #[command(flatten)]
    objects: ObjectArgs,
    /// Only this kind; may be repeated
    #[arg(long)]
    kind: Vec<ObjectKind>,
    /// Only names that match; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Only objects with this tag, `KEY=VALUE`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag_of)]
    tag: Vec<(String, String)>,
    /// Everything of this vault
    #[arg(long)]
    all: bool,
    /// Also objects that were gone from the vault by then; those that are named are restored in any case
    #[arg(long)]
    gone: bool,
    /// As the backups were at this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    at: Option<OffsetDateTime>,
    /// What happens to names that are taken in the target
    #[arg(long, value_enum, default_value_t = Conflict::Fail)]
    on_conflict: Conflict,
    /// Print the plan, and do nothing
    #[arg(long)]
    what_if: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Restore one blob from a file, ours or that of `az keyvault … backup --file`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["secret", "key", "certificate", "kind", "name", "tag", "all", "at", "into", "on_conflict"])]
    file: Option<PathBuf>,
    /// Go ahead without the records of what is under way and without the audit trail, when they cannot be
    /// written; nothing keeps others from restoring into the same vault then
    #[arg(long)]
    unrecorded: bool,
    #[command(flatten)]
    output: OutputArg,
}

/// What happens to names that are taken in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Conflict {
    /// The object is not restored, and that is a failure
    Fail,
    /// The object is skipped
    Skip,
    /// A soft-deleted object is recovered as it was
    RecoverDeleted,
    /// A soft-deleted object is purged for good, then restored; only for objects that are named
    PurgeDeleted,
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Fail => Self::Fail,
            Conflict::Skip => Self::Skip,
            Conflict::RecoverDeleted => Self::RecoverDeleted,
            Conflict::PurgeDeleted => Self::PurgeDeleted,
        }
    }
}

fn tag_of(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl RestoreArgs {
    fn target(&self) -> &VaultUrl {
        self.into.as_ref().unwrap_or(&self.vault.vault)
    }

    fn request(&self) -> Result<Request, Failed> {
        let selection = Selection {
            objects: self.objects.objects(),
            kinds: self.kind.clone(),
            pattern: self.name.clone(),
            tags: self.tag.iter().cloned().collect::<BTreeMap<_, _>>(),
            gone: self.gone,
        };
        if (Selection { gone: false, ..selection.clone() }) == Selection::default() && !self.all {
            return Err(Failed(
                "say what to restore: objects by name, --kind, --name, --tag, or --all".into(),
            ));
        }
        Ok(Request {
            source: self.vault.vault.name().clone(),
            target: self.target().name().clone(),
            at: self.at,
            selection,
            on_conflict: self.on_conflict.into(),
        })
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the catalogue or the target cannot be read, or another restore has the target.
pub async fn run(args: RestoreArgs) -> Done {
    if let Some(path) = &args.file {
        return file::run(path, &args.vault.vault, args.what_if, args.yes, args.output.output).await;
    }
    let request = args.request()?;
    let needs = if args.unrecorded || args.what_if { Needs::Storage } else { Needs::Backup };
    let app = app_for_both(&args.vault.vault, args.target(), needs)?;
    let plan = restore::plan(&app, &request).await?;
    let format = args.output.output;
    if args.what_if {
        report::plan(&plan, format)?;
        return Ok(exit(&RestoreNumbers::of(&plan), plan.steps.len()));
    }
    if format == Format::Table {
        report::plan(&plan, format)?;
    }
    if !args.yes && !plan.steps.is_empty() && !agreed(&args, &plan)? {
        return Ok(Exit::None);
    }
    let id = if args.unrecorded { None } else { Some(open(&app, &plan).await?) };
    let outcomes = work(&app, id.as_ref(), &plan, format).await?;
    let mut numbers = RestoreNumbers::of(&plan);
    for (_, result) in &outcomes {
        numbers.add(result);
    }
    report::outcomes(&plan, id.as_ref(), numbers, &outcomes, format)?;
    Ok(exit(&numbers, 0))
}

/// Takes the target and records the restore.
async fn open(app: &App, plan: &RestorePlan) -> Result<RestoreId, Failed> {
    let clock = Clock::system();
    let id = RestoreId::new(clock.now(), fastrand::u32(..));
    let opened = start::open(app, id, plan, &Asker::TERMINAL, &clock).await.map_err(|error| {
        Failed(format!("{error}\nnothing was restored; `--unrecorded` goes ahead without records"))
    })?;
    match opened {
        Opened::Ours(stored) => Ok(stored.job.id),
        Opened::Taken(other) => Err(Failed(format!(
            "restore {other} is at work on vault {}; wait for its end (`jobs`)",
            plan.request.target
        ))),
    }
}

fn agreed(args: &RestoreArgs, plan: &RestorePlan) -> Result<bool, Failed> {
    let purges = plan.steps.iter().filter(|step| step.action == Action::PurgeAndRestore).count();
    let purges =
        if purges > 0 { format!(", after purging {purges} of them for good") } else { String::new() };
    confirmed(&format!("Restore {} objects into {}{purges}?", plan.steps.len(), args.target()))
}

/// Asks on the terminal. Without one the answer is an error: nobody can have agreed.
fn confirmed(question: &str) -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed(
            "nothing was restored: there is no terminal to ask on; add --yes to go ahead".into(),
        ));
    }
    ask(question)
}

/// The exit code for these numbers, when so many more would be done.
fn exit(numbers: &RestoreNumbers, more: usize) -> Exit {
    match (numbers.failed, numbers.restored + numbers.skipped, more) {
        (0, ..) => Exit::All,
        (_, 0, 0) => Exit::None,
        _ => Exit::Part,
    }
}

async fn work(
    app: &App,
    id: Option<&RestoreId>,
    plan: &RestorePlan,
    format: Format,
) -> Result<Vec<(ObjectId, StepResult)>, Failed> {
    let target =
        if format == Format::Table { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(plan.steps.len() as u64), target);
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    here::run(app, id, plan, &Clock::system(), |object, result| {
        bar.inc(1);
        outcomes.push((object, result));
    })
    .await?;
    bar.finish_and_clear();
    outcomes.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(outcomes)
}
