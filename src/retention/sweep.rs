//! Deleting what went with points that were let go before.

use std::collections::{BTreeMap, HashSet};

use time::OffsetDateTime;

use super::{
    apply::Applied,
    points::{Reading, bound_until},
    seen::Seen,
};
use crate::{
    azure::container::{Container, Version, Written},
    catalogue::{Catalogue, is_unreadable},
    domain::{
        object::ObjectId,
        retention::{Drop, DroppedBlob, Kept, Mark, PAUSE, Ruling},
        run::RunId,
        source::SourceKind,
    },
    error::{Error, Result},
};

/// Goes on with every point of a vault that was let go and is not deleted yet.
pub(super) async fn pending(reading: &Reading<'_>, applied: &mut Applied) -> Result<()> {
    let pending: Vec<_> =
        reading.marks.pending().map(|(run, number, mark)| (run.clone(), number, mark)).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let kept = reading.name_offered().await?;
    let mut seen = Seen::new(reading.catalogue, reading.vault);
    for (run, number, mark) in pending {
        let (record, blobs) =
            reading.catalogue.drop_record(SourceKind::Vault, reading.vault, &run, number).await?;
        if reading.now - record.at < PAUSE {
            applied.waiting.push((run, format!("until {}", minute(record.at + PAUSE))));
            continue;
        }
        let judged = judge(reading, &kept, &mut seen, &record, &blobs).await?;
        point(reading, (&run, number, mark), &blobs, judged, applied).await?;
    }
    Ok(())
}

fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {:02}:{:02}Z", at.date(), at.hour(), at.minute())
}

/// Which blobs of a record may go now.
struct Judged {
    /// The backups that may go.
    backups: HashSet<String>,
    /// Why something may not go after all.
    against: Option<String>,
}

/// Looks again at everything that let the point go.
async fn judge(
    reading: &Reading<'_>,
    kept: &Kept,
    seen: &mut Seen<'_>,
    record: &Drop,
    blobs: &[DroppedBlob],
) -> Result<Judged> {
    let mut judged = Judged { backups: HashSet::new(), against: None };
    if let Some(standstill) = &reading.standstill {
        judged.against = Some(standstill.to_string());
        return Ok(judged);
    }
    if let Some(hold) = reading.hold_on(&record.run, [record.named, record.stored]) {
        judged.against = Some(format!("hold {hold}"));
        return Ok(judged);
    }
    let Some(manifest) = blobs.iter().find(|blob| Catalogue::is_manifest(&blob.name)) else {
        judged.against = Some("its record names no manifest".to_owned());
        return Ok(judged);
    };
    let lines = match reading.catalogue.manifest(&manifest.name).await {
        Ok(lines) => lines,
        Err(error) if is_unreadable(&error) => {
            judged.against = Some("it cannot be read".to_owned());
            return Ok(judged);
        }
        Err(error) => return Err(error),
    };
    let recorded: HashSet<&str> = blobs.iter().map(|blob| blob.name.as_str()).collect();
    let mut newer: Vec<(ObjectId, RunId, u64)> = Vec::new();
    let mut succeeded: BTreeMap<(ObjectId, RunId), Vec<String>> = BTreeMap::new();
    for line in lines {
        let line = line?;
        for (entry, ruling) in kept.judge(&line, record.named, reading.terms()) {
            let name = Catalogue::name_of_backup(reading.vault, &entry.run, &line.id());
            if !recorded.contains(name.as_str()) {
                continue;
            }
            match ruling {
                Ruling::Succeeded(by) => {
                    newer.push((line.id(), by.run.clone(), by.bytes));
                    succeeded.entry((line.id(), by.run.clone())).or_default().push(name);
                }
                Ruling::LongGone => drop(judged.backups.insert(name)),
                Ruling::Named => {
                    judged.against = Some(format!("a kept point has the backup of {}", line.id()))
                }
                Ruling::Stays(why) => {
                    judged.against = Some(format!("has the backup of {}, {why}", line.id()))
                }
            }
        }
    }
    if let Some((object, run)) = seen.first_unseen(newer).await? {
        judged.against =
            Some(format!("the newer backup of {object}, of {run}, was not seen whole in storage"));
    }
    let whole = succeeded.into_iter().filter(|(key, _)| seen.has_seen(key)).flat_map(|(_, names)| names);
    judged.backups.extend(whole);
    Ok(judged)
}

