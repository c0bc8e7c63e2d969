//! `/api/status`: is everything well?

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, Problems},
        status::Status,
    },
};
use crate::{app::SharedApp, clock::Clock, query::status};

/// The most failing objects of a source that are named.
const MOST_FAILING: usize = 100;

/// How every source is: newest success, overdue or not, what fails, what runs.
#[utoipa::path(
    get,
    path = "/status",
    tag = "status",
    operation_id = "getStatus",
    responses((status = 200, description = "`ok` says whether it is well", body = Status), Problems)
)]
pub async fn status(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Json<Status>, Problem> {
    let status = status::status(&app, MOST_FAILING, Clock::system().now()).await?;
    Ok(Json(status.into()))
}
