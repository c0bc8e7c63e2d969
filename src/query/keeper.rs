//! Whether retention is applied.

use time::OffsetDateTime;

use crate::{app::App, domain::retention::LastPass, error::Result};

/// Queries when the keeper last applied retention to every source. One request.
///
/// # Errors
/// Those of storage.
pub async fn applied(app: &App, now: OffsetDateTime) -> Result<LastPass> {
    Ok(LastPass::of(app.catalogue()?.last_retention().await?, now))
}