/// Deletes a point, or offers it again.
///
/// Once its deletion has begun, a point cannot be offered again: what may not go any longer stays, and the rest goes.
async fn point(
    reading: &Reading<'_>,
    (run, number, mark): (&RunId, u32, Mark),
    blobs: &[DroppedBlob],
    mut judged: Judged,
    applied: &mut Applied,
) -> Result<()> {
    let (catalogue, kind) = (reading.catalogue, SourceKind::Vault);
    let mut number = number;
    if mark == Mark::Dropped {
        if judged.against.is_none() {
            judged.against = first_bound(catalogue.container(), blobs, reading.now).await?;
        }
        let next = if judged.against.is_some() { Mark::Reinstated } else { Mark::Sweeping };
        number += 1;
        taken(catalogue.create_mark(kind, reading.vault, run, number, next).await?, run)?;
        if let Some(why) = judged.against {
            applied.reinstated.push((run.clone(), why));
            return Ok(());
        }
    }
    let is_backup = |blob: &DroppedBlob| Catalogue::is_backup_of_any(reading.vault, &blob.name);
    let (mut waits, may_go) =
        (None, |blob: &DroppedBlob| !is_backup(blob) || judged.backups.contains(&blob.name));
    for blob in blobs.iter().filter(|blob| may_go(blob)) {
        // The manifest is the last one: without it nothing could be judged again.
        if waits.is_some() && Catalogue::is_manifest(&blob.name) {
            break;
        }
        match delete(catalogue.container(), blob, reading.now).await? {
            Deleted::Gone => {}
            Deleted::Now => {
                applied.blobs += 1;
                applied.bytes += blob.bytes;
            }
            Deleted::Stays(why) => waits = Some(why),
        }
    }
    match waits {
        Some(why) => applied.waiting.push((run.clone(), why)),
        None => {
            taken(catalogue.create_mark(kind, reading.vault, run, number + 1, Mark::Swept).await?, run)?;
            applied.swept.push(run.clone());
        }
    }
    Ok(())
}

/// Refuses to go on beside another pass.
pub(super) fn taken(written: Written, run: &RunId) -> Result<()> {
    match written {
        Written::Created => Ok(()),
        Written::AlreadyThere => Err(Error::Busy(format!("another pass of retention is at work on {run}"))),
    }
}

/// Why storage would refuse to delete one of these blobs.
pub(super) async fn first_bound(
    container: &Container,
    blobs: &[DroppedBlob],
    now: OffsetDateTime,
) -> Result<Option<String>> {
    for blob in blobs {
        for version in container.versions_of(&blob.name).await? {
            if let Some(why) = bound_until(&version, now) {
                return Ok(Some(format!("has {}, {why}", blob.name)));
            }
        }
    }
    Ok(None)
}

/// What became of a blob that was to be deleted.
pub(super) enum Deleted {
    /// It is deleted now.
    Now,
    /// It was gone.
    Gone,
    /// It stays; why.
    Stays(String),
}

/// Deletes a blob in the version that was recorded. One that was written again since stays as it is.
pub(super) async fn delete(
    container: &Container,
    blob: &DroppedBlob,
    now: OffsetDateTime,
) -> Result<Deleted> {
    let versions = container.versions_of(&blob.name).await?;
    let is_recorded = |version: &&Version| match &blob.version {
        Some(_) => version.id == blob.version,
        None => version.etag == blob.etag,
    };
    let Some(version) = versions.iter().find(is_recorded) else { return Ok(Deleted::Gone) };
    if versions.len() > 1 {
        return Ok(Deleted::Stays(format!("{} was written again in storage", blob.name)));
    }
    if let Some(why) = bound_until(version, now) {
        return Ok(Deleted::Stays(format!("{}, {why}", blob.name)));
    }
    container.delete_version(version).await?;
    Ok(Deleted::Now)
}
