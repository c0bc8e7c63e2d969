//! Restores of Managed HSMs: planning, and the answers to a submitted plan.

use axum::{
    Json,
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};

use super::LOOK_AGAIN_SECONDS;
use crate::{
    api::shapes::{
        plan::{AnyPlan, HsmPlan},
        plan_request::HsmPlanRequest,
        problem::{Problem, ProblemKind},
        restore::HsmRestore,
    },
    app::App,
    clock::Clock,
    domain::{
        digest::Digest,
        hsm::{self, HsmJob},
        source::SourceName,
    },
    hsm::start::Start,
};

/// Plans a restore, and keeps the plan under its digest.
pub(super) async fn plan(app: &App, request: HsmPlanRequest) -> Result<AnyPlan, Problem> {
    let request = request.request()?;
    known(app, &request.target)?;
    let clock = Clock::system();
    let (digest, plan) = crate::hsm::plan_and_keep(app, &request, &clock).await?;
    Ok(AnyPlan::Hsm(Box::new(HsmPlan::new(digest, &plan, clock.now()))))
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

/// The answer to a caller that submitted the plan of a digest.
pub(super) fn begun(start: Start, digest: &Digest) -> Result<Response, Problem> {
    match start {
        Start::Started(job) => Ok(under_way(&job)),
        Start::Moved(plan) => {
            let detail = "The HSM or its backups have changed since the plan was made; nothing was restored.";
            Err(with_plan(ProblemKind::PlanMoved, detail, &plan))
        }
        Start::NoPlan => Err(no_plan(digest)),
        Start::Taken(other) => {
            let detail = format!("Restore {other} is already running on the same HSM.");
            let next = format!("Follow it at /api/restores/{other}; when it has ended, plan again.");
            Err(Problem::new(ProblemKind::TargetTaken, detail).next(next))
        }
        Start::KeyUsed(claim) => Err(super::key_used(&claim)),
        Start::Unconfirmed(hsm) => {
            let next =
                format!("If that is what you want, send {{\"plan\": \"{digest}\", \"confirm\": \"{hsm}\"}}.");
            Err(Problem::new(ProblemKind::ConfirmationNeeded, hsm::HsmPlan::REPLACES).next(next))
        }
        Start::Hopeless(plan) => {
            let why = plan.obstacle.map_or("nothing in it can be restored", hsm::HsmObstacle::text);
            Err(with_plan(ProblemKind::NotPossible, &format!("Nothing was restored: {why}."), &plan))
        }
    }
}

/// The problem of a digest that names no plan.
pub(super) fn no_plan(digest: &Digest) -> Problem {
    Problem::new(ProblemKind::UnknownPlan, format!("There is no plan {digest}."))
}

fn with_plan(kind: ProblemKind, detail: &str, plan: &hsm::HsmPlan) -> Problem {
    let plan = HsmPlan::new(plan.digest(), plan, Clock::system().now());
    Problem::new(kind, detail).with_plan(AnyPlan::Hsm(Box::new(plan)))
}

fn under_way(job: &HsmJob) -> Response {
    let shown = Json(HsmRestore::from(job));
    if job.ended.is_some() {
        return shown.into_response();
    }
    let location = format!("/api/restores/{}", job.id);
    let headers = [(LOCATION, location), (RETRY_AFTER, LOOK_AGAIN_SECONDS.to_string())];
    (StatusCode::ACCEPTED, headers, shown).into_response()
}
