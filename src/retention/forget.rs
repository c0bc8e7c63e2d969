//! Forgetting an object on purpose: no backup of it is offered any longer, and each one is deleted as soon as it may be.
//!
//! A person decides, at a terminal, with the rights of their own. The decision is on record before anything is deleted:
//! from then on plans, lists and histories do without the backups, and what a hold or storage keeps goes in a later pass of
//! the keeper. Only backups go. Manifests keep the object's name and the digests of its backups.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use futures::TryStreamExt as _;
use time::{Date, OffsetDateTime};

mod second;

use self::second::arrived;
pub(super) use self::second::left;
pub use self::second::{ForgottenLeft, LeftInSecond, left_in_second};
use super::{
    applied::Applied,
    deletion::{Deleted, delete_version},
    people,
    reading::{self, Reading},
};
use crate::{
    app::App,
    azure::container::Version,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        acknowledged::Reason,
        actor::Actor,
        forgotten::{Forget, Forgotten},
        moment::day,
        object::ObjectId,
        retention::{Act, Hold},
        run::{CLOSES_WITHIN, RunId},
        second::Place,
        source::{SourceId, SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// A stored backup of an object that is to be forgotten, in one version.
#[derive(Clone, Debug)]
pub struct StoredBackup {
    /// The object.
    pub object: ObjectId,
    /// The run that took the backup.
    pub run: RunId,
    /// The version in storage.
    pub version: Version,
    /// Why it cannot be deleted now, if it cannot.
    pub stays: Option<Stays>,
}

/// Why a backup cannot be deleted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// A hold is on it; its ticket.
    Hold(String),
    /// Storage keeps it until this day.
    Until(Date),
    /// A legal hold of the storage is on it.
    LegalHold,
    /// Storage refused to delete it.
    Refused(String),
    /// The decision was not recorded to its end: no night knows of it, and only people can record it.
    Unfinished,
}

impl Stays {
    /// Storage's answer, without the lines about the request that follow it.
    fn refused(answer: &str) -> Self {
        Self::Refused(answer.lines().next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(ticket) => write!(f, "hold {ticket} is on it"),
            Self::Until(day) => write!(f, "storage keeps it until {day}"),
            Self::LegalHold => f.write_str("a legal hold of the storage is on it"),
            Self::Refused(why) => f.write_str(why),
            Self::Unfinished => f.write_str("that was not recorded to its end; run `retention forget` again"),
        }
    }
}

/// Every stored backup of some objects of a vault, or of an HSM whose keys are backed up one by one, as of now. Lists the
/// whole vault; changes nothing.
///
/// # Errors
/// Those of storage, and when an object has no backup: then the names are checked before anything happens.
pub async fn plan(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    now: OffsetDateTime,
) -> Result<Vec<StoredBackup>> {
    find(app, vault, objects, now).await.map(|(backups, _)| backups)
}

/// Every stored backup of some objects, and what was forgotten before.
async fn find(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    now: OffsetDateTime,
) -> Result<(Vec<StoredBackup>, Forgotten)> {
    let catalogue = app.catalogue()?;
    let (backups, forgotten) =
        futures::try_join!(backups(app, vault, objects, now), catalogue.forgotten(vault))?;
    let is_known = |id: &&ObjectId| backups.iter().any(|backup| backup.object == **id);
    let missing = |id: &&ObjectId| !is_known(id) && forgotten.until(id).is_none();
    match objects.iter().find(missing) {
        None => Ok((backups, forgotten)),
        Some(id) => Err(Error::Refused(format!(
            "the catalogue has no backup of {id} of {vault}, so there is nothing to forget; `list objects` shows the names"
        ))),
    }
}

/// Decides to forget some objects, and deletes of their backups what may be deleted now. Safe to run twice, and to kill
/// anywhere: the next call goes on, and once everything is on record the keeper does.
///
/// Returns what there was, each backup with the reason why it stays if it does.
///
/// # Errors
/// Those of [`plan`], and those of storage until everything is on record. After that an error is the reason why a backup
/// stays.
pub async fn forget(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    reason: &Reason,
    (by, clock): (&Actor, &Clock),
) -> Result<Vec<StoredBackup>> {
    let (mut backups, earlier) = find(app, vault, objects, clock.now()).await?;
    let catalogue = app.catalogue()?;
    // Of two clocks the later one: what is seen is forgotten.
    let seen = backups.iter().filter_map(|backup| backup.version.written).max();
    let now = seen.map_or(clock.now(), |seen| seen.max(clock.now()));
    keep_manifests(catalogue, vault, &backups).await?;
    let mut all = Vec::new();
    for id in objects {
        let act = Act::Forget { kind: id.kind, name: id.name.clone() };
        let has_any = backups.iter().any(|backup| backup.object == *id);
        let at = if let Some(at) = earlier.until(id).filter(|_| !has_any) {
            at
        } else {
            let of = SourceId { kind: SourceKind::Vault, name: vault.clone() };
            people::record(app, &of, (act, reason.clone()), by, now).await?.at
        };
        all.push(Forget { kind: id.kind, name: id.name.clone(), at });
    }
    for of in &all {
        catalogue.tell_next_night(vault, of).await?;
    }
    for backup in &mut backups {
        backup.stays = match delete(catalogue, backup, clock.now()).await {
            Ok(stays) => stays,
            Err(error) => Some(Stays::refused(&error.to_string())),
        };
    }
    Ok(backups)
}

/// Stores second copies of the manifests of the runs whose backups go: from these a damaged one can be read again, for
/// which what the run left is no longer enough.
async fn keep_manifests(catalogue: &Catalogue, vault: &SourceName, backups: &[StoredBackup]) -> Result<()> {
    let manifests = catalogue.newest_manifests(vault, |_| false).await?;
    let by_run: HashMap<_, _> = manifests.iter().map(|of| (&of.run, &of.name)).collect();
    let runs: BTreeMap<_, _> =
        backups.iter().filter_map(|backup| by_run.get_key_value(&backup.run)).collect();
    for (run, manifest) in runs {
        match catalogue.copy_manifest(vault, manifest).await {
            Err(error) if error.is_unreadable() => tracing::warn!(
                run.id = %run, "The manifest of {run} has no second copy, because it cannot be read: {error}"
            ),
            written => written?,
        }
    }
    Ok(())
}

/// Why a backup stays, if it does.
async fn delete(catalogue: &Catalogue, backup: &StoredBackup, now: OffsetDateTime) -> Result<Option<Stays>> {
    if backup.stays.is_some() {
        return Ok(backup.stays.clone());
    }
    match delete_version(catalogue.container(), &backup.version, now).await? {
        Deleted::Now | Deleted::Gone => Ok(None),
        Deleted::Stays(why) => Ok(Some(Stays::refused(&why))),
    }
}

/// Goes on with what is to be forgotten of a vault and was kept by a hold or by storage until now.
pub(super) async fn go_on(app: &App, reading: &Reading<'_>, applied: &mut Applied) -> Result<()> {
    let (catalogue, vault, now) = (reading.catalogue, reading.vault, reading.now);
    let open = arrived(app, vault, catalogue.open_forgets(vault, &reading.forgotten).await?, now).await?;
    let objects: Vec<_> = open.iter().map(Forget::id).collect();
    let mut left = backups(app, vault, &objects, now).await?;
    let mut told = BTreeSet::new();
    for of in &open {
        // No night reads the second place.
        if app.config().place == Place::Second || catalogue.is_next_night_told(vault, of).await? {
            told.insert(of.id());
        }
    }
    for backup in std::mem::take(&mut left) {
        if !is_forgotten(catalogue, vault, &backup, &reading.forgotten).await? {
            continue;
        }
        // What no night knows to be forgotten would count as backed up without its bytes. Only people can tell it.
        let deleted = if told.contains(&backup.object) {
            delete(catalogue, &backup, now).await?
        } else {
            Some(Stays::Unfinished)
        };
        match deleted {
            None => {
                applied.blobs += 1;
                applied.bytes += backup.version.bytes;
            }
            Some(why) => {
                let why = format!("its backup of {} is to be forgotten, but {why}", backup.object);
                applied.waiting.push((backup.run.clone(), why));
                left.push(backup);
            }
        }
    }
    for of in open {
        let is_left = left.iter().any(|backup| backup.object == of.id());
        // A run that was open then may have stored a backup since that it had taken before.
        if !is_left && of.at + CLOSES_WITHIN < now {
            catalogue.create_forget_done(vault, &of).await?;
        }
    }
    Ok(())
}

/// Whether a backup was taken by the time of the decision. What storage wrote by then was.
async fn is_forgotten(
    catalogue: &Catalogue,
    vault: &SourceName,
    backup: &StoredBackup,
    forgotten: &Forgotten,
) -> Result<bool> {
    let Some(until) = forgotten.until(&backup.object) else { return Ok(false) };
    if backup.version.written.is_some_and(|written| written <= until) {
        return Ok(true);
    }
    match catalogue.entry(vault, &backup.run, &backup.object).await {
        Err(error) if error.is_unreadable() => Ok(false),
        entry => Ok(entry?.is_some_and(|entry| forgotten.has(&entry))),
    }
}

/// Every stored backup of some objects, each with the reason why it cannot be deleted now.
async fn backups(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    now: OffsetDateTime,
) -> Result<Vec<StoredBackup>> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let catalogue = app.catalogue()?;
    let holds = reading::holds(app, vault, now).await?;
    let mut found = Vec::new();
    let pages = catalogue.container().versions(&Catalogue::prefix_of(vault));
    futures::pin_mut!(pages);
    while let Some(page) = pages.try_next().await? {
        for version in page {
            let Some((run, Some(object))) = Catalogue::run_of(vault, &version.name) else { continue };
            if objects.contains(&object) {
                let stays = stays(&holds, &run, &object, &version, now);
                found.push(StoredBackup { object, run, version, stays });
            }
        }
    }
    found.sort_by(|a, b| (&a.object, &a.run).cmp(&(&b.object, &b.run)));
    Ok(found)
}

/// Why a backup cannot be deleted now, if it cannot.
fn stays(
    holds: &[Hold],
    run: &RunId,
    object: &ObjectId,
    version: &Version,
    now: OffsetDateTime,
) -> Option<Stays> {
    if let Some(hold) = holds.iter().find(|hold| hold.holds_blob(run, Some(object))) {
        return Some(Stays::Hold(hold.ticket.to_string()));
    }
    if version.legal_hold {
        return Some(Stays::LegalHold);
    }
    version.immutable_until.filter(|until| *until > now).map(|until| Stays::Until(day(until)))
}
