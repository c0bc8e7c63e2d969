//! How far the second place is.

use crate::{app::App, domain::second::SecondPass, error::Result};

/// The newest pass over the second place that ended; `None` without one. One that cannot be read says nothing, and the log says so.
///
/// # Errors
/// Those of storage.
pub async fn last_pass(app: &App) -> Result<Option<SecondPass>> {
    match app.catalogue()?.last_second_pass().await {
        Err(error) if error.is_unreadable() => {
            tracing::warn!("How far the second place is, is not known: {error}");
            Ok(None)
        }
        read => read,
    }
}
