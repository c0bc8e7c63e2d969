//! `drill`: restores that are rehearsed in a vault or an HSM that is there for it.

mod hsm;

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    Done, Exit, Failed, FromArg,
    output::{self, Cell, Column, Format, Table},
};
use crate::{
    api::shapes::drill::{DrillDetail, DrillList},
    app::App,
    clock::Clock,
    config::{Needs, named},
    domain::{
        actor::Actor,
        drill::{CleanedUp, Drill, DrillId, DrillSummary, HsmDrilled, Rehearsed},
        restore::StepResult,
        source::{Source, SourceName},
    },
    drill::{self, Went},
    error::Error,
    query::drills,
};

/// How long a drill is left to its vault before it is asked again.
const AGAIN: Duration = Duration::from_secs(15);

/// Drills.
#[derive(Debug, Subcommand)]
pub enum DrillCommand {
    /// Restore a sample of a vault into its drill vault, compare and time it, and remove it again; or a Managed HSM into its drill HSM
    ///
    /// The settings declare the drill vault, and a person its secret `keyvault-backup-drill-vault`. The command waits until the
    /// drill vault is empty again, which takes minutes. If it is stopped, run it again: ten minutes after its last sign of life the
    /// drill goes on where it stopped.
    ///
    /// With `--hsm` everything in the drill HSM is replaced by a backup, and stays there. Without `--into` nothing is restored: what
    /// storage and the service say of the backup is put on record.
    Run(RunArgs),
    /// List the drills that are on record, the newest first
    List(ListArgs),
    /// Show a drill: each object, how long it took, and what was not proven
    Show(ShowArgs),
}

/// What is drilled.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The vault: its name, or its URL `https://NAME.vault.azure.net`
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::vault, required_unless_present = "hsm", conflicts_with = "hsm")]
    vault: Option<Source>,
    #[command(flatten)]
    hsm: hsm::HsmArgs,
}

/// Which drills are listed.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this vault or Managed HSM
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::source)]
    vault: Option<Source>,
    /// How many of each source
    #[arg(long, value_name = "N", default_value_t = 10)]
    most: usize,
    #[command(flatten)]
    from: FromArg,
}

/// Which drill is shown.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The drill
    #[arg(value_name = "DRILL")]
    drill: DrillId,
    #[command(flatten)]
    from: FromArg,
}

impl DrillCommand {
    /// Whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        !matches!(self, Self::Run(_))
    }
}

/// Runs the command.
///
/// # Errors
/// When settings are missing or wrong, or a service refuses or does not answer.
pub async fn run(command: DrillCommand, format: Format) -> Done {
    match command {
        DrillCommand::Run(RunArgs { vault: Some(vault), .. }) => Box::pin(run_one(&vault, format)).await,
        DrillCommand::Run(RunArgs { vault: None, hsm }) => Box::pin(hsm::run(hsm, format)).await,
        DrillCommand::List(args) => list(args, format).await,
        DrillCommand::Show(args) => show(args, format).await,
    }
}

async fn run_one(vault: &Source, format: Format) -> Done {
    let app = FromArg::default().app(Needs::Backup)?;
    let (source, clock) = (vault.name(), Clock::system());
    let Some(of) = app.config().drills.of.get(source) else {
        return Err(Failed::new(
            format!("{source} has no drill vault"),
            format!(
                "declare one: KEYVAULT_BACKUP_DRILL_VAULTS={source}=https://NAME.vault.azure.net (docs/drills.md)"
            ),
        ));
    };
    let target = of.vault.name();
    output::aside(format, format_args!("Drilling {source} in vault {target}."))?;
    let went = match begun(&app, source, target, &clock).await {
        Err(Error::Busy(why)) => return Err(Failed::new(why, BUSY)),
        went => went?,
    };
    let ended = to_its_end(&app, target, went, &clock, format).await?;
    let Some(drill) = ended.last() else {
        return Err(Failed::new(
            "the drill was ended by another process",
            "`keyvault-backup drill list` shows it",
        ));
    };
    print(drill, format)?;
    Ok(exit(&drill.summary()))
}

const BUSY: &str = "wait until it has ended; if its process has died, run the command again ten minutes after its last sign of life";

/// Goes on with the drill in the vault, if one was left there, and otherwise begins one.
async fn begun(
    app: &App,
    source: &SourceName,
    target: &SourceName,
    clock: &Clock,
) -> crate::error::Result<Went> {
    match drill::follow(app, target, clock).await? {
        Some(went) => Ok(went),
        None => drill::one(app, source, &Actor::TERMINAL, clock).await,
    }
}

async fn to_its_end(
    app: &App,
    target: &SourceName,
    mut went: Went,
    clock: &Clock,
    format: Format,
) -> Result<Vec<Drill>, Failed> {
    let mut ended = Vec::new();
    let mut told = false;
    loop {
        ended.extend(went.ended().iter().cloned());
        if matches!(went, Went::Ended(_)) {
            return Ok(ended);
        }
        if !told {
            output::aside(format, format_args!("Vault {target} takes its time; a deletion takes minutes."))?;
            told = true;
        }
        tokio::time::sleep(AGAIN).await;
        let Some(next) = drill::follow(app, target, clock).await? else { return Ok(ended) };
        went = next;
    }
}

