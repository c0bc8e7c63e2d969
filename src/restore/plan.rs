//! Planning a restore.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use tracing::warn;

use super::{step, unusable::KnownUnusable};
use crate::{
    app::App,
    azure::vault::VaultClient,
    domain::{
        fate::Fate,
        object::{ObjectId, ObjectKind},
        restore::{Action, Held, OnDamaged, Reason, Request, RestorePlan, Step, World, plan_restore},
        run::RunId,
    },
    error::{Error, Result},
    query::nothing,
};

/// The greatest number of steps for which planning reads and checks each backup. Those of a larger plan are checked
/// when their turn comes.
const CHECKED_UP_TO: usize = 64;

/// Backups that are checked concurrently.
const AT_ONCE: usize = 16;

/// Makes the plan of a restore. Changes nothing.
///
/// # Errors
/// [`Error::Nothing`] when the selection matches nothing: there is no plan of nothing. Also when the catalogue or the
/// target cannot be read. A target that refuses to list its soft-deleted objects is planned as if it had none: a
/// restore that meets one then fails with that reason.
pub async fn plan(app: &App, request: &Request) -> Result<RestorePlan> {
    refuse_apart(app, request)?;
    let catalogue = app.catalogue()?;
    let kinds: &[ObjectKind] =
        if app.is_hsm(&request.target) { &[ObjectKind::Key] } else { &ObjectKind::ALL };
    let view = catalogue.view(&request.source, request.at).await?;
    if view.is_empty() {
        refuse_nothing(app, request).await?;
    }
    let held = held(app.vault(&request.target)?, kinds).await?;
    let (source, target) = (app.location(&request.source), app.location(&request.target));
    let mut unusable = KnownUnusable::of_findings(catalogue, request, &view).await?;
    let mut plan = loop {
        let world = World { source: &source, target: &target, held: &held, unusable: unusable.objects() };
        let mut plan = plan_restore(request, catalogue.lines(&view).await?, &world)?;
        if plan.is_bare() {
            refuse_nothing(app, request).await?;
        }
        if plan.steps.len() > CHECKED_UP_TO {
            break plan;
        }
        let found = unusable_steps(app, &mut plan).await?;
        if request.on_damaged == OnDamaged::Fail || unusable.knows_all(&found) {
            for (id, _, reason) in found {
                plan.leave(&[id], reason);
            }
            break plan;
        }
        // Each round knows one more backup, so there is a last one.
        unusable.add(catalogue, request, found).await?;
    };
    plan.leave_unjudged_purges();
    leave_unpurgeable(app.vault(&request.target)?, &mut plan).await?;
    Ok(plan)
}

/// Refuses a source and target between which no service restores: the keys of an HSM restore only into an HSM of the
/// same security domain.
fn refuse_apart(app: &App, request: &Request) -> Result<()> {
    let (source, target) = (&request.source, &request.target);
    let words = match (app.is_hsm(source), app.is_hsm(target)) {
        (false, false) => return Ok(()),
        (true, true) if app.hsms().share_domain(source, target) => {
            return Ok(());
        }
        (true, true) => {
            "a key of an HSM restores only into an HSM with the same security domain; if the two share theirs, \
             name them in KEYVAULT_BACKUP_HSM_DOMAINS"
        }
        (true, false) => {
            "a key of an HSM does not restore into a vault, only into an HSM with the same security domain"
        }
        (false, true) => "the backup of an object in a vault does not restore into an HSM, only into a vault",
    };
    Err(Error::Refused(format!("from {source} into {target}: {words}")))
}

/// Refuses a selection that matches nothing. The index that this searches was read before, and gave no step.
async fn refuse_nothing(app: &App, request: &Request) -> Result<()> {
    match nothing::why(app, &request.source, request.at, &request.selection).await? {
        Some(nothing) => Err(nothing.into()),
        None => Ok(()),
    }
}

/// Excludes the steps that need a purge which the identity may not do.
async fn leave_unpurgeable(target: &VaultClient, plan: &mut RestorePlan) -> Result<()> {
    for kind in ObjectKind::ALL {
        let purges =
            plan.steps.iter().filter(|step| step.kind == kind && step.action == Action::PurgeAndRestore);
        let purges: Vec<ObjectId> = purges.map(Step::id).collect();
        if !purges.is_empty() && !target.may_purge(kind).await? {
            plan.leave(&purges, Reason::MayNotPurge);
        }
    }
    Ok(())
}

/// The steps whose backup cannot be restored, and why. Records the form of the others' backups.
async fn unusable_steps(app: &App, plan: &mut RestorePlan) -> Result<Vec<(ObjectId, RunId, Reason)>> {
    let request = &plan.request;
    let checks: Vec<_> = plan.steps.iter().map(|step| step::checked(app, request, step)).collect();
    let checks: Vec<_> = stream::iter(checks).buffered(AT_ONCE).collect().await;
    let mut unusable = Vec::new();
    for (step, check) in plan.steps.iter_mut().zip(checks) {
        match check {
            Err(Error::Damaged { .. }) => unusable.push((step.id(), step.run.clone(), Reason::Damaged)),
            Err(Error::BackupGone { .. }) => unusable.push((step.id(), step.run.clone(), Reason::BackupGone)),
            check => step.judged(&check?.1),
        }
    }
    Ok(unusable)
}

/// The objects of these kinds that a vault holds, live and soft-deleted. An HSM has only keys.
async fn held(vault: &VaultClient, kinds: &[ObjectKind]) -> Result<BTreeMap<ObjectId, Held>> {
    let mut held = BTreeMap::new();
    for &kind in kinds {
        let deleted = vault.list_deleted(kind);
        pin_mut!(deleted);
        loop {
            match deleted.try_next().await {
                Ok(Some(page)) => {
                    held.extend(page.into_iter().map(|of| {
                        let purgeable = of.purgeable;
                        (of.id, if of.managed { Held::DeletedManaged } else { Held::Deleted { purgeable } })
                    }));
                }
                Ok(None) => break,
                Err(error) if error.fate() == Fate::Retry => return Err(error.into()),
                Err(error) => {
                    warn!(
                        "The soft-deleted {kind}s cannot be listed; the plan assumes there are none: {error}"
                    );
                    break;
                }
            }
        }
        let live = vault.list(kind);
        pin_mut!(live);
        while let Some(page) = live.try_next().await? {
            held.extend(
                page.into_iter()
                    .map(|of| (of.id, if of.managed { Held::Managed } else { Held::Live(of.fingerprint) })),
            );
        }
    }
    Ok(held)
}
