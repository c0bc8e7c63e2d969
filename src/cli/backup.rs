//! `backup`: a whole vault or some objects, into the configured storage or into a file.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::PathBuf,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{
    Done, Exit, Failed, ObjectArgs, OutputArg, VaultArg, app_for, file,
    output::{self, Format},
};
use crate::{
    app::App,
    backup::{here, object, plan},
    clock::Clock,
    config::Needs,
    domain::{
        job::BackupJob,
        manifest::Summary,
        object::ObjectId,
        outcome::Failure,
        plan::{Decision, Plan},
        run::RunId,
    },
};

/// Back up a whole vault, or the objects that are named.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct BackupArgs {
    #[command(flatten)]
    vault: VaultArg,
    #[command(flatten)]
    objects: ObjectArgs,
    /// Back up everything, changed or not
    #[arg(long)]
    everything: bool,
    /// Write one object's blob to a file as `az keyvault … backup --file` does; without a path, to
    /// `VAULT-NAME-TIME` in this folder
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "")]
    file: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "file")]
    force: bool,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with = "confirm")]
    what_if: bool,
    /// Ask before doing it
    #[arg(long)]
    confirm: bool,
    /// Objects that are backed up at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    at_once: u16,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong, or the vault or the storage cannot be used at all.
pub async fn run(args: BackupArgs) -> Done {
    if let Some(path) = &args.file {
        let id = args.objects.one()?;
        let target = file::Target::new(path, args.vault.vault.name(), &id, args.force, &Clock::system());
        if args.what_if {
            output::line(format_args!(
                "Would back up {id} of {} to {}",
                args.vault.vault,
                target.path().display()
            ))?;
            return Ok(Exit::All);
        }
        let question = format!("Back up {id} of {} to {}?", args.vault.vault, target.path().display());
        return if !args.confirm || confirmed(&question)? {
            file::back_up(
                &app_for(&args.vault.vault, Needs::Vaults)?,
                &args.vault.vault,
                &id,
                &target,
                args.output.output,
            )
            .await
        } else {
            Ok(Exit::None)
        };
    }
    into_storage(&args).await
}

async fn into_storage(args: &BackupArgs) -> Done {
    let app = app_for(&args.vault.vault, Needs::Backup)?;
    let clock = Clock::system();
    let run = RunId::manual(clock.now(), u16::try_from(std::process::id() % 0x1_0000).unwrap_or_default());
    if !args.what_if && !args.confirm {
        // The run is recorded before it is planned, so that it is finished even if this process is not.
        open(&app, args, &run, &clock).await?;
    }
    let plan = make_plan(&app, args, &run, &clock).await?;
    if args.what_if {
        print_plan(&plan, args.output.output)?;
        return Ok(Exit::All);
    }
    if args.confirm {
        let due = plan.to_back_up().count();
        if !confirmed(&format!("Back up {due} of {} objects of {}?", plan.objects.len(), args.vault.vault))? {
            return Ok(Exit::None);
        }
        open(&app, args, &run, &clock).await?;
    }
    let plan = app.catalogue()?.create_plan(plan).await?;
    let (summary, failures) = work(&app, args, &plan, &clock).await?;
    print_summary(&plan, &summary, &failures, args.output.output)?;
    Ok(summary.verdict.into())
}

async fn open(app: &App, args: &BackupArgs, run: &RunId, clock: &Clock) -> Result<(), Failed> {
    let job = BackupJob::open(args.vault.vault.name().clone(), run.clone(), clock.now());
    app.jobs()?.open(&job).await?;
    Ok(())
}

async fn make_plan(app: &App, args: &BackupArgs, run: &RunId, clock: &Clock) -> Result<Plan, Failed> {
    let (vault, objects) = (app.vault(args.vault.vault.name())?, args.objects.objects());
    if !objects.is_empty() {
        return Ok(plan::some_objects(app, vault.url().name(), run, clock, objects).await?);
    }
    let wanted = if args.everything { plan::Wanted::Everything } else { plan::Wanted::AsDue };
    Ok(plan::make(app, vault, run, clock, wanted).await?)
}

type Failures = Vec<(ObjectId, Failure)>;

