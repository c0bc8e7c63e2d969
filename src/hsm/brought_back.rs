//! Where the copies of backups are brought back, and what lies there.

use super::folders::{self, Listed};
use crate::{
    app::App,
    azure::managed_hsm::FolderName,
    catalogue::Catalogue,
    domain::hsm::{Contents, CopyEnd, Folder, HsmBackup, HsmCopy, Inventory},
    error::{Error, Result},
};

/// The folder under which copies are brought back. No search for a night's folder looks into it, no record of a backup
/// names a folder in it, and so neither retention nor verification touches what lies there.
pub const RESTORED: &str = "restored";

/// The path of the folder into which the copy of a backup is brought back. It keeps the name that the HSM gave it.
///
/// # Errors
/// When the record's folder has no name that an HSM gives.
pub fn restored_path(backup: &HsmBackup) -> Result<String> {
    let name = backup.folder.as_ref().and_then(|folder| FolderName::parse(&folder.path));
    let name = name.filter(|name| name.hsm() == backup.hsm.as_str()).ok_or_else(|| {
        Error::Refused(format!("{} has no folder with a name that HSM {} gives", backup.run, backup.hsm))
    })?;
    Ok(format!("{RESTORED}/{name}"))
}

/// The blobs that a copy had when it was recorded.
///
/// # Errors
/// When the record does not say so.
pub async fn recorded(catalogue: &Catalogue, backup: &HsmBackup, copy: &HsmCopy) -> Result<Inventory> {
    let recorded = match &copy.end {
        CopyEnd::Copied { sum, .. } => catalogue.copy_inventory(backup, sum).await?,
        CopyEnd::NotCopied { .. } => None,
    };
    recorded.ok_or_else(|| {
        Error::Refused(format!("the record of the copy of {} does not say which blobs it had", backup.run))
    })
}

/// What lies where the copy of a backup is brought back, compared with the record of the copy. `None` if no copy is on record.
///
/// # Errors
/// Those of storage, and a record that does not say which blobs the copy had.
pub async fn contents(app: &App, backup: &HsmBackup) -> Result<Option<(String, Contents)>> {
    let catalogue = app.catalogue()?;
    let Some(copy) = catalogue.hsm_copy(&backup.hsm, &backup.run).await?.filter(HsmCopy::is_copied) else {
        return Ok(None);
    };
    let (then, path) = (recorded(catalogue, backup, &copy).await?, restored_path(backup)?);
    let recorded = Folder {
        path: path.clone(),
        uri: None,
        time: None,
        blobs: u32::try_from(then.len()).unwrap_or(u32::MAX),
        bytes: then.bytes(),
        written: None,
        sum: Some(then.digest()),
    };
    let Listed { folder, inventory } = folders::listed(&path, folders::items(app, &path).await?);
    let contents = Contents::of(&recorded, Some(&folder));
    let contents = match inventory {
        Some(now) => contents.with_differences(&recorded, &then, &now),
        None => contents,
    };
    Ok(Some((path, contents)))
}
