//! `/api/restores`: plan, start, follow and end restores.

pub mod hsm;

mod answer;

use axum::{Extension, Json, extract::State as AxumState, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    input::{HsmOr, JsonBody, Nothing, Parameters, Segments, known, parse},
    running,
    shapes::{
        field::{Limit, Moment, optional},
        named::Named,
        page::ObjectToken,
        plan::AnyPlan,
        plan_request::{AnyPlanRequest, HsmFields, PlanRequest, StartRequest},
        problem::{BodyProblems, Problem, ProblemKind, Problems, SelectionProblem, TooMany},
        restore::{AnyRestore, AnyRestoreReport, HsmRestoreReport, RestoreReport, Restores},
        state::State,
    },
};
use crate::{
    app::SharedApp,
    begin::Submission,
    clock::Clock,
    domain::{actor::Actor, digest::Digest, object::ObjectId, restore::RestoreId},
    query::restores,
    restore::{
        self,
        abandon::{self, Abandoned},
        follow::{self, Found},
        submit::submit,
    },
};

/// The header whose value makes a request safe to repeat.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The part of a plan's objects to return. The plan of a Managed HSM has no pages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlanQuery {
    /// The maximum number of objects in `steps` and `left` together; all when it is absent.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the objects after those. Keep the request unchanged.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^(certificate|key|secret)/[A-Za-z0-9-]{1,127}$")]
    after: Option<ObjectToken>,
}

impl PlanQuery {
    /// The object after which the page begins, and how many it may have.
    pub(super) fn page(self) -> (Option<ObjectId>, usize) {
        (self.after.map(|ObjectToken(id)| id), self.limit.map_or(usize::MAX, |Limit(limit)| limit))
    }
}

/// Plans a restore. Changes nothing.
///
/// A selection that matches nothing has no plan: the answer is the problem `nothing-selected`, which names what exists.
/// The plan is kept under its digest; `POST /api/restores` carries it out. The whole plan is answered, or, with `limit`,
/// its objects in pages: each page is planned anew, so compare its `digest` with that of the page before.
#[utoipa::path(
    post,
    path = "/restores/plan",
    tag = "restores",
    operation_id = "planRestore",
    params(PlanQuery),
    request_body = AnyPlanRequest,
    responses((status = 200, description = "The plan", body = AnyPlan), SelectionProblem, Problems, BodyProblems)
)]
pub async fn plan(
    AxumState(app): AxumState<SharedApp>,
    Extension(by): Extension<Actor>,
    Parameters(query): Parameters<PlanQuery>,
    request: HsmOr<HsmFields, PlanRequest>,
) -> Result<Json<AnyPlan>, Problem> {
    let request = match request {
        HsmOr::Hsm(request) => return hsm::plan(&app, request, &by).await.map(Json),
        HsmOr::Other(request) => request.request(|named| known(&app, named))?,
    };
    let clock = Clock::system();
    let (digest, plan) = restore::keep::of_vault(&app, &request, &by, &clock).await?;
    let takes = plan.takes(&app);
    Ok(Json(AnyPlan::page(digest, plan, takes, query.page(), clock.now())))
}

/// Carries a plan out.
///
/// The restore is planned again first: if anything has changed since, nothing is done, and the answer is a problem with
/// the new plan. A plan of up to five steps is carried out within the request, if the vault answers in time and is not
/// busy with a name.
/// Where the settings ask for a second person, the plan has to be approved first: `POST /api/restores/plan/{digest}/approval`.
/// A restore that replaces a whole Managed HSM needs the HSM's name in `confirm`. With an `Idempotency-Key` the request
/// can be repeated: every repetition gets the same restore.
#[utoipa::path(
    post,
    path = "/restores",
    tag = "restores",
    operation_id = "startRestore",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters of the caller's choice", min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$")
    ),
    request_body = StartRequest,
    responses(
        (status = 200, description = "The restore has ended", body = AnyRestore, headers(
            ("Location" = String, description = "Where it is")
        )),
        (status = 202, description = "The restore is under way", body = AnyRestore, headers(
            ("Location" = String, description = "Where to follow it"),
            ("Retry-After" = u32, description = "When to query it again, in seconds")
        )),
        SelectionProblem,
        Problems,
        BodyProblems,
        TooMany
    )
)]
pub async fn begin(
    AxumState(app): AxumState<SharedApp>,
    Extension(by): Extension<Actor>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<StartRequest>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers, &by)?;
    let StartRequest { plan, confirm } = request;
    let start = submit(&app, &Submission { plan, key, confirm, by }, &Clock::system()).await?;
    answer::begun(&app, start, &plan).await
}

/// The digest of the caller and its idempotency key: two callers may use the same key for different restores.
fn idempotency_key(headers: &HeaderMap, by: &Actor) -> Result<Option<Digest>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let legal = |text: &&str| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let text = value.to_str().ok().filter(legal);
    let text = text
        .ok_or_else(|| Problem::parameter("Idempotency-Key", "expected 1 to 128 visible ASCII characters"))?;
    let caller = by.caller().unwrap_or_default();
    Ok(Some(Digest::of_fields([caller.as_bytes(), text.as_bytes()])))
}

