//! The write-once copies of the backups of Managed HSMs.

use super::{Copied, transfer::Transfer};
use crate::{
    app::App,
    azure::{
        container::{Item, LARGEST_COPY},
        managed_hsm::FolderName,
    },
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        hsm::{
            COPY_FORMAT, Contents, ContentsState, CopyEnd, HsmBackup, HsmCopy, Inventory, NotCopied,
            blobs_to_copy,
        },
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    hsm::folders::{self, Listed},
};

/// Copies every backup that retention keeps and that has no copy yet, the newest first. One that cannot be copied does not hold
/// up the others.
pub(super) async fn all(app: &App, clock: &Clock, copied: &mut Copied) {
    let sources = match app.catalogue() {
        Ok(catalogue) => catalogue.sources().await,
        Err(error) => Err(error),
    };
    match sources {
        Ok(sources) => {
            for of in sources.iter().filter(|of| of.kind == SourceKind::Hsm) {
                if let Err(error) = hsm(app, &of.name, clock, copied).await {
                    failed(copied, &of.name, None, &error);
                }
            }
        }
        Err(error) => {
            tracing::error!(event = "copy.failed", "The backups of HSMs are not copied: {error}");
            copied.failed.push(error.to_string());
        }
    }
}

fn failed(copied: &mut Copied, hsm: &SourceName, backup: Option<&HsmBackup>, error: &Error) {
    let run = backup.map(|backup| backup.run.to_string()).unwrap_or_default();
    tracing::error!(
        event = "copy.failed", source.name = %hsm, source.kind = SourceKind::Hsm.name(), run.id = run,
        "A backup of HSM {hsm} is not copied: {error}"
    );
    copied.failed.push(format!("{hsm}: {error}"));
}

async fn hsm(app: &App, hsm: &SourceName, clock: &Clock, copied: &mut Copied) -> Result<()> {
    let catalogue = app.catalogue()?;
    let (backups, ends) = futures::try_join!(catalogue.offered_hsm_backups(hsm), catalogue.hsm_copies(hsm))?;
    let is_kept = |copy: &&HsmCopy| backups.iter().any(|backup| backup.run == copy.run);
    let lacks = |backup: &&HsmBackup| backup.is_good() && ends.iter().all(|copy| copy.run != backup.run);
    let (mut transfer, mut missing) =
        (None, ends.iter().filter(|copy| !copy.is_copied()).filter(is_kept).count());
    for backup in backups.iter().filter(lacks) {
        let transfer = match &mut transfer {
            Some(transfer) => transfer,
            none => none.insert(Transfer::out(app)?),
        };
        match self::backup(app, transfer, backup, clock).await {
            Ok(copy) => {
                missing += usize::from(!copy.is_copied());
                log(&copy);
                copied.said.push(format!("{hsm}: {}: {}", backup.run, words(&copy)));
            }
            Err(error) => {
                missing += 1;
                failed(copied, hsm, Some(backup), &error);
            }
        }
    }
    tracing::info!(
        event = "copies.ended", source.name = %hsm, source.kind = SourceKind::Hsm.name(), copies.missing = missing,
        "{missing} kept backups of HSM {hsm} have no copy"
    );
    Ok(())
}

fn words(copy: &HsmCopy) -> String {
    match &copy.end {
        CopyEnd::Copied { blobs, bytes, .. } => format!("copied, {blobs} blobs of {bytes} bytes"),
        CopyEnd::NotCopied { why } => format!("not copied: {}", why.text()),
    }
}

fn log(copy: &HsmCopy) {
    let (hsm, run) = (&copy.hsm, &copy.run);
    match &copy.end {
        CopyEnd::Copied { blobs, bytes, .. } => tracing::info!(
            event = "copy.made", source.name = %hsm, source.kind = SourceKind::Hsm.name(), run.id = %run,
            blobs.copied = blobs, bytes.copied = bytes, "Copied {run} of HSM {hsm}"
        ),
        CopyEnd::NotCopied { why } => tracing::error!(
            event = "copy.impossible", source.name = %hsm, source.kind = SourceKind::Hsm.name(), run.id = %run,
            "{run} of HSM {hsm} cannot be copied: {}", why.text()
        ),
    }
}

