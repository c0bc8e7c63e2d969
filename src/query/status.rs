//! How everything is: every vault, every HSM, the passes over open jobs, and callers at their bound.

use time::{Duration, OffsetDateTime};

use super::{
    callers, hsms,
    passes::{self, Passes},
    vaults,
};
use crate::{app::App, domain::bound::AtBound, error::Result};

/// How everything is.
#[derive(Debug)]
pub struct Status {
    /// When this was read.
    pub now: OffsetDateTime,
    /// How old the newest run that covers a source may be.
    pub interval: Duration,
    /// The passes over open jobs.
    pub passes: Passes,
    /// Every configured vault.
    pub vaults: Vec<vaults::Doing>,
    /// Every configured Managed HSM.
    pub hsms: Vec<hsms::Doing>,
    /// Callers that have as many open jobs as they may have.
    pub at_bound: Vec<AtBound>,
}

impl Status {
    /// Whether jobs progress and every source is well. An app without a source is not well: nothing is said of nothing.
    pub fn is_ok(&self) -> bool {
        !self.passes.stands_still
            && self.vaults.len() + self.hsms.len() > 0
            && self.vaults.iter().all(|vault| vault.is_ok(self.interval, self.now))
            && self.hsms.iter().all(|hsm| hsm.is_ok(self.interval, self.now))
    }
}

/// Reads how everything is `now`. Of each vault up to `limit` failing objects are named.
///
/// # Errors
/// When the jobs or an HSM's records cannot be read. A vault whose catalogue cannot be read says so in its place.
pub async fn status(app: &App, limit: usize, now: OffsetDateTime) -> Result<Status> {
    let vaults = vaults::all(app, limit, now).await?;
    let hsms = hsms::all(app).await?;
    let passes = passes::passes(app, now).await?;
    let at_bound = callers::at_bound(app).await?;
    Ok(Status { now, interval: app.interval(), passes, vaults, hsms, at_bound })
}
