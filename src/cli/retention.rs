//! `retention`: what is kept and what may go, and a person's word where one is needed.

mod forget;

use clap::{Args, Subcommand};

use self::forget::ForgetArgs;
use super::{
    Done, Exit, Failed, from,
    output::{self, Column, Format, Table, bytes, count},
};
use crate::{
    api::shapes::{
        retention::{PointRetention, RetentionPlan},
        terminal::{RetentionApplied, RetentionDecided},
    },
    app::App,
    catalogue::Strays,
    clock::Clock,
    config::{Config, Needs, environment, named},
    domain::{
        acknowledged::Reason,
        actor::Actor,
        retention::Act,
        source::{Source, SourceId, SourceKind},
    },
    error::Error,
    retention::{self, Applied, SourcePlan, owners, people},
};

/// What is kept, and what may go.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show the verdict on every recovery point, with its reason; changes nothing
    Plan(PlanArgs),
    /// Apply the policy to one source now, with your own rights
    Apply(ApplyArgs),
    /// Let the policy apply to a source that is no longer configured
    Release(ReleaseArgs),
    /// Delete every backup of an object that must not exist any longer
    Forget(ForgetArgs),
}

impl RetentionCommand {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        match self {
            Self::Plan(_) => true,
            Self::Apply(args) => !args.really,
            Self::Forget(args) => !args.really,
            Self::Release(_) => false,
        }
    }
}

/// The place whose retention is meant.
#[derive(Clone, Copy, Debug, Args)]
pub struct InSecond {
    /// In the second place, which `KEYVAULT_BACKUP_SECOND_CONTAINER` names: for its owners, with their rights
    #[arg(long)]
    second: bool,
}

impl InSecond {
    /// The program on that place, with the settings as they are: a source that is named here is not configured by that.
    pub(super) fn app(self) -> Result<App, Failed> {
        if self.second { from::second(environment, Needs::Storage) } else { app() }
    }
}

/// One source, or all.
#[derive(Clone, Debug, Args)]
pub struct Only {
    /// Only this vault: its name or URL
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::vault, conflicts_with = "hsm")]
    vault: Option<Source>,
    /// Only this Managed HSM: its name or URL
    #[arg(long, value_name = "HSM", alias = "hsm-name", value_parser = named::hsm)]
    hsm: Option<Source>,
}

impl Only {
    /// The source that was named.
    pub fn of(&self) -> Option<SourceId> {
        self.vault.as_ref().or(self.hsm.as_ref()).map(SourceId::from)
    }

    /// The source that was named.
    ///
    /// # Errors
    /// If none was.
    pub fn one(&self) -> Result<SourceId, Failed> {
        self.of()
            .ok_or_else(|| Failed::new("this command is about one source", "name it, with --vault or --hsm"))
    }
}

/// The sources of a plan.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    only: Only,
    /// Count the backups that no recovery point names, too; lists every blob of a vault
    #[arg(long)]
    strays: bool,
    #[command(flatten)]
    place: InSecond,
}

/// The source to which the policy is applied.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    only: Only,
    /// Do it. Without this, the plan is shown
    #[arg(long, requires = "reason")]
    really: bool,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    place: InSecond,
}

/// The source that is released.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    only: Only,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// Take the release back: the source keeps everything again
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    place: InSecond,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or do not fit together, and when the storage refuses.
pub async fn run(command: RetentionCommand, format: Format) -> Done {
    match command {
        RetentionCommand::Plan(args) => plan(args, format).await,
        RetentionCommand::Apply(args) => apply(args, format).await,
        RetentionCommand::Release(args) => release(args, format).await,
        RetentionCommand::Forget(args) => forget::forget(args, format).await,
    }
}

/// The program with the settings as they are: a source that is named here is not configured by that.
pub(super) fn app() -> Result<App, Failed> {
    Ok(App::build(&Config::read(environment, Needs::Storage)?)?)
}

async fn plan(args: PlanArgs, format: Format) -> Done {
    let (app, now) = (args.place.app()?, Clock::system().now());
    let mut plans = match args.only.of() {
        Some(of) => {
            let plan = Box::pin(retention::plan(&app, &of, now)).await?;
            vec![(of, Ok(plan))]
        }
        None => Box::pin(retention::all(&app, now)).await?,
    };
    for plan in plans.iter_mut().filter(|_| args.strays).filter_map(|(_, plan)| plan.as_mut().ok()) {
        retention::count_strays(&app, plan).await?;
    }
    show(&plans, format)
}

fn show(plans: &[(SourceId, Result<SourcePlan, Error>)], format: Format) -> Done {
    if format.is_json() {
        output::json(&RetentionPlan::new(plans))?;
        return Ok(exit(plans));
    }
    let mut table = table();
    for (of, plan) in plans {
        let of = match plan {
            Ok(plan) => plan,
            Err(error) => {
                output::note(format_args!("{of}: {error}"));
                continue;
            }
        };
        if format.is_for_people() {
            say(of, format)?;
            let mut own = self::table();
            rows(of, &mut own);
            own.print(format)?;
        } else {
            rows(of, &mut table);
        }
    }
    if !format.is_for_people() {
        table.print(format)?;
    } else if plans.is_empty() {
        output::aside(format, "The catalogue has no source.")?;
    }
    Ok(exit(plans))
}

