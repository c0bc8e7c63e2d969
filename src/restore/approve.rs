//! Approvals of plans by a second person.
//!
//! An approval is of one plan, by its digest, so it is of exactly what the approver read: a plan that has moved has
//! another digest. It is given by a person who neither planned it nor carries it out, ends after a set time, and one
//! restore may use it. The restore's record keeps it, for the steps that the queue asks for later.

use time::OffsetDateTime;

use super::any_plan::Plan;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::{Actor, Via},
        audit::Event,
        digest::Digest,
        restore::{Approval, Barred, Lacking, RestoreId, Unfit},
    },
    error::{Error, Result},
    guard,
    jobs::StoredApproval,
};

/// A plan that is kept, and what is known of its approval.
#[derive(Debug)]
pub struct Kept {
    /// The plan.
    pub plan: Plan,
    /// Whether it needs an approval.
    pub needs_approval: bool,
    /// Everyone who planned it, as far as that is recorded.
    pub planners: Vec<Actor>,
    /// Its last approval, which may have ended or been used.
    pub approval: Option<Approval>,
}

/// The plan of a digest, with its planners and its approval. `None` if there is no such plan.
pub async fn find(app: &App, digest: &Digest) -> Result<Option<Kept>> {
    let Some(plan) = Plan::kept(app, digest).await? else { return Ok(None) };
    let jobs = app.jobs()?;
    let (planners, approval) = futures::try_join!(jobs.planners(digest), jobs.approval(digest))?;
    let (needs_approval, approval) = (needs(app, &plan), approval.map(|stored| stored.approval));
    Ok(Some(Kept { plan, needs_approval, planners, approval }))
}

/// Approves a plan. `None` if there is no such plan. Safe to repeat: while an approval of the same person stands, it stays
/// as it is, and does not hold longer.
///
/// # Errors
/// [`Barred::NotApprovable`], and as the audit trail and storage answer. The approval is on the trail before it counts.
pub async fn approve(app: &App, digest: &Digest, by: &Actor, clock: &Clock) -> Result<Option<Approval>> {
    let Some(Kept { plan, needs_approval, planners, .. }) = find(app, digest).await? else {
        return Ok(None);
    };
    let unfit = if needs_approval { Unfit::of_caller(by, &planners) } else { Some(Unfit::NotNeeded) };
    if let Some(unfit) = unfit {
        return Err(guard::barred(unfit.of(digest), by).into());
    }
    let (jobs, now) = (app.jobs()?, clock.now());
    let before = jobs.approval(digest).await?;
    if let Some(StoredApproval { approval, .. }) = &before
        && approval.stands(now)
        && approval.by.caller() == by.caller()
    {
        return Ok(Some(approval.clone()));
    }
    let approval = Approval::new(*digest, by.clone(), now, app.config().approval_for);
    app.audit()?.append(by, approved(&plan, &approval), now).await?;
    jobs.approve(&approval, before.as_ref()).await?;
    tracing::info!(
        event = "restore.approved", restore.plan = %digest, restore.by = %by,
        "The plan {digest} was approved by {by} until {}", approval.until,
    );
    Ok(Some(approval))
}

fn approved(plan: &Plan, approval: &Approval) -> Event {
    let (source, target) = plan.pair();
    Event::RestoreApproved {
        plan: approval.plan,
        source: source.clone(),
        target: target.clone(),
        until: approval.until,
        decided: approval.at,
    }
}

/// Keeps a plan under its digest, for its actor, who counts as one who planned it.
pub(super) async fn keep(app: &App, plan: &Plan, by: &Actor, clock: &Clock) -> Result<Digest> {
    let digest = plan.store(app).await?;
    record_planner(app, plan, by, clock).await?;
    Ok(digest)
}

/// Records who planned a restore that needs an approval, on the trail first. Safe to repeat: each person is recorded once.
async fn record_planner(app: &App, plan: &Plan, by: &Actor, clock: &Clock) -> Result<()> {
    if by.via != Via::Http || !needs(app, plan) {
        return Ok(());
    }
    let (jobs, digest) = (app.jobs()?, plan.digest());
    if jobs.is_planner(&digest, by).await? {
        return Ok(());
    }
    let (source, target) = plan.pair();
    let (source, target) = (source.clone(), target.clone());
    let event = Event::RestorePlanned { plan: digest, source, target, decided: clock.now() };
    app.audit()?.append(by, event, clock.now()).await?;
    jobs.record_planner(&digest, by).await
}

fn needs(app: &App, plan: &Plan) -> bool {
    let (source, target) = plan.pair();
    guard::needs_approval(app, source, target, plan.into_hsm(app))
}

/// Uses the approval of a plan for a restore, and returns it; `None` for a plan that needs none. Safe to run twice for one
/// restore: of two restores, one gets it.
///
/// # Errors
/// [`Barred::NotApproved`], as storage answers, and [`Error::Busy`] if another request used it at the same moment.
pub async fn take(
    app: &App,
    plan: &Plan,
    by: &Actor,
    restore: &RestoreId,
    now: OffsetDateTime,
) -> Result<Option<Approval>> {
    let Some(stored) = usable(app, plan, by, restore, now).await? else { return Ok(None) };
    let used = Approval { used: Some(restore.clone()), ..stored.approval.clone() };
    if stored.approval != used {
        app.jobs()?.approve(&used, Some(&stored)).await?;
    }
    Ok(Some(used))
}

/// Gives an approval back that a restore took and did not begin by. What cannot be given back has to be approved again.
pub async fn give_back(app: &App, approval: &Approval) {
    let given = async {
        let jobs = app.jobs()?;
        match jobs.approval(&approval.plan).await? {
            Some(stored) if stored.approval == *approval => {
                jobs.approve(&Approval { used: None, ..approval.clone() }, Some(&stored)).await
            }
            _ => Ok(()),
        }
    };
    let given: Result<()> = given.await;
    if let Err(error) = given {
        tracing::warn!(restore.plan = %approval.plan, "An approval was used for nothing: {error}");
    }
}

async fn usable(
    app: &App,
    plan: &Plan,
    by: &Actor,
    restore: &RestoreId,
    now: OffsetDateTime,
) -> Result<Option<StoredApproval>> {
    if by.via != Via::Http || !needs(app, plan) {
        return Ok(None);
    }
    let (jobs, digest) = (app.jobs()?, plan.digest());
    let barred = |barred: Barred| Error::from(guard::barred(barred, by));
    let stored = jobs.approval(&digest).await?.ok_or_else(|| barred(Lacking::Approval.of(&digest)))?;
    stored.approval.lets(&digest, by, restore, now).map_err(barred)?;
    // The approver may have planned it after the approval.
    if jobs.is_planner(&digest, &stored.approval.by).await? {
        return Err(barred(Lacking::Outsider.of(&digest)));
    }
    Ok(Some(stored))
}
