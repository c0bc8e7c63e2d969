//! `/api/status/preflight`: whether backups and restores can work.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use serde::{Deserialize, Deserializer, de::Error as _};
use strum::VariantNames as _;
use utoipa::IntoParams;

use super::{
    input::{Parameters, known},
    shapes::{
        field::optional,
        named::Named,
        preflight::Preflight,
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    preflight::{self, Scope, findings::Severity, recent::Recent},
};

/// What to check, and what to show of it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PreflightQuery {
    /// Only this vault or Managed HSM, by its name or its URL: connection, rights and backups, not what sources share.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
    /// Only findings of at least this severity. `ok` tells of everything that was checked.
    #[serde(default, deserialize_with = "severity")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^(error|warning|info)$", default = "info")]
    severity: Option<Severity>,
}

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Severity>, D::Error> {
    let expected = |_| D::Error::custom(format!("expected one of {}", Severity::VARIANTS.join(", ")));
    String::deserialize(deserializer)?.parse().map(Some).map_err(expected)
}

/// Checks everything that backups and restores need, with the app's own identity.
///
/// It takes up to a minute, is safe at any time, and writes one small blob a day. For two minutes everyone who asks for the same gets
/// the same result: `now` says when it was made.
#[utoipa::path(
    get,
    path = "/status/preflight",
    tag = "status",
    operation_id = "getPreflight",
    params(PreflightQuery),
    responses((status = 200, description = "`ok` says whether everything is known and nothing needs doing", body = Preflight), Problems)
)]
pub async fn preflight(
    State(app): State<SharedApp>,
    Extension(recent): Extension<Recent>,
    Parameters(query): Parameters<PreflightQuery>,
) -> Result<Json<Preflight>, Problem> {
    let source = query.source.as_ref().map(|named| known(&app, named)).transpose()?;
    let (of, app) = (source.clone(), Arc::clone(&app));
    let check = async move {
        let clock = Clock::system();
        let scope = of.as_ref().map_or(Scope::App, Scope::Source);
        (Box::pin(preflight::check(&app, scope, &clock)).await, clock.now())
    };
    let stopped = |_| Problem::new(ProblemKind::Defect, "The preflight stopped before its end.");
    let made = recent.report(source, check).await.map_err(stopped)?;
    Ok(Json(Preflight::new(&made.report, query.severity.unwrap_or(Severity::Info), made.at)))
}
