//! `/api/status`: is everything well?

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, Problems},
        source::{HsmStatus, SourceStatus},
        status::{JobsStatus, Status},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    query::{callers, hsms, passes, vaults},
};

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
    let now = Clock::system().now();
    let source = |doing| SourceStatus::new(doing, app.interval(), now);
    let sources: Vec<_> = vaults::all(&app, MOST_FAILING, now).await?.into_iter().map(source).collect();
    let hsm = |doing| HsmStatus::new(doing, app.interval(), now);
    let hsms: Vec<_> = hsms::all(&app).await?.into_iter().map(hsm).collect();
    let jobs: JobsStatus = passes::passes(&app, now).await?.into();
    let at_bound = callers::at_bound(&app).await?.into_iter().map(Into::into).collect();
    Ok(Json(Status {
        // Nothing is said of nothing: an app without a source is not well.
        ok: !jobs.stand_still
            && sources.len() + hsms.len() > 0
            && sources.iter().all(SourceStatus::is_ok)
            && hsms.iter().all(HsmStatus::is_ok),
        now,
        expected_interval_seconds: app.interval().whole_seconds(),
        jobs,
        sources,
        hsms,
        at_bound,
    }))
}
