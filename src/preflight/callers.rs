//! Callers that have as many open jobs as are allowed.

use tokio::time::timeout;

use super::{Context, TRY};
use crate::{domain::bound::AtBound, query::callers};

/// Queries the callers that are at their bound. The error says why they are not known.
pub(super) async fn observe(context: &Context<'_>) -> Result<Vec<AtBound>, String> {
    match timeout(TRY, callers::at_bound(context.app)).await {
        Ok(met) => met.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TRY.as_secs())),
    }
}
