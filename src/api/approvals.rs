//! `/api/restores/plan/{digest}`: what a person approves, and the approval.

use axum::{Extension, Json, extract::State};

use super::{
    input::{Nothing, Parameters, Segments, parse},
    restores::PlanQuery,
    shapes::{
        approval::{Approval, KeptPlan},
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    domain::{actor::Actor, digest::Digest},
    restore::approve,
};

/// A plan as it was made, and its approval.
///
/// This is what an approval of its digest is of, whole, or with `limit` in pages. It is not planned anew: whether it is still
/// what would be done shows when it is carried out. Needs the role `Restore.Approver` or `Restore.Operator`.
#[utoipa::path(
    get,
    path = "/restores/plan/{digest}",
    tag = "restores",
    operation_id = "getRestorePlan",
    params(
        ("digest" = String, Path, description = "The plan's digest", pattern = "^[0-9a-f]{64}$"),
        PlanQuery
    ),
    responses((status = 200, description = "The plan", body = KeptPlan), Problems)
)]
pub async fn get(
    State(app): State<SharedApp>,
    Segments(digest): Segments<String>,
    Parameters(query): Parameters<PlanQuery>,
) -> Result<Json<KeptPlan>, Problem> {
    let digest: Digest = parse("digest", &digest)?;
    let kept = approve::find(&app, &digest).await?.ok_or_else(|| unknown(&digest))?;
    let takes = kept.plan.takes(&app);
    Ok(Json(KeptPlan::page(digest, kept, takes, query.page(), Clock::system().now())))
}

/// Approves a plan.
///
/// By a person who neither planned it nor will carry it out, with the role `Restore.Approver`. One restore may begin by it,
/// until `until`. Safe to repeat: while it stands, it stays as it is.
#[utoipa::path(
    post,
    path = "/restores/plan/{digest}/approval",
    tag = "restores",
    operation_id = "approveRestorePlan",
    params(("digest" = String, Path, description = "The plan's digest", pattern = "^[0-9a-f]{64}$")),
    responses((status = 200, description = "The approval", body = Approval), Problems)
)]
pub async fn approve(
    State(app): State<SharedApp>,
    Extension(by): Extension<Actor>,
    Segments(digest): Segments<String>,
    _: Parameters<Nothing>,
) -> Result<Json<Approval>, Problem> {
    let digest: Digest = parse("digest", &digest)?;
    let approval = approve::approve(&app, &digest, &by, &Clock::system()).await?;
    approval.map(|approval| Json((&approval).into())).ok_or_else(|| unknown(&digest))
}

fn unknown(digest: &Digest) -> Problem {
    Problem::new(ProblemKind::UnknownPlan, format!("There is no plan {digest}."))
}
