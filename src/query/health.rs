//! Whether the program reaches its storage, and whether jobs progress.

use std::time::Duration;

use time::OffsetDateTime;

use super::passes::passes;
use crate::{
    app::App,
    domain::role::Role,
    error::{Error, Result},
};

/// How long storage has to answer before it counts as out of reach.
const REACH_WITHIN: Duration = Duration::from_secs(8);

/// The health of the program.
#[derive(Debug)]
pub enum Health {
    /// It reaches both containers, and jobs progress.
    Well,
    /// It reaches both containers, but no pass runs; the last one was at this time.
    StandsStill(Option<OffsetDateTime>),
    /// It does not reach a container.
    OutOfReach(OutOfReach),
}

/// A container that cannot be reached.
#[derive(Debug)]
pub struct OutOfReach {
    /// The setting that names the container.
    pub setting: &'static str,
    /// The answer; `None` when there was none in time.
    pub error: Option<Error>,
}

/// Checks both containers and the passes over open jobs. An app that only restores is healthy without passes.
pub async fn health(app: &App, now: OffsetDateTime) -> Health {
    let catalogue = reach("KEYVAULT_BACKUP_CONTAINER", async { app.catalogue()?.reach().await });
    let jobs = reach("KEYVAULT_BACKUP_JOBS_CONTAINER", passes(app, now));
    match futures::try_join!(catalogue, jobs) {
        Ok(((), passes)) if passes.stands_still && app.role() != Role::Restore => {
            Health::StandsStill(passes.last)
        }
        Ok(_) => Health::Well,
        Err(unreached) => Health::OutOfReach(unreached),
    }
}

async fn reach<T>(
    setting: &'static str,
    request: impl Future<Output = Result<T>>,
) -> std::result::Result<T, OutOfReach> {
    match tokio::time::timeout(REACH_WITHIN, request).await {
        Ok(Ok(reached)) => Ok(reached),
        Ok(Err(error)) => Err(OutOfReach { setting, error: Some(error) }),
        Err(_) => Err(OutOfReach { setting, error: None }),
    }
}
