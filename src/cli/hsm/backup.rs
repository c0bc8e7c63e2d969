//! `hsm backup`.

use clap::Args;
use serde_json::json;

use super::{HsmArg, app_for, follow, report};
use crate::{
    cli::{
        Done, Exit, Failed,
        output::{self, Column, Format, Table},
    },
    clock::Clock,
    domain::actor::Actor,
    hsm::start,
    query::hsms,
};

/// Back up a whole Managed HSM now.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    hsm: HsmArg,
    /// Follow the job to its end; without this, only the function app does
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub(super) async fn run(args: BackupArgs, format: Format) -> Done {
    let app = app_for(&args.hsm.hsm)?;
    let hsm = args.hsm.hsm.name();
    let job = start::backup_now(&app, hsm, &Actor::TERMINAL, &Clock::system()).await?;
    if args.wait {
        follow::to_the_end(&app, hsm, std::slice::from_ref(&job.id), format).await?;
        let record = hsms::record(&app, hsm, &job.id).await?;
        let record = record.ok_or_else(|| Failed::new(format!("run {} left no record", job.id)))?;
        report::backup(&record, format)?;
        return Ok(record.verdict.into());
    }
    if format.is_json() {
        output::json(&json!({ "hsm": hsm, "run": job.id, "state": "Running" }))?;
        return Ok(Exit::All);
    }
    let sentence = format!(
        "Backup {} of HSM {hsm} has begun; the function app follows it, and `hsm status` shows it",
        job.id
    );
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &[Column::name("state")]);
    table.push([hsm.to_string().into(), job.id.to_string().into(), "Running".into()]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}
