//! Errors about things that do not exist, instead of an empty list.

use time::OffsetDateTime;

use super::Failed;
use crate::{
    app::App,
    domain::{restore::Selection, source::Source},
    error::Error,
    query::nothing,
};

/// Refuses a vault that the catalogue does not know. A known vault may have an empty list.
pub(super) async fn refuse_unknown(app: &App, vault: &Source) -> Result<(), Failed> {
    match nothing::unknown(app, vault.name()).await? {
        Some(nothing) => Err(Error::from(nothing).into()),
        None => Ok(()),
    }
}

/// Refuses a name that does not exist, and a time before the first backup. A vault without objects, or without objects
/// of a kind, has an empty list.
pub(super) async fn refuse_unmatched(
    app: &App,
    vault: &Source,
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
