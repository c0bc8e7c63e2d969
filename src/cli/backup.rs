//! `backup`: a whole vault or some objects, into the configured storage or into a file.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{
    Done, Exit, Failed, ObjectArgs, VaultArg, app_for, ask, file,
    interrupt::interrupts,
    output::{Format, age, note},
    report::{self, Failures},
};
use crate::{
    api::shapes::problem::ProblemKind,
    app::App,
    backup::{
        here, object, plan, reconcile,
        resume::{self, Unfinished},
        send,
    },
    clock::Clock,
    config::Needs,
    domain::{
        actor::Actor,
        job::{BackupJob, OPEN_FOR},
        plan::Plan,
        planned::Planned,
        run::RunId,
        source::SourceName,
    },
};

/// Back up a whole vault, or the named objects.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, clippy::option_option, reason = "the flags as clap reads them")]
pub struct BackupArgs {
    #[command(flatten)]
    vault: VaultArg,
    #[command(flatten)]
    objects: ObjectArgs,
    /// Back up everything, changed or not
    #[arg(long, conflicts_with = "file")]
    everything: bool,
    /// Write one object's blob to a file as `az keyvault … backup --file` does; without a path, to
    /// `VAULT-NAME-TIME` in this folder
    #[arg(long, value_name = "PATH")]
    file: Option<Option<PathBuf>>,
    /// Replace the file if it exists
    #[arg(long, requires = "file")]
    force: bool,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with = "confirm")]
    what_if: bool,
    /// Ask before doing it
    #[arg(long)]
    confirm: bool,
    /// Continue the newest run of the whole vault that a terminal left open, however old; a run of the last hour is
    /// continued without this flag
    #[arg(long, conflicts_with_all = ["file", "what_if", "secret", "key", "certificate"])]
    resume: bool,
    /// Objects that are backed up at the same time
    #[arg(long, value_name = "N", default_value_t = 64, conflicts_with = "file", value_parser = clap::value_parser!(u16).range(1..=512))]
    at_once: u16,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, or the vault or the storage cannot be used at all.
pub async fn run(args: BackupArgs, format: Format) -> Done {
    if let Some(path) = &args.file {
        let id = args.objects.one()?;
        let target =
            file::Target::new(path.as_deref(), args.vault.vault.name(), &id, args.force, &Clock::system());
        if args.what_if {
            return file::print_plan(&args.vault.vault, &id, &target, format);
        }
        let question = format!("Back up {id} of {} to {}?", args.vault.vault, target.path().display());
        return if !args.confirm || confirmed(&question)? {
            file::back_up(
                &app_for(&args.vault.vault, Needs::Vaults)?,
                &args.vault.vault,
                &id,
                &target,
                format,
            )
            .await
        } else {
            Ok(Exit::None)
        };
    }
    Box::pin(into_storage(&args, format)).await
}

async fn into_storage(args: &BackupArgs, format: Format) -> Done {
    let app = app_for(&args.vault.vault, Needs::Backup)?;
    let clock = Clock::system();
    if let Some(unfinished) = unfinished(&app, args, &clock).await? {
        return continue_run(&app, args, unfinished, format, &clock).await;
    }
    let run = RunId::manual(clock.now(), std::process::id());
    let name = args.vault.vault.name().clone();
    let job = BackupJob::open(name, run, Actor::TERMINAL, clock.now());
    let job = BackupJob { everything: args.everything, ..job };
    // A whole vault's run is recorded before it is planned: if this process dies, `AdvanceJobs` plans it.
    // A run of some objects is not, because no other process would know which.
    let early = !args.what_if && !args.confirm && args.objects.objects().is_empty();
    if early {
        plan::open(&app, &job).await?;
    }
    if !args.what_if {
        end_expired(&app, &job.vault, format, &clock).await;
    }
    let plan = make_plan(&app, args, &job, &clock).await?;
    if args.what_if {
        report::print_plan(&plan, format)?;
        return Ok(Exit::All);
    }
    if args.confirm {
        let due = plan.to_back_up().count();
        if !confirmed(&format!("Back up {due} of {} objects of {}?", plan.objects.len(), args.vault.vault))? {
            return Ok(Exit::None);
        }
    }
    let plan = plan::store(&app, plan).await?;
    if !early {
        plan::open(&app, &job).await?;
    }
    work(&app, args, &plan, None, format, &clock).await
}

