//! Drills: a sample of a source is restored into its drill vault, compared, timed, and removed from there.
//!
//! The keeper does it by its timer ([`all`]), and a person at a terminal ([`one`]). Everything is kept in one record for each
//! drill vault, an [`OpenDrill`](crate::domain::drill::OpenDrill), in which the names of what is restored stand before the first
//! request that changes the vault; `advance` takes it a step further, and [`go_on`] from where a process has died. Nothing is
//! ever deleted there but names on record.
//!
//! Safe to run twice, and to kill anywhere: of two processes one holds the record, an object that is there already is not restored
//! again, and the record of what the drill came to is create-only.

mod advance;
pub mod age;
mod begin;
mod clean;
mod close;
mod held;
pub mod hsm;
mod plan;
mod restore;

use std::collections::BTreeSet;

use futures::future::join_all;

pub use self::advance::Went;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::Actor,
        drill::DrillSummary,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// What became of the drills in one vault.
pub type Of = (SourceName, Result<Went>);

/// Drills every source that has a drill vault. Sources that share one do so one after the other; vaults do not wait for each
/// other. What a vault is still busy with, [`go_on`] ends.
pub async fn all(app: &App, by: &Actor, clock: &Clock) -> Vec<Of> {
    let drills = &app.config().drills;
    let vaults: BTreeSet<SourceName> =
        drills.vaults().into_iter().map(|vault| vault.name().clone()).collect();
    let each = vaults.into_iter().map(|vault| {
        Box::pin(async move {
            let sources: Vec<SourceName> = drills.sources_in(&vault).cloned().collect();
            let went = in_vault(app, &sources, by, clock).await;
            log_error(&vault, &went);
            (vault, went)
        })
    });
    join_all(each).await
}

async fn in_vault(app: &App, sources: &[SourceName], by: &Actor, clock: &Clock) -> Result<Went> {
    let stored = begin::begin(app, sources, by, clock).await?;
    Box::pin(advance::advance(app, stored, clock)).await
}

/// Begins the drill of one source, and goes on with it until it has ended or waits for its vault.
///
/// # Errors
/// When the source has no drill vault, another drill is under way in it, or a service refuses or does not answer.
pub async fn one(app: &App, source: &SourceName, by: &Actor, clock: &Clock) -> Result<Went> {
    in_vault(app, std::slice::from_ref(source), by, clock).await
}

/// Goes on with a drill that waits for its vault.
///
/// # Errors
/// As [`one`]; also if another process goes on with it.
pub async fn follow(app: &App, vault: &SourceName, clock: &Clock) -> Result<Option<Went>> {
    let Some(stored) = app.jobs()?.drill_in(vault).await? else { return Ok(None) };
    let taken = advance::take(app, stored, clock).await?;
    Box::pin(advance::advance(app, taken, clock)).await.map(Some)
}

/// Goes on with the drills on which no process is at work. One request if there is none.
///
/// # Errors
/// When the open drills cannot be listed.
pub async fn go_on(app: &App, clock: &Clock) -> Result<Vec<Of>> {
    let mut done = Vec::new();
    for open in app.jobs()?.open_drills().await? {
        let open = match open {
            Ok(open) if open.of.is_left(clock.now()) => open,
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(
                    event = "drill.stopped",
                    "A record of a drill cannot be read, and no drill of its vault begins: {error}"
                );
                continue;
            }
        };
        let vault = open.of.target.clone();
        let went =
            async { Box::pin(advance::advance(app, advance::take(app, open, clock).await?, clock)).await };
        let went = went.await;
        log_error(&vault, &went);
        done.push((vault, went));
    }
    Ok(done)
}

fn log_error(vault: &SourceName, went: &Result<Went>) {
    match went {
        Ok(_) => {}
        // What another process is at work on has not failed.
        Err(error @ Error::Busy(_)) => tracing::info!(event = "drill.busy", vault.name = %vault, "{error}"),
        Err(error) => tracing::error!(
            event = "drill.stopped", vault.name = %vault,
            "The drill in vault {vault} stopped: {error}. It goes on with the next pass"
        ),
    }
}

/// The newest drill of a vault that is on record.
///
/// # Errors
/// Those of storage; also if the record cannot be read.
pub async fn newest(app: &App, source: &SourceName) -> Result<Option<DrillSummary>> {
    let found = app.catalogue()?.drills(SourceKind::Vault, source, None, |found| !found.is_empty()).await?;
    Ok(found.into_iter().next())
}
