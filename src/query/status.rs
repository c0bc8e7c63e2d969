//! The state of the installation: every vault, every HSM, the passes over open jobs, and callers at their bound.

use time::{Duration, OffsetDateTime};

use super::{
    callers, hsms,
    passes::{self, Passes},
    vaults,
};
use crate::{app::App, domain::bound::AtBound, error::Result};

/// The state of the installation.
#[derive(Debug)]
pub struct Status {
    /// When this was read.
    pub now: OffsetDateTime,
    /// The greatest age of the newest run that covers a source.
    pub interval: Duration,
    /// The passes over open jobs.
    pub passes: Passes,
    /// Every configured vault.
    pub vaults: Vec<vaults::Doing>,
    /// Every configured Managed HSM.
    pub hsms: Vec<hsms::Doing>,
    /// Callers that have as many open jobs as are allowed.
    pub at_bound: Vec<AtBound>,
}

impl Status {
    /// Whether passes run and every source is healthy. `false` without any source: nothing was checked.
    pub fn is_ok(&self) -> bool {
        !self.passes.stands_still
            && self.vaults.len() + self.hsms.len() > 0
            && self.vaults.iter().all(|vault| vault.is_ok(self.interval, self.now))
            && self.hsms.iter().all(|hsm| hsm.is_ok(self.interval, self.now))
    }
}

/// Reads the state of the installation `now`, with up to `limit` failing objects of each vault.
///
/// # Errors
/// When the jobs or an HSM's records cannot be read. A damaged catalogue of a vault is part of that vault's state.
pub async fn status(app: &App, limit: usize, now: OffsetDateTime) -> Result<Status> {
    let vaults = vaults::all(app, limit, now).await?;
    let hsms = hsms::all(app).await?;
    let passes = passes::passes(app, now).await?;
    let at_bound = callers::at_bound(app).await?;
    Ok(Status { now, interval: app.interval(), passes, vaults, hsms, at_bound })
}
