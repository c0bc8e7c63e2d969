//! `/api/status/preflight`: whether backups and restores can work.

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        preflight::Preflight,
        problem::{Problem, Problems},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    preflight::{self, Scope, findings::Severity},
};

/// Checks everything that backups and restores need, with the app's own identity.
///
/// It takes up to a minute, is safe at any time, and writes one small blob a day.
#[utoipa::path(
    get,
    path = "/status/preflight",
    tag = "status",
    operation_id = "getPreflight",
    responses((status = 200, description = "`ok` says whether everything is known and nothing needs doing", body = Preflight), Problems)
)]
pub async fn preflight(
    State(app): State<SharedApp>,
    _: Parameters<Nothing>,
) -> Result<Json<Preflight>, Problem> {
    let clock = Clock::system();
    let report = Box::pin(preflight::check(&app, Scope::App, &clock)).await;
    Ok(Json(Preflight::new(&report, Severity::Info, clock.now())))
}
