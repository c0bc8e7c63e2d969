//! `/api/status`: whether everything is well.

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, Problems},
        status::Status,
    },
};
use crate::{app::SharedApp, clock::Clock, query::status};

/// The status of every source.
///
/// The newest success, whether it is overdue, what fails, and what runs.
#[utoipa::path(
    get,
    path = "/status",
    tag = "status",
    operation_id = "getStatus",
    responses((status = 200, description = "`ok` says whether everything is well", body = Status), Problems)
)]
pub async fn status(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Json<Status>, Problem> {
    let status = status::status(&app, Clock::system().now()).await?;
    Ok(Json(status.into()))
}
