//! Bringing a copy back: a person puts it where an HSM can read it.
//!
//! No app may write where HSMs are backed up. `hsm copy-back` does it with the rights of a person at a terminal, into a
//! folder of its own: see [`restored_path`].

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{hsms::inventory_of, transfer::Transfer};
use crate::{
    app::App,
    azure::{container::Item, managed_hsm::FolderName},
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        hsm::{Contents, CopyEnd, Folder, HsmBackup, HsmCopy, Inventory, blobs_to_copy},
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
    hsm::folders::{self, Listed},
    query::nothing,
};

/// Blobs that are copied at a time.
const AT_ONCE: usize = 4;

/// The folder under which copies are brought back. No search for a night's folder looks into it, no record of a backup
/// names a folder in it, and so neither retention nor verification touches what lies there.
const RESTORED: &str = "restored";

/// A copy that was brought back.
#[derive(Clone, Debug)]
pub struct CopiedBack {
    /// The backup.
    pub backup: HsmBackup,
    /// The path of the folder in the container.
    pub folder: String,
    /// How many blobs it has.
    pub blobs: usize,
    /// Their total size.
    pub bytes: u64,
    /// How many of them were not there before.
    pub added: usize,
}

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

/// Puts the copy of a backup into a folder under `restored/` of the container that HSMs restore from: the copy of a run, or of the
/// newest backup that has one. The copy is compared with its record before, and the folder with the copy after.
///
/// Safe to run twice: what is there already is compared and stays. Each call is on the audit trail.
///
/// # Errors
/// When there is no such copy, when it is not as it was recorded, when something else lies in the folder, and those of storage.
pub async fn bring(
    app: &App,
    hsm: &SourceName,
    run: Option<&RunId>,
    by: &Actor,
    clock: &Clock,
) -> Result<CopiedBack> {
    let catalogue = app.catalogue()?;
    let (backup, copy) = found(app, hsm, run).await?;
    let folder = restored_path(&backup)?;
    if app.hsms().landing()?.prefix().starts_with(&format!("{RESTORED}/")) {
        let text = format!(
            "HSMs are backed up under {RESTORED}/, where copies are brought back; use another folder"
        );
        return Err(Error::Refused(text));
    }
    let (items, inventory) = whole(catalogue, &backup, &copy).await?;
    let there = listed(app, &folder).await?;
    let missing = blobs_to_copy(&inventory, &there).map_err(|why| in_the_way(&folder, &why))?;
    let at = clock.now();
    let event =
        Event::HsmCopyBack { hsm: hsm.clone(), run: backup.run.clone(), folder: folder.clone(), decided: at };
    app.audit()?.append(by, event, at).await?;
    let (transfer, prefix) = (Transfer::back(app)?, Catalogue::prefix_of_copy(&backup));
    let below = |item: &Item| item.name.strip_prefix(&prefix).unwrap_or(&item.name).to_owned();
    let lacking = items.iter().filter(|item| missing.contains(&below(item)));
    let copies: Vec<_> = lacking
        .map(|item| {
            let (transfer, name) = (&transfer, format!("{folder}/{}", below(item)));
            async move { transfer.blob(item, &name).await }
        })
        .collect();
    let () = stream::iter(copies).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await?;
    let differences = inventory.differences(&listed(app, &folder).await?, None);
    if !differences.is_empty() {
        return Err(in_the_way(&folder, &differences.text()));
    }
    let bytes = inventory.blobs().iter().map(|blob| blob.bytes).sum();
    Ok(CopiedBack { backup, folder, blobs: inventory.len(), bytes, added: missing.len() })
}

fn in_the_way(folder: &str, why: &str) -> Error {
    Error::Refused(format!(
        "what lies in {folder} is not the copy: {why}; delete that folder, and run this again"
    ))
}

/// The backup that is meant, and the record of its copy.
async fn found(app: &App, hsm: &SourceName, run: Option<&RunId>) -> Result<(HsmBackup, HsmCopy)> {
    let catalogue = app.catalogue()?;
    let (mut backups, copies) =
        futures::try_join!(catalogue.offered_hsm_backups(hsm), catalogue.hsm_copies(hsm))?;
    backups.retain(|backup| backup.is_good() && run.is_none_or(|run| backup.run == *run));
    if backups.is_empty() {
        return Err(nothing::of_hsm(app, hsm, run, None).await?.into());
    }
    let records: Vec<_> = copies.into_iter().filter(HsmCopy::is_copied).collect();
    backups.retain(|backup| records.iter().any(|copy| copy.run == backup.run));
    let newest = HsmBackup::newest_good(&backups, None).cloned();
    let copy = newest.and_then(|backup| {
        let copy = records.into_iter().find(|copy| copy.run == backup.run)?;
        Some((backup, copy))
    });
    copy.ok_or_else(|| Error::Refused(format!("no copy of that backup of HSM {hsm} is on record")))
}

/// The blobs of a copy, if it is as it was recorded.
async fn whole(catalogue: &Catalogue, backup: &HsmBackup, copy: &HsmCopy) -> Result<(Vec<Item>, Inventory)> {
    let items = catalogue.copied_blobs(backup).await?;
    let recorded = recorded(catalogue, backup, copy).await?;
    let now = inventory_of(backup, items.clone());
    let differences = now.map(|now| recorded.differences(&now, None));
    match differences {
        Some(found) if found.is_empty() => Ok((items, recorded)),
        found => {
            let why = found.map_or_else(|| "it has too many blobs".to_owned(), |found| found.text());
            Err(Error::Refused(format!("the copy of {} is not as it was recorded: {why}", backup.run)))
        }
    }
}

/// The blobs that a copy had when it was recorded.
async fn recorded(catalogue: &Catalogue, backup: &HsmBackup, copy: &HsmCopy) -> Result<Inventory> {
    let recorded = catalogue.copy_inventory(backup).await?;
    let is_of = |inventory: &Inventory| matches!(&copy.end, CopyEnd::Copied { sum, .. } if *sum == inventory.digest());
    recorded.filter(is_of).ok_or_else(|| {
        Error::Refused(format!("the record of the copy of {} does not say which blobs it had", backup.run))
    })
}

async fn listed(app: &App, folder: &str) -> Result<Inventory> {
    let Listed { inventory, .. } = folders::listed(folder, folders::items(app, folder).await?);
    inventory.ok_or_else(|| in_the_way(folder, "it has too many blobs"))
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
        bytes: then.blobs().iter().map(|blob| blob.bytes).sum(),
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
