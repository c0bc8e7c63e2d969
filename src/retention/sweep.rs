//! Deleting what went with points that were let go before.

use std::collections::HashSet;

use super::{
    applied::Applied,
    deletion::{Placed, delete_all, first_bound, taken},
    reading::Reading,
    seen::Seen,
};
use crate::{
    azure::container::Container,
    catalogue::{Catalogue, Marked},
    domain::{
        moment::minute,
        object::ObjectId,
        retention::{Drop, DroppedBlob, Kept, Mark, Ruling},
        run::RunId,
        source::SourceKind,
    },
    error::Result,
};

/// A point that was let go, whose pause is over.
struct Due {
    run: RunId,
    marked: Marked,
    record: Drop,
    blobs: Vec<DroppedBlob>,
}

impl Due {
    /// The manifest of the point, by its record.
    fn manifest(&self) -> Option<&DroppedBlob> {
        self.blobs.iter().find(|blob| Catalogue::is_manifest(&blob.name))
    }
}

/// Goes on with every point of a vault that was let go and is not deleted yet.
///
/// Points may share backups, so those that must be offered again come first: what they name is kept before anything of
/// the others is deleted. So is what a point names whose pause is not over, for it may come back.
pub(super) async fn pending(reading: &Reading<'_>, applied: &mut Applied) -> Result<()> {
    if reading.marks.pending().next().is_none() {
        return Ok(());
    }
    let mut kept = reading.name_offered().await?;
    let mut due = due(reading, &mut kept, applied).await?;
    let mut seen = Seen::new(reading.catalogue, reading.vault);
    while let Some((at, why)) = first_against(reading, &due, &kept, &mut seen).await? {
        let back = due.remove(at);
        reinstate(reading, &back, &mut kept).await?;
        applied.reinstated.push((back.run, why));
    }
    for of in &due {
        let judged = judge(reading, &kept, &mut seen, of).await?;
        point(reading, of, &judged, applied).await?;
    }
    Ok(())
}

/// The points whose pause is over. What the others name is added to what is kept.
async fn due(reading: &Reading<'_>, kept: &mut Kept, applied: &mut Applied) -> Result<Vec<Due>> {
    let mut due = Vec::new();
    for (run, marked) in reading.marks.pending() {
        let record =
            reading.catalogue.drop_record(SourceKind::Vault, reading.vault, run, marked.number).await;
        let (record, blobs) = match record {
            Err(error) if error.is_unreadable() => {
                applied.waiting.push((run.clone(), error.to_string()));
                continue;
            }
            record => record?,
        };
        let of = Due { run: run.clone(), marked, record, blobs };
        let until = of.record.pause_ends(marked.stored);
        if marked.mark == Mark::Dropped && reading.now < until && !reading.is_second() {
            if let Some(manifest) = of.manifest() {
                reading.name_hidden(&of.record, &manifest.name, kept).await?;
            }
            applied.waiting.push((of.run, format!("until {}", minute(until))));
        } else {
            due.push(of);
        }
    }
    Ok(due)
}

/// The first point that may not go after all, of those of which nothing is deleted yet.
async fn first_against(
    reading: &Reading<'_>,
    due: &[Due],
    kept: &Kept,
    seen: &mut Seen<'_>,
) -> Result<Option<(usize, String)>> {
    for (at, of) in due.iter().enumerate().filter(|(_, of)| of.marked.mark == Mark::Dropped) {
        let against = match judge(reading, kept, seen, of).await?.against {
            None => {
                let container = reading.catalogue.container();
                let blobs: Vec<Placed<'_>> = of.blobs.iter().map(|blob| (container, blob)).collect();
                first_bound(&blobs, reading.now).await?
            }
            against => against,
        };
        if let Some(why) = against {
            return Ok(Some((at, why)));
        }
    }
    Ok(None)
}

/// Offers a point again. It may be a change of one that goes, so it gets its second copy first.
async fn reinstate(reading: &Reading<'_>, of: &Due, kept: &mut Kept) -> Result<()> {
    if let Some(manifest) = of.manifest() {
        match reading.catalogue.copy_manifest(reading.vault, &manifest.name).await {
            Err(error) if error.is_unreadable() => {}
            copied => copied?,
        }
        reading.name_hidden(&of.record, &manifest.name, kept).await?;
    }
    mark(reading, of, of.marked.number + 1, Mark::Reinstated).await
}

async fn mark(reading: &Reading<'_>, of: &Due, number: u32, mark: Mark) -> Result<()> {
    let (catalogue, kind) = (reading.catalogue, SourceKind::Vault);
    taken(catalogue.create_mark(kind, reading.vault, &of.run, number, mark).await?, &of.run)
}

