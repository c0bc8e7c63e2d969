//! Plans for callers of the HTTP API, which are kept under their digests for the one who submits them.

use super::{any_plan::Plan, approve, plan};
use crate::{
    app::App,
    clock::Clock,
    domain::{actor::Actor, digest::Digest, hsm::HsmRequest, restore::Request},
    error::Result,
    guard, hsm,
};

/// Makes the plan of a restore into a vault, and keeps it.
///
/// # Errors
/// As [`plan()`] and [`guard::pair`], and as storage answers.
pub async fn of_vault(app: &App, request: &Request, by: &Actor, clock: &Clock) -> Result<(Digest, Plan)> {
    guard::pair(app, by, &request.source, &request.target)?;
    kept(app, Plan::Vault(Box::new(plan(app, request).await?)), by, clock).await
}

/// Makes the plan of a restore of an HSM, and keeps it.
///
/// # Errors
/// As [`hsm::plan()`] and [`guard::pair`], and as storage answers.
pub async fn of_hsm(app: &App, request: &HsmRequest, by: &Actor, clock: &Clock) -> Result<(Digest, Plan)> {
    guard::pair(app, by, &request.source, &request.target)?;
    kept(app, Plan::Hsm(Box::new(hsm::plan(app, request, clock).await?)), by, clock).await
}

async fn kept(app: &App, plan: Plan, by: &Actor, clock: &Clock) -> Result<(Digest, Plan)> {
    Ok((approve::keep(app, &plan, by, clock).await?, plan))
}
