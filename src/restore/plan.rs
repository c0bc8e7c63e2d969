//! Planning a restore.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use tracing::warn;

use super::step;
use crate::{
    app::App,
    azure::vault::VaultClient,
    domain::{
        object::{ObjectId, ObjectKind},
        outcome::Fate,
        restore::{Action, Held, Reason, Request, RestorePlan, Step, World, plan_restore},
    },
    error::{Error, Result},
};

/// Up to so many steps, each backup is read and checked while planning. Those of a larger plan are checked
/// when their turn comes.
const CHECKED_UP_TO: usize = 64;

/// Backups that are checked at once.
const AT_ONCE: usize = 16;

/// Makes the plan of a restore. Changes nothing.
///
/// # Errors
/// When the catalogue or the target cannot be read. A target that does not let us list its soft-deleted
/// objects is planned as if it had none: a restore that meets one then fails, and says so.
pub async fn plan(app: &App, request: &Request) -> Result<RestorePlan> {
    let catalogue = app.catalogue()?;
    let kinds: &[ObjectKind] =
        if app.is_hsm(&request.target) { &[ObjectKind::Key] } else { &ObjectKind::ALL };
    let held = held(app.vault(&request.target)?, kinds).await?;
    let view = catalogue.view(&request.source, request.at).await?;
    let (source, target) = (app.place(&request.source), app.place(&request.target));
    let world = World { source: &source, target: &target, held: &held };
    let mut plan = plan_restore(request, catalogue.lines(&view).await?, &world)?;
    if plan.steps.len() <= CHECKED_UP_TO {
        leave_damaged(app, &mut plan).await?;
    }
    leave_unpurgeable(app.vault(&request.target)?, &mut plan).await?;
    Ok(plan)
}

/// Takes the steps out that need a purge which the identity may not do.
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

/// Takes the steps out whose backup cannot be restored.
async fn leave_damaged(app: &App, plan: &mut RestorePlan) -> Result<()> {
    let source = &plan.request.source;
    let checks: Vec<_> = plan.steps.iter().map(|step| step::checked(app, source, step)).collect();
    let checks: Vec<_> = stream::iter(checks).buffered(AT_ONCE).collect().await;
    let mut damaged = Vec::new();
    for (step, check) in plan.steps.iter().zip(checks) {
        match check {
            Err(Error::Damaged { .. }) => damaged.push(step.id()),
            check => drop(check?),
        }
    }
    plan.leave(&damaged, Reason::Damaged);
    Ok(())
}

/// What a vault holds of these kinds, live and soft-deleted. An HSM knows keys alone.
async fn held(vault: &VaultClient, kinds: &[ObjectKind]) -> Result<BTreeMap<ObjectId, Held>> {
    let mut held = BTreeMap::new();
    for &kind in kinds {
        let deleted = vault.list_deleted(kind);
        pin_mut!(deleted);
        loop {
            match deleted.try_next().await {
                Ok(Some(page)) => {
                    held.extend(
                        page.into_iter().map(|of| (of.id, Held::Deleted { purgeable: of.purgeable })),
                    );
                }
                Ok(None) => break,
                Err(error) if error.fate() == Fate::Retry => return Err(error.into()),
                Err(error) => {
                    warn!("Soft-deleted {kind}s are not known: {error}");
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
