//! Callers that have as many open jobs as are allowed.

use crate::{
    app::App,
    domain::{bound::AtBound, right::Right},
    error::Result,
};

/// Every caller that cannot open another job until one of its jobs ends. Two requests, plus those for the jobs of HSMs.
pub async fn at_bound(app: &App) -> Result<Vec<AtBound>> {
    let (jobs, bounds) = (app.jobs()?, app.config().bounds);
    let hsms = !app.hsms().is_empty();
    let (backups, restores) =
        futures::try_join!(jobs.openers(Right::Backup, hsms), jobs.openers(Right::Restore, hsms))?;
    let met = bounds.met(Right::Backup, &backups).into_iter().chain(bounds.met(Right::Restore, &restores));
    Ok(met.collect())
}
