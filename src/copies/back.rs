//! Bringing a copy back: a person puts it where an HSM can read it.
//!
//! No app may write where HSMs are backed up. `hsm copy-back` does it with the rights of a person at a terminal, into a
//! folder of its own: see [`restored_path`].

use super::transfer::Transfer;
use crate::{
    app::App,
    azure::container::Item,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        hsm::{HsmBackup, HsmCopy, Inventory, blobs_to_copy},
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
    hsm::{
        brought_back::{RESTORED, recorded, restored_path},
        folders::{self, Listed},
    },
    query::nothing,
};

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
    let below = items.iter().filter_map(|item| Some((item, item.name.strip_prefix(&prefix)?)));
    let lacking = below.filter(|(_, name)| missing.iter().any(|missing| missing == name));
    transfer.blobs(lacking.map(|(item, name)| (item, format!("{folder}/{name}")))).await?;
    let differences = inventory.differences(&listed(app, &folder).await?, None);
    if !differences.is_empty() {
        return Err(in_the_way(&folder, &differences.text()));
    }
    let (blobs, bytes) = (inventory.len(), inventory.bytes());
    Ok(CopiedBack { backup, folder, blobs, bytes, added: missing.len() })
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
    let now = folders::listed(&Catalogue::prefix_of_copy(backup), items.clone()).inventory;
    let differences = now.map(|now| recorded.differences(&now, None));
    match differences {
        Some(found) if found.is_empty() => Ok((items, recorded)),
        found => {
            let why = found.map_or_else(|| "it has too many blobs".to_owned(), |found| found.text());
            Err(Error::Refused(format!("the copy of {} is not as it was recorded: {why}", backup.run)))
        }
    }
}

async fn listed(app: &App, folder: &str) -> Result<Inventory> {
    let Listed { inventory, .. } = folders::listed(folder, folders::items(app, folder).await?);
    inventory.ok_or_else(|| in_the_way(folder, "it has too many blobs"))
}
