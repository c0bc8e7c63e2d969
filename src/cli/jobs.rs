//! `jobs`: what is under way, and the last restores.

use clap::Args;
use serde_json::json;

use super::{
    Done, Exit, OutputArg,
    output::{self, Format, age},
};
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Needs, environment},
    domain::{asker::Asker, job::BackupJob, restore::RestoreJob},
};

/// List open runs, and restores, newest first.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// How many restores at most, open or ended
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command.
///
/// # Errors
/// When settings are wrong or the jobs cannot be read.
pub async fn run(args: JobsArgs) -> Done {
    let app = App::build(&Config::read(environment, Needs::Backup)?)?;
    let jobs = app.jobs()?;
    let runs: Vec<BackupJob> = jobs.all().await?.into_iter().map(|stored| stored.job).collect();
    let restores = jobs.restores(None, args.limit).await?;
    if args.output.output == Format::Json {
        output::json(&json!({ "runs": runs, "restores": restores }))?;
        return Ok(Exit::All);
    }
    let now = Clock::system().now();
    let mut table = output::table(&["job", "what", "for", "age", "state", "#done"]);
    for BackupJob { vault, run, by, opened, answered, .. } in &runs {
        let by = by.as_ref().map_or_else(String::new, Asker::to_string);
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
    Ok(Exit::All)
}
