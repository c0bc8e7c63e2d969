//! `jobs`: open backup runs, and restores.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Done, Exit, Failed, OutputArg,
    output::{self, Format, age, moment},
    report::tried_again,
};
use crate::{
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
    #[command(flatten)]
    output: OutputArg,
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
    #[command(flatten)]
    output: OutputArg,
}

async fn abandon(args: AbandonArgs) -> Done {
    let app = App::build(&Config::read(environment, Needs::Backup)?)?;
    let id = args.restore;
    let (job, free) = match abandon::abandon(&app, &id, &Actor::TERMINAL, &Clock::system()).await? {
        Abandoned::OfHsm => {
            return Err(Failed::new(format!(
                "{id} restores a Managed HSM, and the service has no way to cancel that; `hsm status` follows it"
            )));
        }
        Abandoned::Unknown => {
            return Err(Failed::new(format!(
                "there is no restore {id} of a vault; list restores with `jobs`"
            )));
        }
        Abandoned::Ended(job) => (job, None),
        Abandoned::Stopping(job, free) => (job, Some(free)),
    };
    if args.output.output == Format::Json {
        output::json(&job)?;
        return Ok(Exit::All);
    }
    let target = &job.target;
    match (free, &job.ended) {
        (Some(free), _) => output::line(format_args!(
            "Restore {id} begins no further step. Vault {target} is free for another restore at {}.",
            moment(free)
        ))?,
        (None, Some(ended)) => output::line(format_args!("Restore {id} has ended: {}", ended.verdict))?,
        (None, None) => {}
    }
    Ok(Exit::All)
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the jobs cannot be read.
pub async fn run(args: JobsArgs) -> Done {
    if let Some(JobsCommand::Abandon(args)) = args.command {
        return abandon(args).await;
    }
    let app = App::build(&Config::read(environment, Needs::Backup)?)?;
    let (runs, restores) = jobs::of_vaults(&app, args.limit).await?;
    if args.output.output == Format::Json {
        output::json(&json!({ "runs": runs, "restores": restores }))?;
        return Ok(Exit::All);
    }
    let now = Clock::system().now();
    let mut table = output::table(&["job", "what", "for", "age", "state", "#done"]);
    for BackupJob { vault, run, by, opened, answered, .. } in &runs {
        let by = by.as_ref().map_or_else(String::new, Actor::to_string);
        let done = answered.to_string();
        let what = format!("backup of {vault}");
        table.add_row([run.to_string(), what, by, age(now - *opened), "open".to_owned(), done]);
    }
    for RestoreJob { id, source, target, by, opened, ended, answered, steps, .. } in &restores {
        let state = ended.as_ref().map_or_else(|| "open".to_owned(), |ended| ended.verdict.to_string());
        let done = format!("{answered} of {steps}");
        let what = format!("restore {source} into {target}");
        table.add_row([id.to_string(), what, by.to_string(), age(now - *opened), state, done]);
    }
    output::print(&table)?;
    for job in &runs {
        if let Some(of) = job.tried_again() {
            output::line(format_args!("{} of {}: {}", job.run, job.vault, tried_again(of)))?;
        }
    }
    Ok(Exit::All)
}
