//! Answers about jobs: as long as a job runs, its answer says when to ask again.

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

/// The answer to a request that began a job or changed one, which is found at `location`: 202 while the job runs, and
/// 200 when it has ended. `wait` is the number of seconds until the next request; `None` for a job that has ended.
pub fn begun(location: &str, body: impl Serialize, wait: Option<u32>) -> Response {
    let mut response = state(body, wait);
    if wait.is_some() {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The answer to a request for the state of a job, with `wait` as for [`begun`].
pub fn state(body: impl Serialize, wait: Option<u32>) -> Response {
    let mut response = Json(body).into_response();
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
