//! The answers to a caller that submitted a plan.

use axum::response::Response;

use crate::{
    api::{
        running,
        shapes::{
            plan::AnyPlan,
            problem::{Problem, ProblemKind},
            restore::AnyRestore,
        },
    },
    app::App,
    clock::Clock,
    domain::{
        digest::Digest,
        hsm::{HsmObstacle, HsmPlan},
        restore::RestoreId,
        source::{SourceKind, SourceName},
    },
    jobs::Claim,
    query::restores::Restore,
    restore::{any_plan::Plan, follow, submit::Start},
};

/// The answer to a caller that submitted the plan of a digest.
pub(super) async fn begun(app: &App, start: Start, digest: &Digest) -> Result<Response, Problem> {
    match start {
        Start::Started(restore) => Ok(restore_now(app, restore).await),
        Start::Moved(plan) => Err(moved(app, plan)),
        Start::NoPlan => Err(Problem::new(ProblemKind::UnknownPlan, format!("There is no plan {digest}."))),
        Start::Taken(other, target) => Err(taken(&other, target)),
        Start::KeyUsed(claim) => Err(key_used(&claim)),
        Start::Unconfirmed(hsm) => Err(unconfirmed(&hsm, digest)),
        Start::Hopeless(plan, obstacle) => Err(hopeless(app, plan, obstacle)),
    }
}

/// A restore as it is now, with its address. When it cannot be read why objects failed, the answer does not say so.
pub(super) async fn restore_now(app: &App, restore: Restore) -> Response {
    let location = format!("/api/restores/{}", restore.id());
    let failures = match &restore {
        Restore::Vault(job) => follow::failures(app, job).await,
        Restore::Hsm(_) => Ok(Vec::new()),
    };
    let failures = failures.unwrap_or_else(|error| {
        tracing::warn!(restore.id = %restore.id(), "It cannot be read why objects failed: {error}");
        Vec::new()
    });
    let shown = AnyRestore::new(restore, failures);
    let wait = shown.wait(Clock::system().now());
    running::begun(&location, shown, wait)
}

fn moved(app: &App, plan: Plan) -> Problem {
    let target = plan.target();
    let detail =
        format!("The {target} or its backups have changed since the plan was made; nothing was restored.");
    Problem::new(ProblemKind::PlanMoved, detail).with_plan(shown(app, plan))
}

fn shown(app: &App, plan: Plan) -> AnyPlan {
    let takes = plan.takes(app);
    AnyPlan::page(plan.digest(), plan, takes, (None, usize::MAX), Clock::system().now())
}

fn taken(other: &RestoreId, target: SourceKind) -> Problem {
    let detail = format!("Restore {other} is already running on the same {target}.");
    let next = format!("Follow it at /api/restores/{other}; when it has ended, plan again.");
    Problem::new(ProblemKind::TargetTaken, detail).next(next)
}

fn key_used(claim: &Claim) -> Problem {
    let detail = format!("The Idempotency-Key was used for restore {} of another plan.", claim.restore);
    Problem::new(ProblemKind::KeyReused, detail)
}

fn unconfirmed(hsm: &SourceName, plan: &Digest) -> Problem {
    let next = format!("If that is what you want, send {{\"plan\": \"{plan}\", \"confirm\": \"{hsm}\"}}.");
    Problem::new(ProblemKind::ConfirmationNeeded, HsmPlan::REPLACES).next(next)
}

fn hopeless(app: &App, plan: Box<HsmPlan>, obstacle: HsmObstacle) -> Problem {
    let detail = format!("Nothing was restored: {}.", obstacle.text());
    Problem::new(ProblemKind::NotPossible, detail).with_plan(shown(app, Plan::Hsm(plan)))
}
