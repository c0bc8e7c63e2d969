//! Retention of backups of whole HSMs: a record in the catalogue, the folder that the service wrote, and the copy of it.

use futures::TryStreamExt as _;
use time::OffsetDateTime;

use super::{
    Planned, SourcePlan,
    applied::Applied,
    deletion::{Placed, bound_until, delete_all, dropped, first_bound, taken},
    policy, reading, standstill,
};
use crate::{
    app::App,
    azure::{container::Version, managed_hsm::FolderName},
    catalogue::{Catalogue, Marked, Marks},
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::{Folder, HsmBackup},
        moment::day,
        retention::{
            Candidate, Decision, Drop, DroppedBlob, Hold, Mark, Policy, Reason, Standstill, Store, Unproved,
            Verdict, agreed, needs_consent, plan,
        },
        run::RunId,
        source::{SourceId, SourceKind, SourceName},
    },
    error::Result,
    hsm::folders::copy_differences,
};

mod second;

use self::second::Second;

const KIND: SourceKind = SourceKind::Hsm;

/// What was read of an HSM.
struct Reading {
    /// The backups that are offered.
    backups: Vec<HsmBackup>,
    /// The backups that were let go and may be offered again.
    hidden: Vec<HsmBackup>,
    /// Whether every record could be read.
    whole: bool,
    candidates: Vec<Candidate>,
    holds: Vec<Hold>,
    decisions: Vec<Decision>,
    standstill: Option<Standstill>,
    marks: Marks,
    second: Option<Second>,
}

/// The plan of an HSM.
pub(super) async fn hsm(
    app: &App,
    hsm: &SourceName,
    policy: Policy,
    now: OffsetDateTime,
) -> Result<SourcePlan> {
    let reading = read(app, hsm, now).await?;
    let (verdicts, drafts) = settle(app, &reading, &policy, now).await?;
    let needs_consent = needs_consent(&verdicts, &reading.decisions, now);
    let frees = drafts.iter().map(|blobs| blobs.iter().map(|blob| blob.bytes).sum()).collect();
    Ok(SourcePlan {
        source: SourceId { kind: KIND, name: hsm.clone() },
        policy,
        standstill: reading.standstill,
        points: Planned::all(reading.candidates, verdicts, frees, needs_consent.is_some()),
        needs_consent,
        pending: reading.marks.pending().map(|(run, _)| run.clone()).collect(),
        strays: None,
        forgotten: Vec::new(),
    })
}

async fn read(app: &App, hsm: &SourceName, now: OffsetDateTime) -> Result<Reading> {
    let catalogue = app.catalogue()?;
    let (marks, stored, holds, decisions, suspects, second) = futures::try_join!(
        catalogue.marks(KIND, hsm),
        catalogue.stored_hsm_backups(hsm),
        reading::holds_of(app, KIND, hsm, now),
        catalogue.decisions(KIND, hsm),
        catalogue.suspects(KIND, hsm),
        Second::of(app, hsm),
    )?;
    let (stored, whole) = stored;
    let hidden = |backup: &HsmBackup| marks.hides(&backup.run) && marks.is_dropped(&backup.run);
    let hidden: Vec<_> = stored.iter().map(|(backup, _)| backup.clone()).filter(hidden).collect();
    let (backups, times): (Vec<_>, Vec<_>) =
        stored.into_iter().filter(|(backup, _)| !marks.hides(&backup.run)).unzip();
    let points = backups.iter().zip(times);
    let candidate = |(backup, stored): (&HsmBackup, Option<OffsetDateTime>)| {
        // In the second place a backup without a copy restores nothing.
        let is_good = second.as_ref().is_none_or(|second| second.copy_of(backup).is_some());
        let is_suspect = suspects.has_folder_of(&backup.run) || !is_good;
        Candidate::of_backup(backup, stored.unwrap_or(now), is_suspect)
    };
    let candidates = points.map(candidate).collect();
    let counted = second.as_ref().map(|second| second.counted(&backups));
    let standstill = standstill::of_hsm(app, hsm, counted.as_ref().unwrap_or(&backups), &decisions, now);
    Ok(Reading { backups, hidden, whole, candidates, holds, decisions, standstill, marks, second })
}

