//! Making manifests again from plans and from the metadata of the blobs.

use std::collections::BTreeSet;

use super::advance;
use crate::{
    app::App,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        object::{ObjectKind, VaultName},
        outcome::Failure,
        plan::{PLAN_FORMAT, Plan, PlanHeader, Unlisted},
        planned::PlannedObjects,
        run::{RunId, Scope},
    },
    error::{Error, Result},
};

/// What was found of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its manifest is as it should be.
    Sound,
    /// It had none, and has one now.
    Rebuilt,
    /// It is still open: the manifest comes when it closes.
    Open,
    /// It had been open for too long, and was ended with what there is.
    Ended,
    /// Its manifest is there and is not what its blobs say. Nothing is overwritten.
    Differs,
    /// Its manifest is there and is damaged. Nothing is overwritten: readers make it again in memory.
    Damaged,
    /// Its manifest is there and cannot be checked, because its plan is lost.
    PlanLost,
}

/// Looks at every run of a vault, oldest first, and writes the manifests that are missing.
///
/// Reads the name of every blob; plans and manifests are read whole, and every blob's metadata once.
/// Safe to run twice, and while runs are open: those are left alone, unless they have been open for too long.
pub async fn vault(
    app: &App,
    vault: &VaultName,
    clock: &Clock,
    mut report: impl FnMut(&RunId, Found),
) -> Result<()> {
    let catalogue = app.catalogue()?;
    let ended = advance::end_expired(app, vault, clock).await?;
    for run in &ended {
        report(run, Found::Ended);
    }
    // In this order: a run that begins or closes meanwhile is then not among the runs, or open, or closed.
    let runs = catalogue.all_runs(vault).await?;
    let open: BTreeSet<RunId> = app
        .jobs()?
        .all()
        .await?
        .into_iter()
        .filter(|stored| stored.job.vault == *vault)
        .map(|stored| stored.job.run)
        .collect();
    let manifests = catalogue.manifests(vault, None, |_| false).await?;
    let closed: BTreeSet<RunId> = manifests.into_iter().map(|found| found.run).collect();
    let mut headers = Vec::new();
    for run in runs {
        if ended.contains(&run) {
            continue;
        }
        if open.contains(&run) {
            report(&run, Found::Open);
            continue;
        }
        match plan(catalogue, vault, &run).await? {
            Some(plan) => headers.push(plan.header),
            None if closed.contains(&run) => report(&run, Found::PlanLost),
            None => headers.push(without_plan(vault, &run)?),
        }
    }
    // A run builds on those that were planned before it.
    headers.sort_by_key(|header| header.planned);
    for header in headers {
        let plan = plan(catalogue, vault, &header.run).await?;
        let plan =
            plan.unwrap_or_else(|| Plan { header: header.clone(), objects: PlannedObjects::default() });
        let found = one(catalogue, &plan, closed.contains(&header.run)).await?;
        report(&header.run, found);
    }
    Ok(())
}

/// A run's plan, as far as it can be read.
async fn plan(catalogue: &Catalogue, vault: &VaultName, run: &RunId) -> Result<Option<Plan>> {
    match catalogue.plan(vault, run).await {
        Err(Error::Damaged { .. }) => Ok(None),
        plan => plan,
    }
}

async fn one(catalogue: &Catalogue, plan: &Plan, closed: bool) -> Result<Found> {
    if !closed {
        catalogue.close(plan).await?;
        return Ok(Found::Rebuilt);
    }
    match catalogue.check_manifest(plan).await {
        Ok(true) => Ok(Found::Sound),
        Ok(false) => Ok(Found::Differs),
        Err(Error::Damaged { .. }) => Ok(Found::Damaged),
        Err(error) => Err(error),
    }
}

/// A run whose plan is lost keeps what its blobs say, as a run of some objects that did not see the rest.
pub(super) fn without_plan(vault: &VaultName, run: &RunId) -> Result<PlanHeader> {
    let planned = run.occurrence().ok_or_else(|| Error::Refused(format!("{run} has no time")))?;
    let lost = Failure::ours("PlanLost", "the run's plan cannot be read; this is what its blobs say");
    Ok(PlanHeader {
        v: PLAN_FORMAT,
        vault: vault.clone(),
        run: run.clone(),
        by: None,
        scope: Scope::Objects,
        planned,
        full_pass: planned,
        base: None,
        folds: Vec::new(),
        unread: Vec::new(),
        unlisted: ObjectKind::ALL.map(|kind| Unlisted { kind, failure: lost.clone() }).into(),
    })
}
