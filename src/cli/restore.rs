//! `restore`: plans, shows the plan, asks, restores, and reports.

mod begin;
mod file;
pub(super) mod followed;
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
    Done, Exit, Failed, FromArg, ObjectArgs, SourceArg, app_for_both, ask,
    interrupt::interrupts,
    list::moment_of,
    output::{Format, Stream, count, note},
};
use crate::{
    api::shapes::problem::ProblemKind,
    app::App,
    clock::Clock,
    config::{Needs, named},
    domain::{
        filter::NameFilter,
        object::{ObjectId, ObjectKind},
        restore::{
            Action, OnConflict, OnDamaged, Request, RestoreId, RestoreNumbers, RestorePlan, Selection,
            StepResult,
        },
        source::Source,
    },
    guard,
    restore::{
        self,
        here::{self, Finish},
    },
};

/// Restore backups into a vault.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags as clap reads them")]
pub struct RestoreArgs {
    #[command(flatten)]
    vault: SourceArg,
    /// The vault to restore into, by its name or URL; the same one by default
    #[arg(long, value_name = "VAULT", value_parser = named::source)]
    into: Option<Source>,
    #[command(flatten)]
    objects: ObjectArgs,
    /// Only this kind; may be repeated. With `--file`, the kind as which the blob is restored
    #[arg(long)]
    kind: Vec<ObjectKind>,
    /// Only names that match as a whole; `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    name: Option<NameFilter>,
    /// Only objects with this tag, `KEY=VALUE`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag_of)]
    tag: Vec<(String, String)>,
    /// Everything of this vault
    #[arg(long)]
    all: bool,
    /// Also objects that were gone from the vault by then; named objects are restored in any case
    #[arg(long)]
    gone: bool,
    /// As the backups were at this time, such as `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment_of)]
    at: Option<OffsetDateTime>,
    /// What was stored first of each backup, although it was written again or deleted in storage
    #[arg(long, conflicts_with = "file")]
    first_version: bool,
    /// What to do about names that are taken in the target
    #[arg(long, value_enum, default_value_t = Conflict::Fail)]
    on_conflict: Conflict,
    /// What to do where a backup is damaged or gone
    #[arg(long, value_enum, default_value_t = Damaged::Fail)]
    on_damaged: Damaged,
    /// Also backups that are of another subscription or geography than the target according to
    /// `KEYVAULT_BACKUP_PLACES`: the service decides
    #[arg(long)]
    other_place: bool,
    /// Print the plan, and do nothing
    #[arg(long)]
    what_if: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Restore one blob from a file, ours or that of `az keyvault … backup --file`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["secret", "key", "certificate", "name", "tag", "all", "at", "into", "on_conflict", "on_damaged", "other_place"])]
    file: Option<PathBuf>,
    /// Go ahead without job records and audit trail, if they cannot be written; then nothing prevents another restore
    /// into the same vault
    #[arg(long)]
    unrecorded: bool,
    /// Let the function app continue the restore if this terminal dies. Without this, the restore then ends, and
    /// missing objects need a new plan
    #[arg(long, conflicts_with_all = ["unrecorded", "file"])]
    hand_over: bool,
    #[command(flatten)]
    from: FromArg,
}

/// The options of `restore --file`.
#[derive(Clone, Copy, Debug)]
struct Ask {
    what_if: bool,
    yes: bool,
    format: Format,
}

/// What to do about names that are taken in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Conflict {
    /// The object is not restored, and that is a failure
    Fail,
    /// The object is skipped
    Skip,
    /// A soft-deleted object is recovered as it was
    RecoverDeleted,
    /// A soft-deleted object is purged for good, then restored; only for named objects
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

/// What to do where a backup is damaged or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Damaged {
    /// The object is not restored, and that is a failure
    Fail,
    /// The newest older backup that is whole is restored; the plan says so
    Older,
}

impl From<Damaged> for OnDamaged {
    fn from(damaged: Damaged) -> Self {
        match damaged {
            Damaged::Fail => Self::Fail,
            Damaged::Older => Self::Older,
        }
    }
}