impl Reading {
    /// The verdict on every point by policy, holds and the state of the source alone.
    fn verdicts(&self, policy: &Policy, now: OffsetDateTime) -> Vec<Verdict> {
        let plan = plan(&self.candidates, policy, self.standstill.as_ref(), &self.holds, now);
        match &self.second {
            None => plan,
            Some(second) => agreed(plan, &self.candidates, |run| second.first.swept(run), policy, now),
        }
    }
}

/// The verdicts, and the blobs that go with each point that may go.
///
/// A folder may go only if that of the newest good backup was seen in this pass with the blobs and the size that its
/// record has, and no kept record names the same folder.
async fn settle(
    app: &App,
    reading: &Reading,
    policy: &Policy,
    now: OffsetDateTime,
) -> Result<(Vec<Verdict>, Vec<Vec<DroppedBlob>>)> {
    let mut verdicts = reading.verdicts(policy, now);
    let mut drafts = vec![Vec::new(); verdicts.len()];
    if !verdicts.iter().any(Verdict::drops) {
        return Ok((verdicts, drafts));
    }
    let unseen = newest_unseen(app, reading).await?;
    let kept: Vec<&str> = reading
        .backups
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| !verdict.drops())
        .filter_map(|(backup, _)| Some(backup.folder.as_ref()?.path.as_str()))
        .collect();
    for (at, verdict) in verdicts.iter_mut().enumerate().filter(|(_, verdict)| verdict.drops()) {
        let backup = &reading.backups[at];
        let path = backup.folder.as_ref().map(|folder| folder.path.as_str());
        let why = match (&unseen, path) {
            (_, Some(_)) if !reading.whole => Some(Unproved::Unread(backup.run.clone())),
            (_, Some(path)) if !is_own_folder(backup, path) => Some(Unproved::Unexplained),
            (Some(run), Some(_)) => Some(Unproved::NotSeen(run.clone())),
            (_, Some(path)) if kept.contains(&path) => Some(Unproved::NoNewerGood),
            _ => None,
        };
        match why {
            Some(why) => *verdict = Verdict::Keep(Reason::Blob(why)),
            None => match draft(app, backup, reading.second.is_some(), now).await? {
                Ok(blobs) => drafts[at] = blobs,
                Err(why) => *verdict = Verdict::Keep(Reason::Blob(why)),
            },
        }
    }
    Ok((verdicts, drafts))
}

/// Whether a folder is one that the service names for this HSM. No record may let go what is another one's.
fn is_own_folder(backup: &HsmBackup, path: &str) -> bool {
    FolderName::parse(path).is_some_and(|name| name.hsm() == backup.hsm.as_str())
}

/// The run of the newest good backup, unless its folder is in storage as its record says; in the second place, its copy.
async fn newest_unseen(app: &App, reading: &Reading) -> Result<Option<RunId>> {
    if let Some(second) = &reading.second {
        let counted = second.counted(&reading.backups);
        let Some(newest) = HsmBackup::newest_good(&counted, None) else { return Ok(None) };
        let Some(sum) = second.copy_of(newest) else { return Ok(Some(newest.run.clone())) };
        let items = app.catalogue()?.copied_blobs(newest).await?;
        let differences = copy_differences(app.catalogue()?, newest, sum, items).await?;
        return Ok(differences.is_some().then(|| newest.run.clone()));
    }
    let Some(newest) = HsmBackup::newest_good(&reading.backups, None) else { return Ok(None) };
    let Some(folder) = &newest.folder else { return Ok(Some(newest.run.clone())) };
    let versions = versions(app, folder).await?;
    let is_whole = versions.len() as u64 == u64::from(folder.blobs)
        && versions.iter().all(|version| version.is_current)
        && versions.iter().map(|version| version.bytes).sum::<u64>() == folder.bytes;
    Ok((!is_whole).then(|| newest.run.clone()))
}

