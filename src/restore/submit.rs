//! Carrying out a plan that a caller submits, of a restore into a vault or into a Managed HSM.

use super::start;
use crate::{
    app::App,
    clock::Clock,
    domain::{actor::Actor, digest::Digest},
    error::Result,
    hsm,
};

/// A plan that a caller submits to be carried out.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The plan, by its digest.
    pub plan: Digest,
    /// The digest of the caller's idempotency key.
    pub key: Option<Digest>,
    /// The name of the HSM whose content is to be replaced.
    pub confirm: Option<String>,
    /// The caller.
    pub by: Actor,
}

/// The result of submitting a plan.
#[derive(Debug)]
pub enum Submitted {
    /// The plan is not one of an HSM.
    Vault(start::Start),
    /// The plan is one of an HSM.
    Hsm(hsm::start::Start),
}

/// Carries out the plan with the submitted digest, if planning again gives the same plan.
///
/// Safe to run twice under one key, as [`start::start`] and [`hsm::start::restore`] say.
pub async fn submit(app: &App, submission: Submission, clock: &Clock) -> Result<Submitted> {
    let Submission { plan, key, confirm, by } = submission;
    if app.jobs()?.hsm_plan(&plan).await?.is_some() {
        let submission = hsm::start::Submission { plan, key, confirm, by };
        return Box::pin(hsm::start::restore(app, &submission, clock)).await.map(Submitted::Hsm);
    }
    let submission = start::Submission { plan, key, by };
    start::start(app, &submission, clock).await.map(Submitted::Vault)
}
