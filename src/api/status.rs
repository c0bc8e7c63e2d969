//! `/api/status`: whether everything is well.

use axum::{
    Json,
    extract::State,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, Problems},
        retention::RetentionPlan,
        status::Status,
    },
};
use crate::{app::SharedApp, clock::Clock, query::status, retention, tell};

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

/// The status as numbers, in the text form of OpenMetrics.
///
/// They are computed from what is stored when they are requested. A number that is not known has no sample. Timestamps are
/// seconds since 1970.
#[utoipa::path(
    get,
    path = "/status/metrics",
    tag = "status",
    operation_id = "getMetrics",
    responses(
        (status = 200, description = "The numbers of every source", content((String = "application/openmetrics-text"))),
        Problems
    )
)]
pub async fn metrics(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Response, Problem> {
    let status = status::status(&app, Clock::system().now()).await?;
    let text = tell::metrics::metrics(&status);
    Ok(([(CONTENT_TYPE, tell::metrics::MEDIA_TYPE)], text).into_response())
}

/// The status as one page to look at.
///
/// It is self-contained: no scripts, and nothing from elsewhere. Send the key or the token in a header.
#[utoipa::path(
    get,
    path = "/status/page",
    tag = "status",
    operation_id = "getStatusPage",
    responses(
        (status = 200, description = "Whether everything is well, and if not, what first", content((String = "text/html"))),
        Problems
    )
)]
pub async fn page(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Response, Problem> {
    let seen = tell::read(&app, Clock::system().now()).await?;
    let policy = tell::page::POLICY.as_str();
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, tell::page::page(&seen)).into_response())
}

/// The plan of retention: what is kept and what may go, with reasons.
///
/// Reads only. Only the keeper deletes, and only after the drop of a point was on record for two days.
#[utoipa::path(
    get,
    path = "/status/retention",
    tag = "status",
    operation_id = "getRetention",
    responses((status = 200, description = "A verdict on every recovery point", body = RetentionPlan), Problems)
)]
pub async fn retention(
    State(app): State<SharedApp>,
    _: Parameters<Nothing>,
) -> Result<Json<RetentionPlan>, Problem> {
    let plans = retention::all(&app, Clock::system().now()).await?;
    Ok(Json(RetentionPlan::new(&plans)))
}