async fn versions(app: &App, folder: &Folder) -> Result<Vec<Version>> {
    Ok(app.hsms().container()?.versions(&format!("{}/", folder.path)).try_concat().await?)
}

/// The blobs that go with a backup, those of its folder, which the second place does not have, and of its copy, its record last;
/// or why one of them cannot go. What a pass of copies left unfinished goes too.
async fn draft(
    app: &App,
    backup: &HsmBackup,
    in_second: bool,
    now: OffsetDateTime,
) -> Result<std::result::Result<Vec<DroppedBlob>, Unproved>> {
    let folder = match &backup.folder {
        Some(folder) if !in_second => versions(app, folder).await?,
        _ => Vec::new(),
    };
    let catalogue = app.catalogue()?;
    let copy = catalogue.versions_of_copy(backup).await?;
    let record = catalogue.container().versions_of(&Catalogue::name_of_hsm_backup(backup)).await?;
    let of = |store| move |version| (store, version);
    let ours = copy.into_iter().chain(record).map(of(Store::Backups));
    let stored = folder.into_iter().map(of(Store::HsmBackups)).chain(ours);
    let mut blobs: Vec<DroppedBlob> = Vec::new();
    for (store, version) in stored {
        if let Some(why) = bound_until(&version, now) {
            return Ok(Err(why));
        }
        if blobs.iter().any(|known| known.store == store && known.name == version.name) {
            return Ok(Err(Unproved::Overwritten));
        }
        blobs.push(DroppedBlob { store, ..dropped(&version, None) });
    }
    Ok(Ok(blobs))
}

/// Applies the policy to an HSM.
pub(super) async fn apply(app: &App, source: &SourceId, by: &Actor, clock: &Clock) -> Result<Applied> {
    let (catalogue, hsm) = (app.catalogue()?, &source.name);
    let (policy, mut applied) = (policy(app, hsm)?, Applied::default());
    let reading = read(app, hsm, clock.now()).await?;
    for (run, marked) in reading.marks.pending() {
        sweep(app, hsm, &reading, (run, marked), clock.now(), &mut applied).await?;
    }
    let reading = read(app, hsm, clock.now()).await?;
    let (verdicts, drafts) = settle(app, &reading, &policy, clock.now()).await?;
    applied.needs_consent = needs_consent(&verdicts, &reading.decisions, clock.now());
    if applied.needs_consent.is_some() {
        return Ok(applied);
    }
    for ((point, verdict), blobs) in reading.candidates.iter().zip(&verdicts).zip(&drafts) {
        let Verdict::Drop(why) = verdict else { continue };
        let record = Drop::new(source, point, (why, &policy), by, clock.now());
        taken(catalogue.create_drop(reading.marks.next(&point.run), &record, blobs).await?, &point.run)?;
        applied.dropped.push(point.run.clone());
    }
    if reading.second.is_some() && !applied.dropped.is_empty() {
        let reading = read(app, hsm, clock.now()).await?;
        for (run, marked) in reading.marks.pending() {
            sweep(app, hsm, &reading, (run, marked), clock.now(), &mut applied).await?;
        }
    }
    Ok(applied)
}

