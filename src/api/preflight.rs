//! `/api/status/preflight`: can all of this work?

use axum::{Json, extract::State};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    input::{Nothing, Parameters},
    openapi::Problems,
    problem::Problem,
};
use crate::{
    app::SharedApp,
    clock::Clock,
    preflight,
    preflight::findings::{Check, Finding, Report},
};

/// What a preflight found out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// Whether nothing has to be done: more than the settings could be looked at, nothing is `unknown`, and there is no
    /// finding above `info`.
    ok: bool,
    /// When this was looked up.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// What is not as it should be, the worst first.
    findings: Vec<FindingBody>,
    /// What could not be found out, and why.
    unknown: Vec<CheckBody>,
    /// What is as it should be.
    well: Vec<CheckBody>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingBody {
    /// What is wrong. Stable: programs may compare it. `docs/preflight.md` explains each.
    #[schema(example = "cannot-back-up", pattern = "^[a-z-]+$")]
    name: &'static str,
    /// `error`, `warning` or `info`.
    #[schema(example = "error", pattern = "^(error|warning|info)$")]
    severity: String,
    /// What it is about: a vault, an HSM, a container, a queue, a setting.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was seen.
    seen: String,
    /// Why it matters.
    why: &'static str,
    /// The command that fixes it, with the names of this installation.
    remedy: String,
}

/// Something that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Look)]
pub struct CheckBody {
    /// What it is about.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was asked.
    what: String,
    /// What was seen, or why nothing is known.
    seen: String,
}

/// Tries everything that backups and restores need, with the app's own identity. It takes up to a minute, is safe
/// at any time, and writes one small blob a day.
#[utoipa::path(
    get,
    path = "/api/status/preflight",
    tag = "status",
    operation_id = "getPreflight",
    responses((status = 200, description = "`ok` says whether all is known and nothing has to be done", body = Preflight), Problems)
)]
pub async fn preflight(
    State(app): State<SharedApp>,
    _: Parameters<Nothing>,
) -> Result<Json<Preflight>, Problem> {
    let clock = Clock::system();
    let report = Box::pin(preflight::check(&app, true, &clock)).await;
    let now = clock.now();
    let ok = report.is_well();
    let Report { findings, unknown, well } = report;
    Ok(Json(Preflight {
        ok,
        now,
        findings: findings.into_iter().map(Into::into).collect(),
        unknown: unknown.into_iter().map(Into::into).collect(),
        well: well.into_iter().map(Into::into).collect(),
    }))
}

impl From<Finding> for FindingBody {
    fn from(of: Finding) -> Self {
        let Finding { name, severity, subject, seen, why, remedy } = of;
        Self { name, severity: severity.to_string(), subject, seen, why, remedy }
    }
}

impl From<Check> for CheckBody {
    fn from(Check { subject, what, seen }: Check) -> Self {
        Self { subject, what, seen }
    }
}