async fn work(
    app: &App,
    args: &BackupArgs,
    plan: &Plan,
    clock: &Clock,
) -> Result<(Summary, Failures), Failed> {
    let bar = progress_bar(plan.to_back_up().count(), args.output.output);
    let mut failures = Vec::new();
    let report = |report: here::Report| {
        bar.inc(1);
        if let object::Done::Failed(failure) = report.done {
            failures.push((report.id, failure));
            bar.set_message(format!("{} failed", failures.len()));
        }
    };
    let summary = here::run(app, plan, args.at_once.into(), clock, report).await?;
    bar.finish_and_clear();
    failures.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok((summary, failures))
}

fn progress_bar(objects: usize, format: Format) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} objects  {per_sec}  {eta} left  {msg}");
    let target = match format {
        Format::Table => ProgressDrawTarget::stderr(),
        Format::Json => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(objects as u64), target);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// Asks on the terminal. Without one the answer is an error: nobody can have agreed.
fn confirmed(question: &str) -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed(
            "--confirm asks on the terminal, and there is none; leave it out to go ahead".into(),
        ));
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn print_plan(plan: &Plan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(&json!({ "plan": plan.header, "objects": plan.objects }));
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut table = output::table(&["kind", "name", "would be", "newest backup"]);
    for planned in &plan.objects {
        *counts.entry(words(planned.decision)).or_default() += 1;
        let previous = planned.previous.as_ref().map_or("none", RunId::as_str);
        table.add_row([
            planned.id.kind.as_str(),
            planned.id.name.as_str(),
            words(planned.decision),
            previous,
        ]);
    }
    output::line(table)?;
    for unlisted in &plan.header.unlisted {
        output::line(format_args!("The {}s could not be listed: {}", unlisted.kind, unlisted.failure.text))?;
    }
    let counts: Vec<_> = counts.iter().map(|(words, count)| format!("{count} {words}")).collect();
    output::line(format_args!("{} objects: {}. Nothing was done.", plan.objects.len(), counts.join(", ")))
}

fn words(decision: Decision) -> &'static str {
    match decision {
        Decision::New => "backed up: new",
        Decision::Changed => "backed up: changed",
        Decision::Unsettled => "backed up: changed shortly before its last backup",
        Decision::FullPass => "backed up: everything is due",
        Decision::Asked => "backed up: asked for",
        Decision::Unchanged => "skipped: unchanged",
        Decision::Managed => "skipped: belongs to a certificate",
    }
}

fn print_summary(plan: &Plan, summary: &Summary, failures: &Failures, format: Format) -> io::Result<()> {
    if format == Format::Json {
        let failures: Vec<_> = failures
            .iter()
            .map(|(id, failure)| json!({ "kind": id.kind, "name": id.name, "failure": failure }))
            .collect();
        return output::json(&json!({
            "vault": plan.header.vault,
            "run": summary.run,
            "verdict": summary.verdict,
            "numbers": summary.numbers,
            "unlisted": plan.header.unlisted,
            "failures": failures,
        }));
    }
    if !failures.is_empty() {
        let mut table = output::table(&["kind", "name", "code", "why"]);
        for (id, failure) in failures {
            table.add_row([id.kind.as_str(), id.name.as_str(), &failure.code, &failure.text]);
        }
        output::line(table)?;
    }
    for unlisted in &plan.header.unlisted {
        output::line(format_args!("The {}s could not be listed: {}", unlisted.kind, unlisted.failure.text))?;
    }
    output::line(summary_line(summary))
}

/// A run in one line, and what it warns of in another.
pub fn summary_line(summary: &Summary) -> String {
    let numbers = &summary.numbers;
    let near = match numbers.near_version_limit {
        0 => String::new(),
        near => {
            format!("\n{near} objects have 400 versions or more; above 500 Key Vault does not back them up")
        }
    };
    format!(
        "{} {}: {} listed = {} backed up ({}) + {} skipped ({} unchanged, {} of certificates, {} disappeared) + {} failed{near}",
        summary.run,
        summary.verdict,
        numbers.listed,
        numbers.backed_up,
        output::bytes(numbers.bytes),
        numbers.skipped(),
        numbers.unchanged,
        numbers.managed,
        numbers.disappeared,
        numbers.failed,
    )
}