/// Copies the folder of a backup, compares the copy with it, and then records that it is whole.
///
/// Safe to run twice, and to kill anywhere: a blob is copied whole or not at all, what is there already is compared and stays,
/// and without the record nothing counts as a copy.
///
/// # Errors
/// When the folder is not as the backup left it, when something else lies where the copy goes, and those of storage.
async fn backup(app: &App, transfer: &Transfer, backup: &HsmBackup, clock: &Clock) -> Result<HsmCopy> {
    let catalogue = app.catalogue()?;
    let (items, folder) = match folder(app, backup).await? {
        Ok(folder) => folder,
        Err(why) => return record(catalogue, backup, CopyEnd::NotCopied { why }, None, clock).await,
    };
    let there = copied(catalogue, backup).await?;
    let missing = blobs_to_copy(&folder, &there).map_err(|why| stands_in_the_way(backup, &why))?;
    let into = Catalogue::prefix_of_copy(backup);
    let below = items.blobs.iter().filter_map(|item| Some((item, item.name.strip_prefix(&items.prefix)?)));
    let lacking = below.filter(|(_, name)| missing.iter().any(|missing| missing == name));
    transfer.blobs(lacking.map(|(item, name)| (item, format!("{into}{name}")))).await?;
    let there = if missing.is_empty() { there } else { copied(catalogue, backup).await? };
    let differences = folder.differences(&there, None);
    if !differences.is_empty() {
        return Err(stands_in_the_way(backup, &differences.text()));
    }
    let end = CopyEnd::Copied {
        blobs: u32::try_from(there.len()).unwrap_or(u32::MAX),
        bytes: there.bytes(),
        sum: there.digest(),
    };
    record(catalogue, backup, end, Some(&there), clock).await
}

fn stands_in_the_way(backup: &HsmBackup, why: &str) -> Error {
    let prefix = Catalogue::prefix_of_copy(backup);
    Error::Refused(format!("what lies under {prefix} is not the copy of {}: {why}", backup.run))
}

async fn record(
    catalogue: &Catalogue,
    backup: &HsmBackup,
    end: CopyEnd,
    inventory: Option<&Inventory>,
    clock: &Clock,
) -> Result<HsmCopy> {
    let copy = HsmCopy {
        v: COPY_FORMAT,
        hsm: backup.hsm.clone(),
        run: backup.run.clone(),
        folder: backup.folder.as_ref().map(|folder| folder.path.clone()).unwrap_or_default(),
        at: clock.now(),
        end,
    };
    catalogue.create_hsm_copy(backup, &copy, inventory).await?;
    Ok(copy)
}

/// What there is of a copy.
async fn copied(catalogue: &Catalogue, backup: &HsmBackup) -> Result<Inventory> {
    let items = catalogue.copied_blobs(backup).await?;
    let Listed { folder, inventory } = folders::listed(&Catalogue::prefix_of_copy(backup), items);
    inventory.ok_or_else(|| stands_in_the_way(backup, &format!("there are {} blobs", folder.blobs)))
}

/// The blobs of a folder as storage lists them.
struct Items {
    prefix: String,
    blobs: Vec<Item>,
}

/// The folder that a backup left, if it still is as the backup left it, or why it can never be copied.
async fn folder(app: &App, backup: &HsmBackup) -> Result<std::result::Result<(Items, Inventory), NotCopied>> {
    let Some(recorded) = &backup.folder else {
        return Err(Error::Refused(format!("{} left no folder", backup.run)));
    };
    // No record may have another one's folder copied as its own.
    if FolderName::parse(&recorded.path).is_none_or(|name| name.hsm() != backup.hsm.as_str()) {
        return Err(Error::Refused(format!(
            "{} is not the name of a folder of {}",
            recorded.path, backup.hsm
        )));
    }
    let prefix = format!("{}/", recorded.path);
    let blobs = folders::items(app, &recorded.path).await?;
    if let Some(large) = blobs.iter().find(|item| item.bytes > LARGEST_COPY) {
        let blob = large.name.strip_prefix(&prefix).unwrap_or(&large.name).to_owned();
        return Ok(Err(NotCopied::TooLarge { blob, bytes: large.bytes }));
    }
    let Listed { folder, inventory } = folders::listed(&recorded.path, blobs.clone());
    let Some(now) = inventory else { return Ok(Err(NotCopied::TooMany { blobs: folder.blobs })) };
    let mut contents = Contents::of(recorded, Some(&folder));
    if recorded.sum.is_some()
        && contents.state.is_told_by_blobs()
        && let Some(then) = app.catalogue()?.hsm_inventory(backup).await?
    {
        contents = contents.with_differences(recorded, &then, &now);
    }
    match contents.state {
        ContentsState::AsRecorded | ContentsState::NotRecorded => Ok(Ok((Items { prefix, blobs }, now))),
        _ => Err(Error::Refused(format!("{}: {}", backup.run, contents.text()))),
    }
}
