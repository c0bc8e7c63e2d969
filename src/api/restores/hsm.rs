//! Planning restores of Managed HSMs.

use std::time::Duration;

use crate::{
    api::{
        input,
        shapes::{
            named::Named,
            plan::AnyPlan,
            plan_request::HsmFields,
            problem::{Problem, ProblemKind},
        },
    },
    app::App,
    clock::Clock,
    domain::{actor::Actor, source::SourceName},
    restore::keep,
};

/// Plans a restore, and keeps the plan under its digest.
pub(super) async fn plan(app: &App, request: HsmFields, by: &Actor) -> Result<AnyPlan, Problem> {
    let target = |named: &Named| {
        known(app, named.name())?;
        input::known(app, named)
    };
    let request = request.request(target)?;
    let clock = Clock::system();
    let (digest, plan) = keep::of_hsm(app, &request, by, &clock).await?;
    Ok(AnyPlan::page(digest, plan, Duration::ZERO, (None, usize::MAX), clock.now()))
}

/// Refuses an HSM that is not configured.
///
/// # Errors
/// A problem that says how to add one.
pub fn known(app: &App, hsm: &SourceName) -> Result<(), Problem> {
    let unknown = |_| {
        Problem::new(ProblemKind::UnknownSource, format!("{hsm} is not a Managed HSM of this app.")).next(
            "Check the name. To add an HSM, put its URL into the setting KEYVAULT_BACKUP_HSMS and restart the app.",
        )
    };
    app.hsms().get(hsm).map(drop).map_err(unknown)
}
