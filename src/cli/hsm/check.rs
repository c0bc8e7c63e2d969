//! `hsm check`: the service's own checks before a backup or a restore.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{HsmArg, app_for, report::failure_text};
use crate::{
    app::App,
    azure::{
        error::{Meaning, ServiceError},
        hsm::{HsmClient, why},
        managed_hsm::OperationState,
    },
    cli::{
        Done, Exit, Failed, OutputArg,
        output::{self, Format},
    },
    domain::{hsm::HsmName, outcome::Failure, run::RunId},
};

/// Time between two questions how a check stands. Checks take seconds.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Questions before a check counts as one that never ends.
const QUESTIONS: usize = 150;

/// Ask the service whether a backup or a restore could be made.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    hsm: HsmArg,
    /// Check the restore of this run's backup, not a backup
    #[arg(long, value_name = "RUN")]
    restore: Option<RunId>,
    /// The HSM whose backup that is, by its name; the same one when it is left out
    #[arg(long, value_name = "NAME", requires = "restore")]
    from: Option<HsmName>,
    #[command(flatten)]
    output: OutputArg,
}

/// What the service says.
enum Found {
    Possible,
    NotPossible(Failure),
    CannotBeAsked(Failure),
}

/// Runs the command.
pub(super) async fn run(args: CheckArgs) -> Done {
    let app = app_for(&args.hsm.hsm)?;
    let what = if args.restore.is_some() { "restore" } else { "backup" };
    let found = match check(&app, &args).await? {
        Ok(found) => found,
        Err(error) if error.meaning == Meaning::NotSent => Found::CannotBeAsked(*error.failure),
        Err(error) => Found::NotPossible(*error.failure),
    };
    print(&found, args.hsm.hsm.name(), what, args.output.output)?;
    Ok(match found {
        Found::Possible => Exit::All,
        Found::CannotBeAsked(_) => Exit::Part,
        Found::NotPossible(_) => Exit::None,
    })
}

async fn check(app: &App, args: &CheckArgs) -> Result<Result<Found, ServiceError>, Failed> {
    let (hsms, hsm) = (app.hsms(), args.hsm.hsm.name());
    let client = hsms.get(hsm)?;
    let Some(run) = &args.restore else {
        let started = client.prebackup(&hsms.destination()?).await;
        return Ok(match started {
            Ok(started) => ended(client, &started.job_id, false).await,
            Err(error) => Err(error),
        });
    };
    let source = args.from.as_ref().unwrap_or(hsm);
    let backup = app.catalogue()?.hsm_backup(source, run).await?;
    let folder = backup.and_then(|backup| backup.folder);
    let folder = folder.ok_or_else(|| Failed(format!("run {run} of HSM {source} left no backup")))?;
    Ok(match client.prerestore(&hsms.source(&folder.path)?).await {
        Ok(started) => ended(client, &started.job_id, true).await,
        Err(error) => Err(error),
    })
}

async fn ended(client: &HsmClient, check: &str, restore: bool) -> Result<Found, ServiceError> {
    for _ in 0..QUESTIONS {
        let status =
            if restore { client.restore_status(check).await? } else { client.backup_status(check).await? };
        if status.status == OperationState::Succeeded {
            return Ok(Found::Possible);
        }
        if status.status.has_ended() {
            return Ok(Found::NotPossible(why(&status)));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    let text = "the service's check did not end within five minutes";
    Ok(Found::CannotBeAsked(Failure::ours("NoEnd", text)))
}

fn print(found: &Found, hsm: &HsmName, what: &str, format: Format) -> std::io::Result<()> {
    let (possible, failure) = match found {
        Found::Possible => (Some(true), None),
        Found::NotPossible(failure) => (Some(false), Some(failure)),
        Found::CannotBeAsked(failure) => (None, Some(failure)),
    };
    if format == Format::Json {
        return output::json(&json!({ "hsm": hsm, "check": what, "possible": possible, "failure": failure }));
    }
    match possible {
        Some(true) => output::line(format_args!("The service says that a {what} of HSM {hsm} can be made")),
        Some(false) => {
            output::line(format_args!("A {what} of HSM {hsm} cannot be made: {}", failure_text(failure)))
        }
        None => output::line(format_args!(
            "It cannot be asked whether a {what} of HSM {hsm} can be made: {}",
            failure_text(failure)
        )),
    }
}