fn tag_of(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl RestoreArgs {
    fn target(&self) -> &Source {
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
        self.vault
            .may_hold(selection.objects.iter().map(|id| id.kind).chain(selection.kinds.iter().copied()))?;
        if (Selection { gone: false, ..selection.clone() }) == Selection::default() && !self.all {
            return Err(Failed::new(
                "nothing says what to restore",
                "name objects with --secret, --key or --certificate, or take --kind, --name, --tag or --all",
            ));
        }
        Ok(Request {
            source: self.vault.vault.name().clone(),
            target: self.target().name().clone(),
            at: self.at,
            first_version: self.first_version,
            selection,
            on_conflict: self.on_conflict.into(),
            on_damaged: self.on_damaged.into(),
            other_place: self.other_place,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, the catalogue or the target cannot be read, or another restore has the target.
pub async fn run(args: RestoreArgs, format: Format) -> Done {
    if let Some(path) = &args.file {
        args.vault.may_hold(args.kind.iter().copied())?;
        let ask = Ask { what_if: args.what_if, yes: args.yes, format };
        return file::run(path, &args.vault.vault, &args.kind, ask).await;
    }
    let request = args.request()?;
    let needs = if args.unrecorded || args.what_if { Needs::Storage } else { Needs::Backup };
    let app = app_for_both(&args.vault.vault, args.target(), needs, args.from)?;
    let plan = restore::plan(&app, &request).await?;
    let takes = restore::pace::takes(&app, &plan);
    guard::warning(&app, &request.source, &request.target).into_iter().for_each(note);
    if args.what_if {
        report::plan(&plan, takes, format)?;
        return Ok(RestoreNumbers::at_best(&plan).verdict().into());
    }
    let asks = !args.yes && !plan.steps.is_empty();
    if asks && !format.is_for_people() {
        terminal()?;
    }
    if format.is_for_people() || asks {
        report::show(&plan, takes, format, Stream::beside(format))?;
    }
    if asks && !agreed(&args, &plan)? {
        return Ok(Exit::None);
    }
    let id = begin::begun(&args, &app, &plan).await?;
    let (finish, outcomes) = work(&app, id.as_ref(), &plan, format).await?;
    let mut numbers = RestoreNumbers::of(&plan);
    for (_, result) in &outcomes {
        numbers.add(result);
    }
    numbers.fail_the_rest();
    report::outcomes(&plan, id.as_ref(), numbers, &outcomes, format)?;
    Ok(match stopped(finish, &plan, outcomes.len(), args.target()) {
        Some(words) => {
            note(words);
            Exit::Interrupted
        }
        None => numbers.verdict().into(),
    })
}

/// The message about a restore that stopped early.
fn stopped(finish: Finish, plan: &RestorePlan, ended: usize, target: &Source) -> Option<String> {
    let why = match finish {
        Finish::Whole => return None,
        Finish::Stopped => "interrupted",
        Finish::Displaced => "stopped: the restore was abandoned, or another one took the vault",
    };
    let steps = plan.steps.len();
    Some(format!(
        "{why}: {ended} of {steps} steps have ended, and no other was begun. Vault {} is free. To continue, run the same \
         command again: it skips objects that are already restored.",
        target.name()
    ))
}

fn agreed(args: &RestoreArgs, plan: &RestorePlan) -> Result<bool, Failed> {
    let purges = plan.steps.iter().filter(|step| step.action == Action::PurgeAndRestore).count();
    let purges =
        if purges > 0 { format!(", after purging {purges} of them for good") } else { String::new() };
    let objects = count(plan.steps.len(), "object");
    confirmed(&format!("Restore {objects} into {}{purges}?", args.target()))
}

/// Asks on the terminal.
fn confirmed(question: &str) -> Result<bool, Failed> {
    terminal()?;
    ask(question)
}

/// Refuses to go on without a terminal, because no person can agree.
fn terminal() -> Result<(), Failed> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failed::of(
        ProblemKind::ConfirmationNeeded,
        "nothing was restored: there is no terminal to ask on",
        "add --yes to go ahead",
    ))
}

async fn work(
    app: &App,
    id: Option<&RestoreId>,
    plan: &RestorePlan,
    format: Format,
) -> Result<(Finish, Vec<(ObjectId, StepResult)>), Failed> {
    let target = if format.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(plan.steps.len() as u64), target);
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    let report = |object, result| {
        bar.inc(1);
        outcomes.push((object, result));
    };
    let finish = here::run(app, id, plan, &Clock::system(), interrupts(), report).await?;
    bar.finish_and_clear();
    outcomes.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok((finish, outcomes))
}