fn exit(plans: &[(SourceId, Result<SourcePlan, Error>)]) -> Exit {
    match plans.iter().filter(|(_, plan)| plan.is_err()).count() {
        0 => Exit::All,
        failed if failed == plans.len() => Exit::None,
        _ => Exit::Part,
    }
}

fn table() -> Table {
    Table::new(
        &[Column::name("source").wide(), Column::name("run")],
        &[
            Column::label("verdict"),
            Column::number("frees").if_any(),
            Column::prose("reason"),
            Column::name("code").wide(),
        ],
    )
}

fn rows(plan: &SourcePlan, table: &mut Table) {
    for point in plan.points.iter().map(PointRetention::from) {
        let frees = (point.verdict == "drop").then(|| bytes(point.frees));
        table.push([
            plan.source.name.to_string().into(),
            point.run.into(),
            point.verdict.into(),
            frees.into(),
            point.reason.into(),
            point.code.into(),
        ]);
    }
}

/// What a plan says of a source as a whole.
fn say(plan: &SourcePlan, format: Format) -> Result<(), Failed> {
    let (source, name) = (&plan.source, &plan.source.name);
    let drops = plan.drops().count();
    let kept = plan.points.len() - drops;
    output::aside(
        format,
        format_args!(
            "{source}: {} kept, {drops} may go and free {}. Policy: {}.",
            count(kept, "point"),
            bytes(plan.frees()),
            plan.policy
        ),
    )?;
    if let Some(why) = &plan.standstill {
        output::aside(format, format_args!("It keeps everything: {why}."))?;
    }
    if let Some(needs_consent) = plan.needs_consent {
        output::aside(
            format,
            format_args!(
                "{} would go, more than half; only a person can let that happen:",
                count(needs_consent, "point")
            ),
        )?;
        output::beside(
            format,
            format_args!(
                "  keyvault-backup retention apply --{} {name} --really --reason TEXT",
                flag(&plan.source)
            ),
        )?;
    }
    if !plan.pending.is_empty() {
        output::aside(
            format,
            format_args!("{} let go before and not deleted yet.", count(plan.pending.len(), "point")),
        )?;
    }
    for of in &plan.forgotten {
        let backups = count(of.backups, "backup");
        let what = of.stays.as_ref().map_or_else(|| "they go".to_owned(), |why| format!("they stay: {why}"));
        output::aside(
            format,
            format_args!(
                "{} was forgotten in the first place, with {backups} here ({}); {what}.",
                of.object,
                bytes(of.bytes)
            ),
        )?;
    }
    if plan.strays == Some(Strays::default()) {
        output::aside(format, "Each stored backup is of a run that left a manifest.")?;
    } else if let Some(Strays { backups, bytes: size }) = plan.strays {
        output::aside(
            format,
            format_args!(
                "{} that no point names, {}: of open runs and of runs without a manifest. They stay.",
                count(backups, "backup"),
                bytes(size)
            ),
        )?;
    }
    Ok(())
}

/// The flag that names a source.
pub(super) const fn flag(of: &SourceId) -> &'static str {
    match of.kind {
        SourceKind::Vault => "vault",
        SourceKind::Hsm => "hsm",
    }
}

async fn apply(args: ApplyArgs, format: Format) -> Done {
    let (app, clock, of) = (args.place.app()?, Clock::system(), args.only.one()?);
    let plan = Box::pin(retention::plan(&app, &of, clock.now())).await?;
    let Some(reason) = args.reason.filter(|_| args.really) else { return show(&[(of, Ok(plan))], format) };
    if let Some(needs_consent) = plan.needs_consent {
        people::consent(&app, &of, needs_consent, reason.clone(), &Actor::TERMINAL, &clock).await?;
    }
    let by = &Actor::TERMINAL;
    let applied = if args.place.second {
        Box::pin(owners::apply(&app, &of, &reason, by, &clock)).await?
    } else {
        Box::pin(retention::apply::source(&app, &of, by, &clock)).await?
    };
    said(&of, &applied, args.place, format)?;
    Ok(Exit::All)
}

fn said(of: &SourceId, applied: &Applied, place: InSecond, format: Format) -> Result<(), Failed> {
    if format.is_json() {
        return Ok(output::json(&RetentionApplied::new(of, applied))?);
    }
    let mut table = Table::new(&[Column::name("run")], &[Column::label("done"), Column::prose("why")]);
    let done = [(&applied.dropped, "dropped"), (&applied.swept, "deleted")];
    for (runs, word) in done {
        for run in runs {
            table.push([run.to_string().into(), word.into(), None::<String>.into()]);
        }
    }
    for (runs, word) in [(&applied.reinstated, "offered again"), (&applied.waiting, "waits")] {
        for (run, why) in runs {
            table.push([run.to_string().into(), word.into(), why.clone().into()]);
        }
    }
    table.print(format)?;
    let when = if place.second {
        "What could not be deleted now goes when this is run again and nothing speaks against it."
    } else {
        "What is let go is deleted after two days, a backup of a whole HSM after a week."
    };
    output::aside(
        format,
        format_args!(
            "{}: {} let go, {} deleted ({}, {}). {when}",
            of.name,
            count(applied.dropped.len(), "point"),
            applied.swept.len(),
            count(applied.blobs, "blob"),
            bytes(applied.bytes)
        ),
    )?;
    Ok(())
}

