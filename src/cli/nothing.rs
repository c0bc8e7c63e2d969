//! What a command says of something that is not there, in place of an empty list.

use time::OffsetDateTime;

use super::Failed;
use crate::{
    app::App,
    domain::{
        object::{ObjectId, VaultUrl},
        restore::Selection,
    },
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

/// Why an object has no backups to list.
pub(super) async fn no_history(app: &App, vault: &VaultUrl, id: ObjectId) -> Result<Failed, Failed> {
    let text = format!("there is no backup of {id} of {vault}; `show` of the newest run says why");
    let selection = Selection { objects: vec![id], ..Selection::default() };
    let nothing = nothing::why(app, vault.name(), None, &selection).await?;
    Ok(nothing.map_or_else(|| Failed::new(text), |nothing| Error::from(nothing).into()))
}
