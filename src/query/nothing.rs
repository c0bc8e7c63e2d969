//! Why a selection matches nothing, in words for the caller.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        nearest::Nearest,
        nothing::{Known, Nothing, There, words},
        restore::Selection,
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// Explains why a selection matches nothing in a vault's index; `None` when it does match something.
///
/// # Errors
/// Those of storage, and when the catalogue is damaged.
pub async fn why(
    app: &App,
    vault: &SourceName,
    at: Option<OffsetDateTime>,
    selection: &Selection,
) -> Result<Option<Nothing>> {
    let catalogue = app.catalogue()?;
    let view = catalogue.view(vault, at).await?;
    let Some(there) = There::instead_of(selection, catalogue.lines(&view).await?)? else { return Ok(None) };
    let (known, wanted) = (known(app, vault).await?, words(selection));
    Ok(Some(Nothing { source: source(app, vault), wanted, at, known, there }))
}

/// Refuses a vault that the catalogue does not know. A known vault may have an empty list.
///
/// # Errors
/// [`Error::Nothing`](crate::error::Error::Nothing), which names the vaults that the catalogue knows; and those of storage.
pub async fn refuse_unknown(app: &App, vault: &SourceName) -> Result<()> {
    if app.catalogue()?.knows(vault).await? {
        return Ok(());
    }
    let (source, known) = (source(app, vault), known(app, vault).await?);
    Err(Nothing { source, wanted: String::new(), at: None, known, there: There::default() }.into())
}

/// Refuses an HSM that the catalogue does not know.
///
/// # Errors
/// As [`refuse_unknown`].
pub async fn refuse_unknown_hsm(app: &App, hsm: &SourceName) -> Result<()> {
    if app.catalogue()?.knows_hsm(hsm).await? {
        Ok(())
    } else {
        Err(of_hsm(app, hsm, None, None).await?.into())
    }
}

/// Refuses a list that is empty because no object has the wanted name, because the time is before the first backup, or
/// because the catalogue does not know the vault. A vault without objects, or without objects of a kind, has an empty
/// list.
///
/// # Errors
/// [`Error::Nothing`](crate::error::Error::Nothing), which names what exists; those of storage, and when the catalogue is damaged.
pub async fn refuse_unmatched(
    app: &App,
    vault: &SourceName,
    at: Option<OffsetDateTime>,
    selection: &Selection,
) -> Result<()> {
    refuse_unknown(app, vault).await?;
    match why(app, vault, at, selection).await? {
        Some(nothing) if selection.pattern.is_some() || nothing.is_too_early() => Err(nothing.into()),
        _ => Ok(()),
    }
}

/// Explains that an HSM has no whole backup of a run or as of a time, and names what it does have.
///
/// # Errors
/// Those of storage.
pub async fn of_hsm(
    app: &App,
    hsm: &SourceName,
    run: Option<&RunId>,
    at: Option<OffsetDateTime>,
) -> Result<Nothing> {
    let catalogue = app.catalogue()?;
    let known = match catalogue.hsm_points(hsm).await? {
        Some(points) => Known::Points(points),
        None if catalogue.knows_hsm(hsm).await? => Known::NoPoint,
        None => Known::Not {
            nearest: nearest(hsm.as_str(), catalogue.hsms().await?.into_iter().map(String::from)),
        },
    };
    let wanted = run.map_or_else(String::new, |run| format!("run {run}, among those that succeeded"));
    Ok(Nothing { source: format!("HSM {hsm}"), wanted, at, known, there: There::default() })
}

async fn known(app: &App, vault: &SourceName) -> Result<Known> {
    let catalogue = app.catalogue()?;
    Ok(match catalogue.points(vault).await? {
        Some(points) => Known::Points(points),
        None if catalogue.knows(vault).await? => Known::NoPoint,
        None => Known::Not {
            nearest: nearest(vault.as_str(), catalogue.vaults().await?.into_iter().map(String::from)),
        },
    })
}

fn source(app: &App, name: &SourceName) -> String {
    if app.is_hsm(name) {
        format!("the keys of HSM {name} that are backed up one by one (KEYVAULT_BACKUP_HSM_KEYS)")
    } else {
        format!("vault {name}")
    }
}

/// The known names that are nearest to the wanted one.
pub fn nearest(wanted: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut nearest = Nearest::to([wanted]);
    known.into_iter().for_each(|name| nearest.see(&name, || name.clone()));
    nearest.found()
}
