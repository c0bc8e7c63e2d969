//! Carrying out a plan that a caller submits, of a restore into a vault or of a Managed HSM.

use super::{any_plan::Plan, approve, start as vault_start};
use crate::{
    app::App,
    begin::{self, Name, Opened, Submission},
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::{HsmObstacle, HsmPlan},
        restore::{Approval, RestoreId},
        right::Right,
        source::{SourceKind, SourceName},
    },
    error::Result,
    guard, hsm,
    jobs::{Claim, Turn},
    query::restores::{self, Restore},
};

/// The result of submitting a plan.
#[derive(Debug)]
pub enum Start {
    /// The restore is under way, or has ended already.
    Started(Restore),
    /// The same request now gives another plan, which is this one. Nothing was done.
    Moved(Plan),
    /// There is no such plan.
    NoPlan,
    /// Another restore holds the target, which is of this kind.
    Taken(RestoreId, SourceKind),
    /// The idempotency key was used for another plan.
    KeyUsed(Claim),
    /// The plan replaces everything in this HSM, and the caller has not named it as confirmation.
    Unconfirmed(SourceName),
    /// The plan says that nothing can be restored.
    Hopeless(Box<HsmPlan>, HsmObstacle),
}

/// Carries out the plan with the submitted digest, if planning again gives the same plan.
///
/// A plan of a few steps into a vault is carried out before this returns, if the vault answers in time and is not busy.
/// The messages of a longer one are sent by then.
///
/// Safe to run twice under one key: the second caller gets the first one's restore. Without a key a second call is a
/// second restore, which finds every object restored already.
///
/// # Errors
/// As [`guard`] bars it, and as services answer.
pub async fn submit(app: &App, submitted: &Submission, clock: &Clock) -> Result<Start> {
    let jobs = app.jobs()?;
    if let Some(key) = &submitted.key
        && let Some(claim) = jobs.claimed(key).await?
        && let Some(start) = of_claim(app, &claim, submitted).await?
    {
        return Ok(start);
    }
    let Some(agreed) = Plan::kept(app, &submitted.plan).await? else { return Ok(Start::NoPlan) };
    let (source, target) = agreed.pair();
    guard::pair(app, &submitted.by, source, target)?;
    if let Some(hsm) = agreed.unconfirmed(submitted.confirm.as_deref()) {
        return Ok(Start::Unconfirmed(hsm.clone()));
    }
    let plan = again(&agreed, app, clock).await?;
    if plan.digest() != submitted.plan {
        approve::keep(app, &plan, &submitted.by, clock).await?;
        return Ok(Start::Moved(plan));
    }
    if let Plan::Hsm(plan) = &plan
        && let Some(obstacle) = plan.obstacle
    {
        return Ok(Start::Hopeless(plan.clone(), obstacle));
    }
    carry_out(app, &plan, submitted, clock).await
}

/// What a claim of the key says by itself: that the key was used for another plan, or that the restore has begun.
async fn of_claim(app: &App, claim: &Claim, submitted: &Submission) -> Result<Option<Start>> {
    if claim.plan != submitted.plan {
        return Ok(Some(Start::KeyUsed(claim.clone())));
    }
    Ok(restores::one(app, &claim.restore).await?.map(Start::Started))
}

async fn carry_out(app: &App, plan: &Plan, submitted: &Submission, clock: &Clock) -> Result<Start> {
    let by = &submitted.by;
    let turn = begin::may(app, Right::Restore, by).await?;
    let mut name = Name::new(clock);
    if let Some(key) = &submitted.key {
        let own = Claim::new(name.id.clone(), submitted.plan, by);
        let claim = app.jobs()?.claim(key, own.clone()).await?;
        // Another request may have begun it while this one waited for its turn.
        if claim != own
            && let Some(start) = of_claim(app, &claim, submitted).await?
        {
            return Ok(start);
        }
        name = Name::of(claim);
    }
    let approval = approve::take(app, plan, by, &name.id, clock.now()).await?;
    let opened = start(app, plan, name, by, approval.clone(), turn, clock).await;
    let begun = match &opened {
        Ok(opened) => matches!(opened, Opened::Ours(_)),
        Err(error) => !error.leaves_nothing(),
    };
    if let Some(approval) = approval.filter(|_| !begun) {
        approve::give_back(app, &approval).await;
    }
    Ok(match opened? {
        Opened::Ours(restore) => Start::Started(restore),
        Opened::Taken(other) => Start::Taken(other, plan.target()),
    })
}

/// Carries out a plan of an HSM that a person at a terminal has read and agreed to, if it is still what would be
/// planned.
pub async fn submit_agreed(app: &App, plan: &HsmPlan, by: Actor, clock: &Clock) -> Result<Start> {
    let confirm = Some(plan.hsm.target.to_string());
    let submitted = Submission { plan: app.jobs()?.keep_hsm_plan(plan).await?, key: None, confirm, by };
    submit(app, &submitted, clock).await
}

/// What its request gives now.
async fn again(agreed: &Plan, app: &App, clock: &Clock) -> Result<Plan> {
    Ok(match agreed {
        Plan::Vault(plan) => Plan::Vault(Box::new(super::plan(app, &plan.request).await?)),
        Plan::Hsm(plan) => Plan::Hsm(Box::new(hsm::plan(app, &plan.hsm, clock).await?)),
    })
}

/// Begins the restore, unless another one holds the target.
async fn start(
    app: &App,
    plan: &Plan,
    name: Name,
    by: &Actor,
    approval: Option<Approval>,
    turn: Option<Turn>,
    clock: &Clock,
) -> Result<Opened<Restore>> {
    Ok(match plan {
        Plan::Vault(plan) => {
            let opened = Box::pin(vault_start::start(app, name, plan, by, approval, turn, clock)).await?;
            opened.map(|job| Restore::Vault(Box::new(job)))
        }
        Plan::Hsm(plan) => {
            let opened = Box::pin(hsm::start::restore(app, name, plan, by, approval, turn, clock)).await?;
            opened.map(|job| Restore::Hsm(Box::new(job)))
        }
    })
}
