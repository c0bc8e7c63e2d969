//! `hsm backup`.

use clap::Args;

use super::{HsmArg, app_for, follow, left_no_record, report};
use crate::{
    api::shapes::backup_request::Started,
    cli::{
        Done, Exit,
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
        if let Some(stopped) = follow::to_the_end(&app, hsm, std::slice::from_ref(&job.id), format).await? {
            return Ok(stopped);
        }
        let record = hsms::record(&app, hsm, &job.id).await?;
        let record = record.ok_or_else(|| left_no_record(&job.id))?;
        report::backup(&record, format)?;
        return Ok(record.verdict.into());
    }
    if format.is_json() {
        output::json(&Started::of_hsm(hsm, &job.id, None))?;
        return Ok(Exit::All);
    }
    let sentence = format!(
        "Backup {} of HSM {hsm} has begun; the function app follows it, and `hsm status` shows it.",
        job.id
    );
    let mut table = Table::new(&[Column::name("source"), Column::name("run")], &[Column::name("state")]);
    table.push([hsm.to_string().into(), job.id.to_string().into(), "Running".into()]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}
