//! Carrying out a plan that a caller submits, of a restore into a vault or into a Managed HSM.

use super::start;
use crate::{app::App, begin::Submission, clock::Clock, error::Result, hsm};

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
pub async fn submit(app: &App, submission: &Submission, clock: &Clock) -> Result<Submitted> {
    if app.jobs()?.hsm_plan(&submission.plan).await?.is_some() {
        return Box::pin(hsm::start::restore(app, submission, clock)).await.map(Submitted::Hsm);
    }
    start::start(app, submission, clock).await.map(Submitted::Vault)
}
