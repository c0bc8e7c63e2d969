//! A plan of a restore, of whatever kind.

use std::time::Duration;

use super::pace;
use crate::{
    app::App,
    domain::{
        digest::Digest,
        hsm::HsmPlan,
        restore::RestorePlan,
        source::{SourceKind, SourceName},
    },
    error::Result,
};

/// The plan of a restore.
#[derive(Debug)]
pub enum Plan {
    /// Into a vault.
    Vault(Box<RestorePlan>),
    /// Of an HSM.
    Hsm(Box<HsmPlan>),
}

impl Plan {
    /// What it restores into, or the whole of.
    pub fn target(&self) -> SourceKind {
        match self {
            Self::Vault(_) => SourceKind::Vault,
            Self::Hsm(_) => SourceKind::Hsm,
        }
    }

    /// How long its steps take at least, at the pace of restores into its target. How long an HSM takes is not known.
    pub fn takes(&self, app: &App) -> Duration {
        match self {
            Self::Vault(plan) => pace::takes(app, plan),
            Self::Hsm(_) => Duration::ZERO,
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

    /// Stores it under its digest.
    pub(super) async fn store(&self, app: &App) -> Result<Digest> {
        match self {
            Self::Vault(plan) => app.jobs()?.keep_plan(plan).await,
            Self::Hsm(plan) => app.jobs()?.keep_hsm_plan(plan).await,
        }
    }

    /// Whether it restores into an HSM.
    pub fn into_hsm(&self, app: &App) -> bool {
        matches!(self, Self::Hsm(_)) || app.is_hsm(self.pair().1)
    }

    /// The HSM in which everything is replaced, unless `confirm` names it.
    pub fn unconfirmed(&self, confirm: Option<&str>) -> Option<&SourceName> {
        match self {
            Self::Hsm(plan) if plan.replaces_everything() => {
                Some(&plan.hsm.target).filter(|hsm| confirm != Some(hsm.as_str()))
            }
            Self::Hsm(_) | Self::Vault(_) => None,
        }
    }
}
