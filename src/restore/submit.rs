//! Carrying out a plan that a caller submits, of a restore into a vault or of a Managed HSM.

use super::{approve, guard, start};
use crate::{
    app::App,
    begin::{self, Name, Opened, Submission},
    clock::Clock,
    domain::{
        actor::Actor,
        digest::Digest,
        hsm::{HsmObstacle, HsmPlan},
        restore::{Approval, RestoreId, RestorePlan},
        right::Right,
        source::{SourceKind, SourceName},
    },
    error::Result,
    hsm,
    jobs::{Claim, Turn},
    query::restores::{self, Restore},
};

/// The plan of a restore.
#[derive(Debug)]
pub enum Plan {
    /// Into a vault.
    Vault(Box<RestorePlan>),
    /// Of an HSM.
    Hsm(Box<HsmPlan>),
}

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
    let plan = agreed.again(app, clock).await?;
    if plan.digest() != submitted.plan {
        plan.keep(app, &submitted.by, clock).await?;
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
    let opened = plan.start(app, name, by, approval.clone(), turn, clock).await;
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

impl Plan {
    /// What it restores into, or the whole of.
    pub fn target(&self) -> SourceKind {
        match self {
            Self::Vault(_) => SourceKind::Vault,
            Self::Hsm(_) => SourceKind::Hsm,
        }
    }

    /// The plan that is kept under a digest.
    pub async fn kept(app: &App, digest: &Digest) -> Result<Option<Self>> {
        let jobs = app.jobs()?;
        if let Some(plan) = jobs.hsm_plan(digest).await? {
            return Ok(Some(Self::Hsm(Box::new(plan))));
        }
        Ok(jobs.restore_plan(digest).await?.map(|plan| Self::Vault(Box::new(plan))))
    }

    /// What its request gives now.
    async fn again(&self, app: &App, clock: &Clock) -> Result<Self> {
        Ok(match self {
            Self::Vault(plan) => Self::Vault(Box::new(super::plan(app, &plan.request).await?)),
            Self::Hsm(plan) => Self::Hsm(Box::new(hsm::plan(app, &plan.hsm, clock).await?)),
        })
    }

    /// The source, and the target.
    pub fn pair(&self) -> (&SourceName, &SourceName) {
        match self {
            Self::Vault(plan) => (&plan.request.source, &plan.request.target),
            Self::Hsm(plan) => (&plan.hsm.source, &plan.hsm.target),
        }
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Vault(plan) => plan.digest(),
            Self::Hsm(plan) => plan.digest(),
        }
    }

    /// Keeps it under its digest, for its actor, who counts as one who planned it.
    pub async fn keep(&self, app: &App, by: &Actor, clock: &Clock) -> Result<Digest> {
        let digest = match self {
            Self::Vault(plan) => app.jobs()?.keep_plan(plan).await?,
            Self::Hsm(plan) => app.jobs()?.keep_hsm_plan(plan).await?,
        };
        approve::planned(app, self, by, clock).await?;
        Ok(digest)
    }

    /// Whether it restores into an HSM.
    pub fn into_hsm(&self, app: &App) -> bool {
        matches!(self, Self::Hsm(_)) || app.is_hsm(self.pair().1)
    }

    /// The HSM in which everything is replaced, unless `confirm` names it.
    fn unconfirmed(&self, confirm: Option<&str>) -> Option<&SourceName> {
        match self {
            Self::Hsm(plan) if plan.replaces_everything() => {
                Some(&plan.hsm.target).filter(|hsm| confirm != Some(hsm.as_str()))
            }
            Self::Hsm(_) | Self::Vault(_) => None,
        }
    }

    /// Begins the restore, unless another one holds the target.
    async fn start(
        &self,
        app: &App,
        name: Name,
        by: &Actor,
        approval: Option<Approval>,
        turn: Option<Turn>,
        clock: &Clock,
    ) -> Result<Opened<Restore>> {
        Ok(match self {
            Self::Vault(plan) => {
                let opened = Box::pin(start::start(app, name, plan, by, approval, turn, clock)).await?;
                opened.map(|job| Restore::Vault(Box::new(job)))
            }
            Self::Hsm(plan) => {
                let opened =
                    Box::pin(hsm::start::restore(app, name, plan, by, approval, turn, clock)).await?;
                opened.map(|job| Restore::Hsm(Box::new(job)))
            }
        })
    }
}