async fn release(args: ReleaseArgs, format: Format) -> Done {
    let (app, clock, of) = (args.place.app()?, Clock::system(), args.only.one()?);
    let act = if args.withdraw { Act::Withdraw } else { Act::Release };
    let decided = act.name();
    people::decide(&app, &of, act, args.reason, &Actor::TERMINAL, &clock).await?;
    let (kind, name) = (of.kind, &of.name);
    let sentence = if args.withdraw {
        format!("The {kind} {name} keeps everything again while it is not configured.")
    } else {
        format!(
            "Released: the policy applies to the {kind} {name} although it is no longer configured. Its newest point stays."
        )
    };
    let mut table = Table::new(&[Column::name("source")], &[Column::name("decided")]);
    table.push([name.to_string().into(), decided.into()]);
    if format.is_json() {
        output::json(&RetentionDecided { source: name.to_string(), decided })?;
    } else {
        output::one(format, sentence, &table)?;
    }
    Ok(Exit::All)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::{
        retention::{Candidate, Dropped, PointKind, Policy, Reason as Why, Verdict},
        run::RunId,
        samples::NIGHT,
    };

    fn source() -> SourceId {
        SourceId { kind: SourceKind::Vault, name: "kv-a".parse().unwrap() }
    }

    fn plan_of(verdicts: &[(Verdict, u64)]) -> SourcePlan {
        let run = RunId::nightly(NIGHT);
        let point = Candidate { run, named: NIGHT, stored: NIGHT, kind: PointKind::Partial };
        let planned = |(verdict, frees): &(Verdict, u64)| retention::Planned {
            point: point.clone(),
            verdict: verdict.clone(),
            frees: *frees,
        };
        SourcePlan {
            source: source(),
            policy: Policy::default(),
            standstill: None,
            points: verdicts.iter().map(planned).collect(),
            needs_consent: None,
            pending: Vec::new(),
            strays: None,
            forgotten: Vec::new(),
        }
    }

    #[test]
    fn a_list_says_what_goes_with_a_point_that_may_go_and_only_with_that() {
        let plan = plan_of(&[(Verdict::Keep(Why::Newest), 7), (Verdict::Drop(Dropped::FoldedIn), 2048)]);
        let mut table = table();
        rows(&plan, &mut table);
        let text = table.text(Format::Tsv, None);
        let rows: Vec<_> = text.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>()).collect();
        let run = "20261122T020000Z-nightly";
        assert_eq!(rows[0], ["kv-a", run, "keep", "", "the newest state of the source", "newest"]);
        assert_eq!(
            rows[1],
            ["kv-a", run, "drop", "2.00 KiB", "the nights that folded it in are gone", "folded-in"]
        );
        assert_eq!(plan.frees(), 2048, "what a kept point has goes with nothing");
    }

    #[test]
    fn the_exit_code_says_whether_every_plan_could_be_made() {
        let (good, bad) = (|| (source(), Ok(plan_of(&[]))), || (source(), Err(Error::Refused("no".into()))));
        assert_eq!(exit(&[]), Exit::All);
        assert_eq!(exit(&[good(), good()]), Exit::All);
        assert_eq!(exit(&[good(), bad()]), Exit::Part);
        assert_eq!(exit(&[bad(), bad()]), Exit::None);
    }

    #[test]
    fn a_plan_is_read_and_applied_only_with_a_word_and_a_reason() {
        #[derive(Parser)]
        struct Cli {
            #[command(subcommand)]
            command: RetentionCommand,
        }
        let parse = |args: &str| {
            let args = ["x"].into_iter().chain(args.split_whitespace());
            Cli::try_parse_from(args).map(|cli| cli.command.only_reads())
        };
        for (args, only_reads) in [
            ("plan", true),
            ("apply --vault kv-a", true),
            ("apply --vault kv-a --reason r", true),
            ("apply --vault kv-a --really --reason r", false),
            ("release --vault kv-a --reason r", false),
            ("release --vault kv-a --reason r --withdraw", false),
            ("forget --vault kv-a --secret db", true),
            ("forget --vault kv-a --secret db --really --reason r", false),
        ] {
            assert_eq!(parse(args).unwrap(), only_reads, "{args}");
        }
        for refused in [
            "apply --vault kv-a --really",
            "forget --vault kv-a --secret db --really",
            "release --vault kv-a",
            "plan --vault kv-a --hsm hsm-a",
        ] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}