/// Deletes a backup that was let go before, or offers it again.
async fn sweep(
    app: &App,
    hsm: &SourceName,
    reading: &Reading,
    (run, marked): (&RunId, Marked),
    now: OffsetDateTime,
    applied: &mut Applied,
) -> Result<()> {
    let catalogue = app.catalogue()?;
    let (record, blobs) = match catalogue.drop_record(KIND, hsm, run, marked.number).await {
        Err(error) if error.is_unreadable() => {
            applied.waiting.push((run.clone(), error.to_string()));
            return Ok(());
        }
        record => record?,
    };
    let until = record.pause_ends(marked.stored);
    if marked.mark == Mark::Dropped && now < until && reading.second.is_none() {
        applied.waiting.push((run.clone(), format!("until {}", day(until))));
        return Ok(());
    }
    let against = match against(app, reading, &record, &blobs).await? {
        None => copied_since(app, reading, run, &blobs).await?,
        against => against,
    };
    let mut number = marked.number;
    if marked.mark == Mark::Dropped {
        let against = match against {
            None => first_bound(&placed(app, &blobs)?, now).await?,
            against => against,
        };
        let next = if against.is_some() { Mark::Reinstated } else { Mark::Sweeping };
        number += 1;
        taken(catalogue.create_mark(KIND, hsm, run, number, next).await?, run)?;
        if let Some(why) = against {
            applied.reinstated.push((run.clone(), why));
            return Ok(());
        }
    } else if let Some(why) = against {
        applied.waiting.push((run.clone(), why));
        return Ok(());
    }
    // A folder of which something stays is deleted no further.
    if let Some(why) = delete_all(&placed(app, &blobs)?, |_| true, now, applied).await? {
        applied.waiting.push((run.clone(), why));
        return Ok(());
    }
    taken(catalogue.create_mark(KIND, hsm, run, number + 1, Mark::Swept).await?, run)?;
    applied.swept.push(run.clone());
    Ok(())
}

/// The blobs with their containers.
fn placed<'a>(app: &'a App, blobs: &'a [DroppedBlob]) -> Result<Vec<Placed<'a>>> {
    let container = |store| match store {
        Store::Backups => Ok(app.catalogue()?.container()),
        Store::HsmBackups => app.hsms().container(),
    };
    blobs.iter().map(|blob| Ok((container(blob.store)?, blob))).collect()
}

/// Why a backup that was let go may not be deleted yet: something of its copy is stored that its record does not name, which would
/// stay for ever. It is offered again, and let go again with all of it.
async fn copied_since(
    app: &App,
    reading: &Reading,
    run: &RunId,
    blobs: &[DroppedBlob],
) -> Result<Option<String>> {
    let Some(backup) = reading.hidden.iter().find(|backup| backup.run == *run) else { return Ok(None) };
    let stored = app.catalogue()?.versions_of_copy(backup).await?;
    let is_named = |name: &str| blobs.iter().any(|blob| blob.store == Store::Backups && blob.name == name);
    let added = stored.into_iter().find(|version| !is_named(&version.name));
    Ok(added.map(|version| format!("{} was copied since", version.name)))
}

/// Why a backup that was let go may not be deleted after all.
async fn against(
    app: &App,
    reading: &Reading,
    record: &Drop,
    blobs: &[DroppedBlob],
) -> Result<Option<String>> {
    if let Some(standstill) = &reading.standstill {
        return Ok(Some(standstill.to_string()));
    }
    let times = [record.named, record.stored];
    if let Some(hold) = reading.holds.iter().find(|hold| hold.holds_point(&record.run, times)) {
        return Ok(Some(format!("hold {}", hold.ticket)));
    }
    let is_of = |folder: &Folder| {
        let prefix = format!("{}/", folder.path);
        blobs.iter().any(|blob| blob.store == Store::HsmBackups && blob.name.starts_with(&prefix))
    };
    if !reading.whole {
        return Ok(Some("a record of the HSM cannot be read, and may have the same folder".to_owned()));
    }
    let others = reading.backups.iter().chain(&reading.hidden).filter(|other| other.run != record.run);
    if others.filter_map(|backup| backup.folder.as_ref()).any(is_of) {
        return Ok(Some("a kept backup has the same folder".to_owned()));
    }
    let unseen = newest_unseen(app, reading).await?;
    Ok(unseen.map(|run| format!("the folder of the newest backup, {run}, was not seen whole in storage")))
}
