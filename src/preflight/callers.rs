//! Callers that have as many open jobs as they may have.

use tokio::time::timeout;

use super::{Look, TRY};
use crate::{domain::bound::AtBound, look::callers};

/// Looks at who has opened what is open. The error says why that is not known.
pub(super) async fn look(look: &Look<'_>) -> Result<Vec<AtBound>, String> {
    match timeout(TRY, callers::at_bound(look.app)).await {
        Ok(met) => met.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TRY.as_secs())),
    }
}
