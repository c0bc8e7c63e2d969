//! What a command says of something that is not there, in place of an empty list.

use time::OffsetDateTime;

use super::Failed;
use crate::{
    app::App,
    domain::{object::VaultUrl, restore::Selection},
    error::Error,
    query::nothing,
};

/// Refuses a vault of which the catalogue knows nothing. One that is known may have an empty list.
pub(super) async fn refuse_unknown(app: &App, vault: &VaultUrl) -> Result<(), Failed> {
    match nothing::unknown(app, vault.name()).await? {
        Some(nothing) => Err(Error::from(nothing).into()),
        None => Ok(()),
    }
}

/// Refuses a name that is not there, and a time before the first backup. A vault that holds nothing, or nothing of a
/// kind, has an empty list.
pub(super) async fn refuse_unmatched(
    app: &App,
    vault: &VaultUrl,
    at: Option<OffsetDateTime>,
    selection: &Selection,
) -> Result<(), Failed> {
    refuse_unknown(app, vault).await?;
    match nothing::why(app, vault.name(), at, selection).await? {
        Some(nothing) if selection.pattern.is_some() || nothing.is_too_early() => {
            Err(Error::from(nothing).into())
        }
        _ => Ok(()),
    }
}