fn exit(of: &DrillSummary) -> Exit {
    match (of.came.restore, of.cleanup) {
        (Rehearsed::Succeeded, CleanedUp::Done | CleanedUp::Kept) => Exit::All,
        (Rehearsed::NotRestored, _) if of.came.why.is_empty() => Exit::All,
        (Rehearsed::Succeeded, CleanedUp::Failed) | (Rehearsed::NotRestored, _) => Exit::Part,
        (Rehearsed::Failed | Rehearsed::TimedOut, _) => Exit::None,
    }
}

async fn list(args: ListArgs, format: Format) -> Done {
    let app = args.from.app(Needs::Storage)?;
    let found = drills::newest(&app, args.vault.as_ref().map(Source::name), args.most).await?;
    if format.is_json() {
        output::json(&DrillList::new(&found))?;
        return Ok(Exit::All);
    }
    let columns = [
        Column::name("source"),
        Column::name("restore"),
        Column::name("cleanup"),
        Column::number("objects"),
        Column::name("took"),
        Column::name("whole source"),
        Column::name("age of backup"),
        Column::prose("why").if_any(),
    ];
    let mut table = Table::new(&[Column::name("drill")], &columns);
    for of in &found {
        table.push([
            of.id.as_str().into(),
            of.source.as_str().into(),
            of.came.restore.to_string().into(),
            of.cleanup.to_string().into(),
            Cell::Number(of.objects.into()),
            of.came.rto_seconds.map(|of| of.to_string()).into(),
            of.came.whole.map(|of| of.rto_seconds.to_string()).into(),
            of.came.rpo_seconds.map(|of| of.to_string()).into(),
            Some(of.what_is_wrong()).filter(|why| !why.is_empty()).into(),
        ]);
    }
    table.print(format)?;
    if found.is_empty() {
        output::aside(format, "No drill is on record.")?;
    }
    Ok(Exit::All)
}

async fn show(args: ShowArgs, format: Format) -> Done {
    let app = args.from.app(Needs::Storage)?;
    print(&drills::one(&app, &args.drill).await?, format)?;
    Ok(Exit::All)
}

fn print(of: &Drill, format: Format) -> Result<(), Failed> {
    if format.is_json() {
        return Ok(output::json(&DrillDetail::from(of))?);
    }
    let columns =
        [Column::name("outcome"), Column::name("took"), Column::name("run"), Column::prose("why").if_any()];
    let mut table = Table::new(&[Column::name("object")], &columns);
    for object in &of.objects {
        let (outcome, why) = match &object.result {
            None => ("not ended", None),
            Some(StepResult::Restored | StepResult::Recovered) => ("restored", None),
            Some(StepResult::AlreadyThere) => ("there already", None),
            Some(result @ StepResult::Differs { .. }) => ("differs", result.difference()),
            Some(StepResult::Failed { failure }) => {
                ("failed", Some(format!("{}: {}", failure.code, failure.text)))
            }
        };
        let took = object.rto_seconds.map(|of| of.to_string());
        let name = format!("{} {}", object.kind, object.name);
        table.push([name.into(), outcome.into(), took.into(), object.run.as_str().into(), why.into()]);
    }
    if of.hsm.is_none() || format == Format::Tsv {
        table.print(format)?;
    }
    for line in lines(of) {
        output::aside(format, line)?;
    }
    Ok(())
}

/// What a drill came to, in words.
fn lines(of: &Drill) -> Vec<String> {
    let Drill { id, source, target, came, cleanup, .. } = of;
    if let Some(hsm) = &of.hsm {
        return lines_of_hsm(of, hsm);
    }
    let mut lines = vec![format!(
        "Drill {id} of {source} in vault {target}: restore {}, cleanup {cleanup}.",
        came.restore
    )];
    let wrong = of.summary().what_is_wrong();
    if !wrong.is_empty() {
        lines.push(format!("{}.", crate::domain::wording::on_one_line(&wrong)));
    }
    if let (Some(rto), Some(rpo)) = (came.rto_seconds, came.rpo_seconds) {
        lines
            .push(format!("The sample was restored and compared in {rto}; what was restored was {rpo} old."));
    }
    if let Some(whole) = came.whole {
        let all = whole.objects.all();
        lines
            .push(format!("All {all} objects of the source would take {}, extrapolated.", whole.rto_seconds));
    }
    lines.push(format!("Not proven: {}.", of.not_proven.join("; ")));
    lines
}

/// What a drill of an HSM came to, in words.
fn lines_of_hsm(of: &Drill, hsm: &HsmDrilled) -> Vec<String> {
    let Drill { id, source, target, came, .. } = of;
    let run = of.point.as_ref().map(|point| point.run.to_string()).unwrap_or_default();
    let mut lines = vec![match came.restore {
        Rehearsed::NotRestored => {
            format!(
                "Drill {id} of HSM {source}, backup {run}: nothing was restored, because it has no drill HSM."
            )
        }
        restore => format!("Drill {id} of HSM {source} in HSM {target}, backup {run}: restore {restore}."),
    }];
    let wrong = of.summary().what_is_wrong();
    if !wrong.is_empty() {
        lines.push(format!("{}.", crate::domain::wording::on_one_line(&wrong)));
    }
    if let (Some(rto), Some(rpo)) = (came.rto_seconds, came.rpo_seconds) {
        lines.push(format!(
            "It took {rto}, with the backup that a restore takes of its target first; what was restored was {rpo} old."
        ));
    }
    lines.extend(hsm.proven.iter().cloned());
    if let Some(holds) = &hsm.holds {
        lines.push(format!("It holds {}.", output::count(holds.len(), "key")));
    }
    lines.extend(hsm.now.iter().cloned());
    lines.push(format!("Not proven: {}.", of.not_proven.join("; ")));
    lines
}
