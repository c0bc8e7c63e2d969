//! `/api/status/drills`: what drills came to.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    input::Parameters,
    shapes::{
        drill::DrillList,
        field::optional,
        named::Named,
        problem::{Problem, Problems},
    },
};
use crate::{app::SharedApp, query::drills};

/// The most drills of a source that are listed.
const MOST: usize = 50;

/// Which drills.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DrillsQuery {
    /// Only this vault or Managed HSM, by its name or its URL, configured or not.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
}

/// What the newest drills of every source came to.
///
/// Up to fifty of each source, the newest first.
#[utoipa::path(
    get,
    path = "/status/drills",
    tag = "status",
    operation_id = "getDrills",
    params(DrillsQuery),
    responses((status = 200, description = "The drills that are on record", body = DrillList), Problems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<DrillsQuery>,
) -> Result<Json<DrillList>, Problem> {
    let only = query.source.as_ref().map(Named::name);
    let found = drills::newest(&app, only, MOST).await?;
    Ok(Json(DrillList::new(&found)))
}
