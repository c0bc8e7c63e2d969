//! `acknowledge`: a loss, or a vault's move, that a person acknowledges.

use clap::Args;

use super::{
    Done, Exit, PlainVaultArg, app_for,
    output::{self, Cell, Column, Format, Table, moment},
};
use crate::{
    acknowledge,
    api::shapes::terminal::AcknowledgedRun,
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
}

/// Runs the command. The exit code is also 0 for a loss that was acknowledged before.
///
/// # Errors
/// When settings are wrong, the storage refuses, or there is no such loss.
pub async fn run(args: AcknowledgeArgs, format: Format) -> Done {
    let (url, clock) = (&args.source.vault, Clock::system());
    let app = app_for(url, Needs::Storage)?;
    let done = acknowledge::loss(&app, url.name(), &args.run, args.reason, &Actor::TERMINAL, &clock).await?;
    if format.is_json() {
        let moved = done.moved.as_deref();
        output::json(&AcknowledgedRun::new(&done.record, done.already, &done.losses, moved))?;
        return Ok(Exit::All);
    }
    for loss in &done.losses {
        output::aside(format, format_args!("{loss}."))?;
    }
    if let Some(moved) = &done.moved {
        output::aside(format, format_args!("{moved}."))?;
    }
    let (run, source, record) = (&args.run, &done.record.source, &done.record);
    let (at, by, reason) = (record.at, &record.by, &record.reason);
    let sentence = if done.already {
        format!("Run {run} of {source} was already acknowledged, on {}, by {by}: {reason}", moment(at))
    } else {
        format!(
            "Acknowledged by {by}: the findings of run {run} of {source} no longer count against it. Reason: {reason}"
        )
    };
    let mut table = Table::new(
        &[Column::name("source"), Column::name("run")],
        &[Column::name("acknowledged"), Column::prose("by"), Column::prose("reason")],
    );
    let [source, run, by, reason] =
        [source.to_string(), run.to_string(), by.to_string(), reason.to_string()].map(Cell::from);
    table.push([source, run, at.into(), by, reason]);
    output::one(format, sentence, &table)?;
    Ok(Exit::All)
}
