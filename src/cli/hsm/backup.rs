//! `hsm backup`.

use clap::Args;
use serde_json::json;

use super::{HsmArg, app_for, follow, report};
use crate::{
    cli::{
        Done, Exit, Failed, OutputArg,
        output::{self, Format},
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
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command.
pub(super) async fn run(args: BackupArgs) -> Done {
    let (app, format) = (app_for(&args.hsm.hsm)?, args.output.output);
    let hsm = args.hsm.hsm.name();
    let job = start::backup_now(&app, hsm, &Actor::TERMINAL, &Clock::system()).await?;
    if args.wait {
        follow::to_the_end(&app, hsm, std::slice::from_ref(&job.id), format).await?;
        let record = hsms::record(&app, hsm, &job.id).await?;
        let record = record.ok_or_else(|| Failed::new(format!("run {} left no record", job.id)))?;
        report::backup(&record, format)?;
        return Ok(record.verdict.into());
    }
    match format {
        Format::Json => output::json(&json!({ "hsm": hsm, "run": job.id, "state": "Running" }))?,
        Format::Table => output::line(format_args!(
            "Backup {} of HSM {hsm} has begun; the function app follows it, and `hsm status` shows it",
            job.id
        ))?,
    }
    Ok(Exit::All)
}