/// The run to continue instead of starting a new one.
async fn unfinished(app: &App, args: &BackupArgs, clock: &Clock) -> Result<Option<Unfinished>, Failed> {
    if args.what_if || args.confirm || !args.objects.objects().is_empty() {
        return Ok(None);
    }
    let vault = args.vault.vault.name();
    let most = if args.resume { OPEN_FOR } else { resume::YOUNG };
    let unfinished = resume::find(app, vault, args.everything, most, clock).await?;
    if args.resume && unfinished.is_none() {
        return Err(Failed::of(
            ProblemKind::NotFound,
            format!("no terminal left a run of vault {vault} open"),
            "list open runs with `keyvault-backup jobs`, or begin a new run without --resume",
        ));
    }
    Ok(unfinished)
}

async fn continue_run(
    app: &App,
    args: &BackupArgs,
    unfinished: Unfinished,
    format: Format,
    clock: &Clock,
) -> Done {
    let Unfinished { job, plan } = unfinished;
    let objects = send::unanswered(app, &plan).await?;
    let of = plan.to_back_up().count();
    if !format.is_json() {
        let (run, since) = (&job.run, age(clock.now() - job.opened));
        note(format_args!(
            "continuing run {run} (age: {since}); remaining objects: {} of {of}",
            objects.len()
        ));
    }
    work(app, args, &plan, Some(&objects), format, clock).await
}

/// Ends expired runs that earlier terminals left open. Runs before planning, because the plan builds on manifests.
async fn end_expired(app: &App, vault: &SourceName, format: Format, clock: &Clock) {
    match reconcile::end_expired(app, vault, clock).await {
        // Manifests sort by the second of their plan, so the next plan must be of a later one.
        Ok(ended) if !ended.is_empty() => tokio::time::sleep(Duration::from_secs(1)).await,
        Ok(_) => {}
        // With JSON, standard error has at most one error.
        Err(_) if format.is_json() => {}
        Err(error) => {
            note(format_args!("warning: runs that have been open for too long could not be ended: {error}"));
        }
    }
}

async fn make_plan(app: &App, args: &BackupArgs, job: &BackupJob, clock: &Clock) -> Result<Plan, Failed> {
    let (vault, objects) = (app.vault(&job.vault)?, args.objects.objects());
    if objects.is_empty() {
        return Ok(plan::make(app, vault, job, clock).await?);
    }
    Ok(plan::some_objects(app, &job.vault, &job.run, &Actor::TERMINAL, clock, objects).await?)
}

async fn work(
    app: &App,
    args: &BackupArgs,
    plan: &Plan,
    remaining: Option<&[&Planned]>,
    format: Format,
    clock: &Clock,
) -> Done {
    let objects = remaining.map_or_else(|| plan.to_back_up().count(), <[_]>::len);
    let bar = progress_bar(objects, format);
    let (mut ended, mut failures) = (0, Failures::new());
    let report = |report: here::Report| {
        bar.inc(1);
        ended += 1;
        if let object::Done::Failed(failure) = report.done {
            failures.push((report.id, failure));
            bar.set_message(format!("{} failed", failures.len()));
        }
    };
    let summary = here::run(app, plan, remaining, args.at_once.into(), clock, interrupts(), report).await?;
    bar.finish_and_clear();
    failures.sort_by(|(a, _), (b, _)| a.cmp(b));
    let Some(summary) = summary else {
        let (run, vault) = (&plan.header.run, &args.vault.vault);
        note(format_args!(
            "interrupted: {ended} of {objects} objects are done, and run {run} stays open. To continue it, run the same \
             command again within the hour, or `backup --vault {vault} --resume` later; if a function app backs up this \
             vault, it continues the run."
        ));
        return Ok(Exit::Interrupted);
    };
    report::print_summary(plan, &summary, &failures, format)?;
    Ok(summary.verdict.into())
}

fn progress_bar(objects: usize, format: Format) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} objects  {rate}  {eta} left  {msg}");
    let target = match format {
        Format::Json => ProgressDrawTarget::hidden(),
        Format::Table | Format::Wide | Format::Tsv => ProgressDrawTarget::stderr(),
    };
    let bar = ProgressBar::with_draw_target(Some(objects as u64), target);
    style.map_or(bar.clone(), |style| bar.with_style(style.with_key("rate", rate)))
}

fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // A failed write only leaves out the rate.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// Asks on the terminal. Without one it is an error, because no person can agree.
fn confirmed(question: &str) -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed::of(
            ProblemKind::ConfirmationNeeded,
            "--confirm asks on the terminal, and there is none",
            "leave it out to go ahead",
        ));
    }
    ask(question)
}