/// Which blobs of a record may go now.
struct Judged {
    /// The backups that may go.
    backups: HashSet<String>,
    /// Why something may not go after all.
    against: Option<String>,
}

/// Looks again at everything that let the point go.
async fn judge(reading: &Reading<'_>, kept: &Kept, seen: &mut Seen<'_>, of: &Due) -> Result<Judged> {
    let Due { record, blobs, .. } = of;
    let against = |why: String| Judged { backups: HashSet::new(), against: Some(why) };
    if let Some(standstill) = &reading.standstill {
        return Ok(against(standstill.to_string()));
    }
    if let Some(hold) = reading.hold_on(&record.run, [record.named, record.stored]) {
        return Ok(against(format!("hold {hold}")));
    }
    let Some(manifest) = of.manifest() else { return Ok(against("its record names no manifest".to_owned())) };
    match rulings(reading, kept, seen, record, &manifest.name, blobs).await {
        Err(error) if error.is_unreadable() => Ok(against(error.to_string())),
        judged => judged,
    }
}

/// The rulings on the backups of a record, by the lines of its manifest.
async fn rulings(
    reading: &Reading<'_>,
    kept: &Kept,
    seen: &mut Seen<'_>,
    record: &Drop,
    manifest: &str,
    blobs: &[DroppedBlob],
) -> Result<Judged> {
    let mut judged = Judged { backups: HashSet::new(), against: None };
    let recorded: HashSet<&str> = blobs.iter().map(|blob| blob.name.as_str()).collect();
    let mut newer: Vec<(ObjectId, RunId, u64)> = Vec::new();
    for line in reading.lines(manifest).await? {
        let line = line?;
        for (entry, ruling) in kept.judge(&line, record.named, reading.terms()) {
            let name = Catalogue::name_of_backup(reading.vault, &entry.run, &line.id());
            if !recorded.contains(name.as_str()) {
                continue;
            }
            match ruling {
                Ruling::Succeeded(by) => newer.push((line.id(), by.run.clone(), by.bytes)),
                Ruling::LongGone => {}
                Ruling::Named => {
                    judged.against = Some(format!("a kept point has the backup of {}", line.id()));
                }
                Ruling::Stays(why) => {
                    judged.against = Some(format!("has the backup of {}, {why}", line.id()));
                }
            }
            judged.backups.insert(name);
        }
    }
    if let Some((object, run)) = seen.first_unseen(newer).await? {
        judged.against =
            Some(format!("the newer backup of {object}, of {run}, was not seen whole in storage"));
    }
    Ok(judged)
}

/// Deletes a point of which everything may go.
///
/// If something speaks against it after its deletion has begun, it waits: what is left of it is not offered, and stays.
async fn point(reading: &Reading<'_>, of: &Due, judged: &Judged, applied: &mut Applied) -> Result<()> {
    let container = reading.catalogue.container();
    let mut number = of.marked.number;
    if of.marked.mark == Mark::Dropped {
        number += 1;
        mark(reading, of, number, Mark::Sweeping).await?;
    }
    if let Some(why) = &judged.against
        && !is_manifest_gone(container, of).await?
    {
        applied.waiting.push((of.run.clone(), why.clone()));
        return Ok(());
    }
    let going = of.blobs.iter().filter(|blob| goes_with(reading, of, judged, blob));
    let going: Vec<Placed<'_>> = going.map(|blob| (container, blob)).collect();
    // The manifest is the last one: without it nothing could be judged again.
    let waits = delete_all(&going, Catalogue::is_manifest, reading.now, applied).await?;
    if let Some(why) = waits {
        applied.waiting.push((of.run.clone(), why));
        return Ok(());
    }
    mark(reading, of, number + 1, Mark::Swept).await?;
    applied.swept.push(of.run.clone());
    Ok(())
}

/// Whether a blob of a record may be deleted: a backup that was ruled on just now, or what the run left beside it.
fn goes_with(reading: &Reading<'_>, of: &Due, judged: &Judged, blob: &DroppedBlob) -> bool {
    let (vault, run) = (reading.vault, &of.run);
    judged.backups.contains(&blob.name)
        || Catalogue::is_record_of(vault, run, &blob.name)
        || Catalogue::is_manifest_of(vault, run, &blob.name)
}

/// Whether the manifest was deleted before, as the last blob of its point.
async fn is_manifest_gone(container: &Container, of: &Due) -> Result<bool> {
    let Some(manifest) = of.manifest() else { return Ok(false) };
    let versions = container.versions_of(&manifest.name).await?;
    Ok(of.marked.mark == Mark::Sweeping && versions.iter().all(|version| version.id != manifest.version))
}
