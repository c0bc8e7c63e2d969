//! Whether a keeper applies retention.

use tokio::time::timeout;

use super::{Context, TRY};
use crate::{domain::retention::LastPass, query::keeper};

/// Queries when retention was last applied. The error says why that is not known.
pub(super) async fn observe(context: &Context<'_>) -> Result<LastPass, String> {
    match timeout(TRY, keeper::applied(context.app, context.clock.now())).await {
        Ok(applied) => applied.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TRY.as_secs())),
    }
}
