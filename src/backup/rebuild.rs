//! Rebuilding manifests from plans and from the metadata of the blobs.

use std::collections::BTreeSet;

use super::{late, plan::what_is_left, reconcile};
use crate::{
    app::App,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        plan::Plan,
        run::RunId,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    query,
};

/// The state in which one run was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its manifest agrees with its blobs.
    Sound,
    /// It had no manifest; one was written.
    Rebuilt,
    /// It is still open: the manifest is written when it closes.
    Open,
    /// It had been open for too long, and was ended with the results that it had.
    Ended,
    /// Its manifest does not agree with its blobs. Nothing is overwritten.
    Differs,
    /// Its manifest is damaged. Nothing is overwritten: readers rebuild it in memory.
    Damaged,
    /// Its manifest cannot be checked, because its plan is lost.
    PlanLost,
    /// Retention let it go. It is not written again.
    Dropped,
}

impl Found {
    /// Whether the manifest agrees with the blobs, or will. `false` if it cannot be checked.
    pub const fn is_sound(self) -> bool {
        match self {
            Self::Sound | Self::Rebuilt | Self::Open | Self::Ended | Self::Dropped => true,
            Self::Differs | Self::Damaged | Self::PlanLost => false,
        }
    }
}

/// Checks every run of a vault, oldest first, and writes the missing manifests.
///
/// Reads the name of every blob, plans and manifests whole, and every blob's metadata once.
/// Safe to run twice, and while runs are open: those are left alone, unless they have been open for too long.
pub async fn vault(
    app: &App,
    vault: &SourceName,
    clock: &Clock,
    mut report: impl FnMut(&RunId, Found),
) -> Result<()> {
    let catalogue = app.catalogue()?;
    let ended = reconcile::end_expired(app, vault, clock).await?;
    for run in &ended {
        report(run, Found::Ended);
    }
    // In this order, a run that begins or closes meanwhile is either missing here, or found open, or found closed.
    let runs = catalogue.all_runs(vault).await?;
    let open = open_runs(app, vault).await?;
    let marks = catalogue.marks(SourceKind::Vault, vault).await?;
    let manifests = catalogue.manifests(vault, None, |_| false).await?;
    let closed: BTreeSet<RunId> = manifests.into_iter().map(|found| found.run).collect();
    let mut to_check = Vec::new();
    for run in runs {
        if ended.contains(&run) {
            continue;
        }
        if marks.hides(&run) {
            report(&run, Found::Dropped);
            continue;
        }
        if open.contains(&run) {
            report(&run, Found::Open);
            continue;
        }
        match plan(catalogue, vault, &run).await? {
            Some(plan) => to_check.push((plan.header.planned, run)),
            None if closed.contains(&run) => report(&run, Found::PlanLost),
            None => to_check.push((what_is_left(catalogue, vault, &run).await?.header.planned, run)),
        }
    }
    // A run builds on the runs planned before it.
    to_check.sort_by_key(|(planned, _)| *planned);
    for (_, run) in to_check {
        let found = one(app, vault, &run, closed.contains(&run), clock).await?;
        report(&run, found);
    }
    Ok(())
}

async fn open_runs(app: &App, vault: &SourceName) -> Result<BTreeSet<RunId>> {
    let open = query::runs::open_jobs(app).await?;
    Ok(open.into_iter().filter(|job| job.vault == *vault).map(|job| job.run).collect())
}

/// A run's plan, or `None` if it is lost or damaged.
async fn plan(catalogue: &Catalogue, vault: &SourceName, run: &RunId) -> Result<Option<Plan>> {
    match catalogue.plan(vault, run).await {
        Err(Error::Damaged { .. }) => Ok(None),
        plan => plan,
    }
}

async fn one(app: &App, vault: &SourceName, run: &RunId, closed: bool, clock: &Clock) -> Result<Found> {
    let catalogue = app.catalogue()?;
    let Some(plan) = plan(catalogue, vault, run).await? else {
        catalogue.close(&what_is_left(catalogue, vault, run).await?).await?;
        return Ok(Found::Rebuilt);
    };
    if !closed {
        if catalogue.close_from_copy(&plan.header).await?.is_some() {
            return Ok(Found::Rebuilt);
        }
        let settled = Box::pin(late::settle(app, &plan.header, None, clock)).await?;
        catalogue.close(&plan.with(settled)).await?;
        return Ok(Found::Rebuilt);
    }
    match catalogue.check_manifest(&plan).await {
        Ok(true) => Ok(Found::Sound),
        Ok(false) => Ok(Found::Differs),
        Err(Error::Damaged { .. }) => Ok(Found::Damaged),
        Err(error) => Err(error),
    }
}
