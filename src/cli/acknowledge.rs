//! `acknowledge`: a loss, or a vault's move, that a person acknowledges.

use clap::Args;

use super::{
    Done, Exit, OutputArg, PlainVaultArg, app_for,
    output::{self, Format, moment},
};
use crate::{
    acknowledge,
    clock::Clock,
    config::Needs,
    domain::{acknowledged::Reason, actor::Actor, run::RunId},
};

/// Acknowledge a loss that a run found, or that a vault has moved.
#[derive(Debug, Args)]
pub struct AcknowledgeArgs {
    #[command(flatten)]
    source: PlainVaultArg,
    /// The run that found it, such as 20261122T020000Z-nightly
    #[arg(long, value_name = "RUN")]
    run: RunId,
    /// The reason, in one line of at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    #[command(flatten)]
    output: OutputArg,
}

/// Runs the command. The exit code is also 0 for a loss that was acknowledged before.
///
/// # Errors
/// When settings are wrong, the storage refuses, or there is no such loss.
pub async fn run(args: AcknowledgeArgs) -> Done {
    let (url, clock) = (&args.source.vault, Clock::system());
    let app = app_for(url, Needs::Storage)?;
    let done = acknowledge::loss(&app, url.name(), &args.run, args.reason, &Actor::TERMINAL, &clock).await?;
    if args.output.output == Format::Json {
        output::json(&done)?;
        return Ok(Exit::All);
    }
    for loss in &done.losses {
        output::line(loss)?;
    }
    if let Some(moved) = &done.moved {
        output::line(moved)?;
    }
    let (run, source, record) = (&args.run, &done.record.source, &done.record);
    if done.already {
        let (at, reason) = (moment(record.at), &record.reason);
        output::line(format_args!("Run {run} of {source} was already acknowledged on {at}: {reason}"))?;
    } else {
        output::line(format_args!(
            "Acknowledged: the findings of run {run} of {source} no longer count against it"
        ))?;
    }
    Ok(Exit::All)
}
