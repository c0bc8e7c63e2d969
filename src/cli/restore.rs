//! `restore`: plan, show, ask, do, report.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Exit, Failed, ObjectArgs, OutputArg, VaultArg, app_for_both, ask,
    list::moment_of,
    output::{self, Format, age, moment},
};
use crate::{
    app::App,
    clock::Clock,
    config::Needs,
    domain::{
        object::{ObjectKind, VaultUrl},
        restore::{Action, Left, OnConflict, Reason, Request, RestorePlan, Selection, Step},
    },
    restore,
};

/// Restore backups into a vault.
#[derive(Debug, Args)]
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
        };
        if selection == Selection::default() && !self.all {
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
/// When settings are wrong, or the catalogue or the target cannot be read.
pub async fn run(args: RestoreArgs) -> Done {
    let request = args.request()?;
    let app = app_for_both(&args.vault.vault, args.target(), Needs::Storage)?;
    let plan = restore::plan(&app, &request).await?;
    let format = args.output.output;
    if args.what_if {
        print_plan(&plan, format)?;
        return Ok(exit(&plan, 0, plan.steps.len()));
    }
    if format == Format::Table {
        print_plan(&plan, format)?;
    }
    if !args.yes && !plan.steps.is_empty() && !agreed(&args, &plan)? {
        return Ok(Exit::None);
    }
    let outcomes = work(&app, &plan, format).await?;
    print_outcomes(&plan, &outcomes, format)?;
    let failed = outcomes.iter().filter(|(_, done)| !succeeded(done)).count();
    Ok(exit(&plan, failed, outcomes.len() - failed))
}

fn agreed(args: &RestoreArgs, plan: &RestorePlan) -> Result<bool, Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed(
            "nothing was restored: there is no terminal to ask on; add --yes to go ahead".into(),
        ));
    }
    let purges = plan.steps.iter().filter(|step| step.action == Action::PurgeAndRestore).count();
    let purges =
        if purges > 0 { format!(", after purging {purges} of them for good") } else { String::new() };
    ask(&format!("Restore {} objects into {}{purges}?", plan.steps.len(), args.target()))
}

fn exit(plan: &RestorePlan, failed: usize, done: usize) -> Exit {
    let failed = failed + plan.conflicts().count();
    let done = done + plan.left.iter().filter(|left| left.skipped).count();
    match (failed, done) {
        (0, _) => Exit::All,
        (_, 0) => Exit::None,
        _ => Exit::Part,
    }
}

fn succeeded(done: &restore::Done) -> bool {
    !matches!(done, restore::Done::Failed(_) | restore::Done::Differs)
}

async fn work(app: &App, plan: &RestorePlan, format: Format) -> Result<Vec<(Step, restore::Done)>, Failed> {
    let target =
        if format == Format::Table { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(plan.steps.len() as u64), target);
    let mut outcomes = Vec::new();
    restore::carry_out(app, plan, |step, done| {
        bar.inc(1);
        outcomes.push((step.clone(), done));
    })
    .await?;
    bar.finish_and_clear();
    outcomes.sort_by_key(|(step, _)| step.id());
    Ok(outcomes)
}

fn print_plan(plan: &RestorePlan, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return output::json(&json!({ "digest": plan.digest(), "plan": plan }));
    }
    let now = Clock::system().now();
    if !plan.steps.is_empty() {
        let mut table = output::table(&["kind", "name", "would be", "from", "age", "#versions"]);
        for step in &plan.steps {
            table.add_row([
                step.kind.to_string(),
                step.name.to_string(),
                words(step.action).to_owned(),
                moment(step.taken),
                age(now - step.taken),
                step.versions.to_string(),
            ]);
        }
        output::print(&table)?;
    }
    if !plan.left.is_empty() {
        let mut table = output::table(&["kind", "name", "is not restored because"]);
        for left in &plan.left {
            table.add_row([left.kind.as_str(), left.name.as_str(), left.reason.text()]);
        }
        output::print(&table)?;
    }
    let request = &plan.request;
    let (conflicts, skipped) =
        (plan.conflicts().count(), plan.left.iter().filter(|left| left.skipped).count());
    output::line(format_args!(
        "{} into {}: {} to restore, {skipped} skipped, {conflicts} in the way",
        request.source,
        request.target,
        plan.steps.len()
    ))
}

fn words(action: Action) -> &'static str {
    match action {
        Action::Restore => "restored",
        Action::Recover => "recovered as it was deleted; the backup is not used",
        Action::PurgeAndRestore => "purged for good, then restored",
    }
}

fn print_outcomes(plan: &RestorePlan, outcomes: &[(Step, restore::Done)], format: Format) -> io::Result<()> {
    let done = outcomes.iter().filter(|(_, done)| succeeded(done)).count();
    let conflicts = plan.conflicts().count();
    let failed = outcomes.len() - done + conflicts;
    if format == Format::Json {
        let objects: Vec<_> = outcomes
            .iter()
            .map(|(step, done)| {
                let (word, why) = outcome(done);
                json!({ "kind": step.kind, "name": step.name, "outcome": word, "why": why })
            })
            .collect();
        return output::json(&json!({
            "source": plan.request.source, "target": plan.request.target,
            "planned": outcomes.len() + plan.left.len(), "restored": done, "failed": failed,
            "skipped": plan.left.len() - conflicts, "objects": objects, "left": left_json(&plan.left),
        }));
    }
    if outcomes.iter().any(|(_, done)| !succeeded(done)) {
        let mut table = output::table(&["kind", "name", "outcome", "why"]);
        for (step, done) in outcomes.iter().filter(|(_, done)| !succeeded(done)) {
            let (word, why) = outcome(done);
            table.add_row([step.kind.as_str(), step.name.as_str(), word, &why]);
        }
        output::print(&table)?;
    }
    let skipped = plan.left.len() - conflicts;
    output::line(format_args!("{done} restored and compared, {skipped} skipped, {failed} not restored"))
}

fn left_json(left: &[Left]) -> Vec<serde_json::Value> {
    let why = |reason: Reason| reason.text();
    left.iter()
        .map(|left| json!({ "kind": left.kind, "name": left.name, "reason": left.reason, "why": why(left.reason), "skipped": left.skipped }))
        .collect()
}

fn outcome(done: &restore::Done) -> (&'static str, String) {
    match done {
        restore::Done::Restored => ("restored", String::new()),
        restore::Done::Already => ("already there", String::new()),
        restore::Done::Recovered => ("recovered", String::new()),
        restore::Done::Differs => {
            ("restored, differs", "its versions are not those that were recorded at its backup".to_owned())
        }
        restore::Done::Failed(failure) => {
            ("failed", format!("{}: {}", failure.code, output::one_line(&failure.text)))
        }
    }
}
