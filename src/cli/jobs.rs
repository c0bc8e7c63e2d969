//! `jobs`: open backup runs, and restores.

use clap::{Args, Subcommand};

use super::{
    Done, Exit, Failed,
    output::{self, Cell, Column, Format, Table, moment},
    report::tried_again,
};
use crate::{
    api::shapes::{problem::ProblemKind, restore::Restore, run::RunItem, terminal::Jobs},
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{
        actor::Actor,
        job::BackupJob,
        restore::{RestoreId, RestoreJob},
    },
    query::jobs,
    restore::abandon::{self, Abandoned},
};

/// List open runs, and restores, newest first.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    /// The most restores to list, open or ended
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl JobsArgs {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        self.command.is_none()
    }
}

/// The commands for a job.
#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// End a restore early; restored objects stay
    Abandon(AbandonArgs),
}

/// The restore to end.
#[derive(Debug, Args)]
struct AbandonArgs {
    /// Its name, as `jobs` shows it
    restore: RestoreId,
}

async fn abandon(args: AbandonArgs, format: Format) -> Done {
    let app = App::build(&Config::read(environment, Needs::Jobs)?)?;
    let id = args.restore;
    let (job, free) = match abandon::abandon(&app, &id, &Actor::TERMINAL, &Clock::system()).await? {
        Abandoned::OfHsm => {
            return Err(Failed::new(
                format!("{id} restores a Managed HSM, and the service has no way to cancel that"),
                "follow it with `keyvault-backup hsm status`",
            ));
        }
        Abandoned::Unknown => {
            return Err(Failed::of(
                ProblemKind::NotFound,
                format!("there is no restore {id} of a vault"),
                "list restores with `keyvault-backup jobs`",
            ));
        }
        Abandoned::Ended(job) => (job, None),
        Abandoned::Stopping(job, free) => (job, Some(free)),
    };
    if format.is_json() {
        output::json(&Restore::from(*job))?;
        return Ok(Exit::All);
    }
    let target = &job.target;
    let state = job.ended.as_ref().map_or_else(|| "stopping".to_owned(), |ended| ended.verdict.to_string());
    let sentence = match free {
        Some(free) => format!(
            "Restore {id} begins no further step. Vault {target} is free for another restore at {}.",
            moment(free)
        ),
        None => format!("Restore {id} has ended: {state}."),
    };
    let columns = [Column::name("target"), Column::name("state"), Column::name("free")];
    let mut table = Table::new(&[Column::name("restore")], &columns);
    table.push([id.to_string().into(), target.to_string().into(), state.into(), free.into()]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the jobs cannot be read.
pub async fn run(args: JobsArgs, format: Format) -> Done {
    if let Some(JobsCommand::Abandon(args)) = args.command {
        return abandon(args, format).await;
    }
    let app = App::build(&Config::read(environment, Needs::Jobs)?)?;
    let (runs, restores) = jobs::of_vaults(&app, args.limit).await?;
    if format.is_json() {
        let runs = runs.iter().map(RunItem::open).collect();
        output::json(&Jobs { runs, restores: restores.into_iter().map(Into::into).collect() })?;
        return Ok(Exit::All);
    }
    table(&runs, &restores).print(format)?;
    if runs.is_empty() && restores.is_empty() {
        output::aside(format, "No run is open, and there was no restore.")?;
    }
    for job in &runs {
        if let Some(of) = job.tried_again() {
            output::aside(format, format_args!("{} of {}: {}", job.run, job.vault, tried_again(of)))?;
        }
    }
    Ok(Exit::All)
}

fn table(runs: &[BackupJob], restores: &[RestoreJob]) -> Table {
    let details = [
        Column::name("source"),
        Column::name("target").if_any(),
        Column::prose("for"),
        Column::name("opened").wide(),
        Column::number("age"),
        Column::name("state"),
        Column::number("done"),
        Column::number("steps").if_any(),
    ];
    let mut table = Table::new(&[Column::label("what"), Column::name("job")], &details);
    let now = Clock::system().now();
    for BackupJob { vault, run, by, opened, answered, .. } in runs {
        let [run, vault] = [run.to_string(), vault.to_string()].map(Cell::from);
        let (by, since) = (by.as_ref().map(Actor::to_string), now - *opened);
        let (opened, done) = ((*opened).into(), (*answered).into());
        let (open, none) = ("open".into(), Cell::Nothing);
        table.push([
            "backup".into(),
            run,
            vault,
            none.clone(),
            by.into(),
            opened,
            since.into(),
            open,
            done,
            none,
        ]);
    }
    for RestoreJob { id, source, target, by, opened, ended, answered, steps, .. } in restores {
        let state = ended.as_ref().map_or_else(|| "open".to_owned(), |ended| ended.verdict.to_string());
        let [id, source, target, by, state] =
            [id.to_string(), source.to_string(), target.to_string(), by.to_string(), state].map(Cell::from);
        let (since, opened) = ((now - *opened).into(), (*opened).into());
        let [done, steps] = [*answered, *steps].map(Cell::from);
        table.push(["restore".into(), id, source, target, by, opened, since, state, done, steps]);
    }
    table
}