/// Which restores to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only restores of backups of this source, by its name or its URL.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
    /// Only restores into this vault or Managed HSM, by its name or its URL.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    target: Option<Named>,
    /// Only restores in this state.
    #[serde(default)]
    #[param(inline, nullable = false)]
    state: Option<State>,
    /// Only restores that began at this time or later.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, format = DateTime, example = "2026-11-22T00:00:00Z")]
    since: Option<Moment>,
    /// The maximum number of restores.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the restores after those. Keep the filters unchanged.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false)]
    after: Option<RestoreId>,
}

/// Restores, newest first.
///
/// Of vaults and of Managed HSMs, running and ended, in pages. With filters a page may have fewer restores than `limit`, even
/// none, and `continue` nevertheless: then older restores are still to be searched.
#[utoipa::path(
    get,
    path = "/restores",
    tag = "restores",
    operation_id = "listRestores",
    params(ListQuery),
    responses((status = 200, description = "Restores", body = Restores), Problems)
)]
pub async fn list(
    AxumState(app): AxumState<SharedApp>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Restores>, Problem> {
    let limit = query.limit.unwrap_or(Limit::DEFAULT).0;
    // The source of a restore need not be one of this app.
    let wanted = restores::Wanted {
        source: query.source.map(|named| named.name().clone()),
        target: query.target.as_ref().map(|named| known(&app, named)).transpose()?,
        state: query.state.map(Into::into),
        since: query.since.map(|Moment(since)| since),
    };
    let page = restores::page(&app, &wanted, query.after.as_ref(), limit).await?;
    let restores = page.restores.into_iter().map(Into::into).collect();
    Ok(Json(Restores { restores, after: page.next.map(|id| id.to_string()) }))
}

/// The part of a job's objects to return.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ObjectsQuery {
    /// The maximum number of objects.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the objects after those.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^(certificate|key|secret)/[A-Za-z0-9-]{1,127}$")]
    after: Option<ObjectToken>,
}

impl ObjectsQuery {
    /// The object after which the page begins, and how many it may have.
    pub(super) fn page(self) -> (Option<ObjectId>, usize) {
        let Limit(limit) = self.limit.unwrap_or(Limit::DEFAULT);
        (self.after.map(|ObjectToken(id)| id), limit)
    }
}

/// A restore with the outcome of each object.
///
/// The objects come in pages. While the restore runs, `Retry-After` says when to query it again.
#[utoipa::path(
    get,
    path = "/restores/{id}",
    tag = "restores",
    operation_id = "getRestore",
    params(
        ("id" = String, Path, description = "The restore", pattern = "^[0-9]{8}T[0-9]{6}Z-restore-[0-9a-f]{8}$", example = "20261122T101112Z-restore-0f3a9c41"),
        ObjectsQuery
    ),
    responses((status = 200, description = "The restore", body = AnyRestoreReport, headers(
        ("Retry-After" = u32, description = "When to query it again, in seconds, while it runs")
    )), Problems)
)]
pub async fn get(
    AxumState(app): AxumState<SharedApp>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<ObjectsQuery>,
) -> Result<Response, Problem> {
    let id: RestoreId = parse("id", &id)?;
    let (after, limit) = query.page();
    let report = match follow::find(&app, &id).await? {
        Some(Found::Vault(followed)) => {
            AnyRestoreReport::Vault(Box::new(RestoreReport::new(*followed, after, limit)))
        }
        Some(Found::Hsm(job)) => {
            AnyRestoreReport::Hsm(Box::new(HsmRestoreReport::page(&job, after.as_ref(), limit)))
        }
        None => return Err(unknown(&id)),
    };
    let wait = report.wait(Clock::system().now());
    Ok(running::state(report, wait))
}

/// Ends a restore early.
///
/// Objects that are restored stay, and steps that have not ended count as failed. A request to the vault that is under
/// way is not cancelled: the restore ends, and its vault is free, within about eight minutes. Safe to repeat. A restore
/// of a Managed HSM cannot be ended: the service has no way to cancel one.
#[utoipa::path(
    delete,
    path = "/restores/{id}",
    tag = "restores",
    operation_id = "abandonRestore",
    params(("id" = String, Path, description = "The restore", pattern = "^[0-9]{8}T[0-9]{6}Z-restore-[0-9a-f]{8}$", example = "20261122T101112Z-restore-0f3a9c41")),
    responses(
        (status = 200, description = "The restore has ended", body = AnyRestore, headers(
            ("Location" = String, description = "Where it is")
        )),
        (status = 202, description = "The restore begins no further step and ends soon", body = AnyRestore, headers(
            ("Location" = String, description = "Where to follow it"),
            ("Retry-After" = u32, description = "When to query it again, in seconds")
        )),
        Problems
    )
)]
pub async fn abandon(
    AxumState(app): AxumState<SharedApp>,
    Extension(by): Extension<Actor>,
    Segments(id): Segments<String>,
    _: Parameters<Nothing>,
) -> Result<Response, Problem> {
    let id: RestoreId = parse("id", &id)?;
    match abandon::abandon(&app, &id, &by, &Clock::system()).await? {
        Abandoned::Ended(job) | Abandoned::Stopping(job, _) => {
            Ok(answer::restore_now(&app, restores::Restore::Vault(job)).await)
        }
        Abandoned::OfHsm => {
            let detail = format!("{id} restores a Managed HSM, and the service has no way to cancel that.");
            let next = format!("Follow it at /api/restores/{id}.");
            Err(Problem::new(ProblemKind::NotPossible, detail).next(next))
        }
        Abandoned::Unknown => Err(unknown(&id)),
    }
}

fn unknown(id: &RestoreId) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("There is no restore {id}."))
}
