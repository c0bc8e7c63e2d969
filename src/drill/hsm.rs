//! The drill of a Managed HSM, by a person at a terminal: a backup of everything, restored into a drill HSM.
//!
//! A full restore wipes its target, so before anything is sent the drill HSM is looked at: it is and was no source, and holds
//! nothing but the marker or what the last drill left. The restore is a job like every restore of an HSM, and whoever follows it
//! ends it; the drill has a record of its own beside it, in which the restore is named once it has begun.
//!
//! Safe to run again after a kill: [`open()`] finds the drill that is under way, and [`restore_of`] its restore, also one that
//! began without having been noted down.

use futures::{TryStreamExt as _, pin_mut};

use crate::{
    app::App,
    azure::error::Meaning,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        drill::{Drill, DrillId, OpenHsmDrill, Point, ServiceCheck, Targets, Why, fit_hsm, is_marker},
        hsm::{ContentsState, CopyEnd, HsmBackup, HsmEnd, HsmJob, HsmPlan, HsmRequest, Task, What},
        moment::minute,
        object::{ObjectKind, ObjectName},
        outcome::Failure,
        restore::RestoreId,
        run::RunId,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    hsm::{
        self,
        check::{self, Checked},
        folders,
    },
    jobs::StoredHsmDrill,
    query::{nothing, restores},
    restore::submit::{Start, submit_agreed},
};

/// Restores that are looked through for one that was not noted down.
const RECENT: usize = 100;

/// What a person is shown before anything is wiped.
#[derive(Debug)]
pub struct Prepared {
    /// The restore.
    pub plan: HsmPlan,
    /// The keys that the drill HSM holds, which the restore wipes.
    pub keys: Vec<ObjectName>,
    /// What the service's own check said.
    pub check: ServiceCheck,
}

/// Looks at the drill HSM and plans its restore. Reads only. `sources` are the HSMs that drill there.
///
/// # Errors
/// When a service refuses. Within: why nothing can be drilled there.
pub async fn prepare(
    app: &App,
    (source, target): (&SourceName, &SourceName),
    run: Option<RunId>,
    sources: &[SourceName],
    clock: &Clock,
) -> Result<Result<Prepared, Why>> {
    if let Some(why) = is_source(app, target).await? {
        return Ok(Err(why));
    }
    let keys = match keys(app, target).await {
        Ok(keys) => keys,
        Err(Error::Service(error)) if matches!(error.meaning, Meaning::Denied | Meaning::Forbidden) => {
            let text =
                format!("the keys of HSM {target} cannot be listed, so it is not known what would be wiped");
            return Ok(Err(Why::new("not-seen", format!("{text}: {}", error.failure.text))));
        }
        Err(error) => return Err(error),
    };
    let last = left_by_last(app, target, sources).await?;
    if let Err(why) = fit_hsm(target, &keys, last.as_deref()) {
        return Ok(Err(why));
    }
    let request = HsmRequest {
        source: source.clone(),
        target: target.clone(),
        run,
        at: None,
        restored: false,
        what: What::All,
    };
    let plan = hsm::plan(app, &request, clock).await?;
    if let Some(obstacle) = plan.obstacle {
        return Ok(Err(Why::new(obstacle.name(), obstacle.text())));
    }
    let check = match &plan.run {
        Some(run) => checked(check::restore(app, target, source, run).await?),
        None => ServiceCheck::NotAsked { why: Why::new("no-run", "the plan names no run") },
    };
    if let ServiceCheck::NotPossible { why } = check {
        return Ok(Err(why));
    }
    Ok(Ok(Prepared { plan, keys, check }))
}

fn checked(of: Checked) -> ServiceCheck {
    match of {
        Checked::Possible => ServiceCheck::Possible,
        Checked::NotPossible(failure) => ServiceCheck::NotPossible { why: failure.into() },
        Checked::CannotBeAsked(failure) => ServiceCheck::NotAsked { why: failure.into() },
    }
}

/// Why an HSM is no place for a drill, whatever it holds: something of it was backed up once. The backups that drills take of it
/// before they wipe it do not count.
async fn is_source(app: &App, hsm: &SourceName) -> Result<Option<Why>> {
    let catalogue = app.catalogue()?;
    let own = catalogue.hsm_backups(hsm, |_| false).await?.into_iter().find(|backup| !backup.run.is_safety());
    if own.is_none() && !catalogue.knows(hsm).await? {
        return Ok(None);
    }
    let text = format!("{hsm} is or was a source, of which the catalogue has backups: it is not wiped");
    Ok(Some(Why::new("is-a-source", text)))
}

/// The names of an HSM's keys, with those that are deleted and not yet purged if these may be listed.
async fn keys(app: &App, hsm: &SourceName) -> Result<Vec<ObjectName>> {
    let client = app.hsms().keys(hsm)?;
    let (pages, deleted) = (client.list(ObjectKind::Key), client.list_deleted(ObjectKind::Key));
    pin_mut!(pages, deleted);
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await? {
        found.extend(page.into_iter().map(|of| of.id.name));
    }
    loop {
        match deleted.try_next().await {
            Ok(Some(page)) => found.extend(page.into_iter().map(|of| of.id.name)),
            Ok(None) => break,
            Err(error) if matches!(error.meaning, Meaning::Denied | Meaning::Forbidden) => break,
            Err(error) => return Err(error.into()),
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The keys that the last drill into an HSM left there, as far as its record says. `None` if there was none.
async fn left_by_last(
    app: &App,
    target: &SourceName,
    sources: &[SourceName],
) -> Result<Option<Vec<ObjectName>>> {
    let catalogue = app.catalogue()?;
    let mut last: Option<(time::OffsetDateTime, SourceName, DrillId)> = None;
    for source in sources {
        let is_into = |of: &crate::domain::drill::DrillSummary| of.target == *target;
        let found =
            catalogue.drills(SourceKind::Hsm, source, None, |found| found.iter().any(is_into)).await?;
        let newest = found.into_iter().find(is_into).map(|of| (of.ended, source.clone(), of.id));
        last = last.max(newest);
    }
    let Some((_, source, id)) = last else { return Ok(None) };
    let record = catalogue.drill(SourceKind::Hsm, &source, &id).await?;
    Ok(record.and_then(|record| record.hsm?.holds))
}

/// The drill that is under way in a drill HSM.
///
/// # Errors
/// Those of storage.
pub async fn open(app: &App, target: &SourceName) -> Result<Option<StoredHsmDrill>> {
    app.jobs()?.hsm_drill_in(target).await
}

/// Puts on record that the drill begins, first on the audit trail.
///
/// # Errors
/// [`Error::Busy`] if another one is under way in the drill HSM, and those of storage.
pub async fn begin(app: &App, of: &Prepared, by: &Actor, clock: &Clock) -> Result<StoredHsmDrill> {
    let (source, target) = (&of.plan.hsm.source, &of.plan.hsm.target);
    let number = number(app, source).await?;
    let about = (of.check.clone(), of.keys.iter().any(is_marker));
    let pair = (source.clone(), target.clone());
    let backup = backup_of(&of.plan).ok_or_else(|| Error::Refused("the plan names no backup".into()))?;
    let begun =
        OpenHsmDrill::begin(pair, backup, about, by.clone(), (number, fastrand::u32(..)), clock.now());
    let event =
        Event::DrillRequested { drill: begun.id.clone(), source: source.clone(), target: target.clone() };
    app.audit()?.append(by, event, begun.started).await?;
    match app.jobs()?.open_hsm_drill(&begun).await? {
        Some(open) if open.of == begun => Ok(open),
        _ => Err(Error::Busy(format!("another drill has begun in HSM {target}"))),
    }
}

fn backup_of(plan: &HsmPlan) -> Option<(Point, String)> {
    let point = Point { run: plan.run.clone()?, taken: plan.taken?, at: None };
    Some((point, plan.folder.clone()?))
}

async fn number(app: &App, source: &SourceName) -> Result<u32> {
    let newest = app.catalogue()?.drills(SourceKind::Hsm, source, None, |found| !found.is_empty()).await?;
    Ok(newest.first().map_or(0, |last| last.number.saturating_add(1)))
}

/// The restore of a drill: the one that is noted down, or one that began without that.
///
/// # Errors
/// Those of storage.
pub async fn restore_of(app: &App, drill: &OpenHsmDrill) -> Result<Option<HsmJob>> {
    if let Some(id) = &drill.restore {
        return restores::of_hsm(app, id).await;
    }
    let is_it = |job: &HsmJob| {
        let of_run = matches!(&job.task, Task::RestoreAll { source, run, .. } if *source == drill.source && run == drill.run());
        of_run && job.hsm == drill.target && job.opened >= drill.started
    };
    Ok(app.jobs()?.hsm_restores(None, RECENT).await?.into_iter().find(is_it))
}

/// Begins the restore of a drill, and notes it down.
///
/// # Errors
/// When another restore holds the drill HSM or the plan has changed since it was shown, and those of storage.
pub async fn restore(
    app: &App,
    mut stored: StoredHsmDrill,
    plan: &HsmPlan,
    clock: &Clock,
) -> Result<StoredHsmDrill> {
    let target = stored.of.target.clone();
    let by = stored.of.by.clone();
    let started = match Box::pin(submit_agreed(app, plan, by, clock)).await? {
        Start::Started(restore) => restore.id(),
        Start::Taken(other, _) => {
            return Err(Error::Busy(format!("restore {other} is running on HSM {target}")));
        }
        _ => {
            let text = format!("what would be restored into HSM {target} has changed since it was shown");
            return Err(Error::Refused(text));
        }
    };
    stored.of.restore = RestoreId::try_from(started).ok();
    app.jobs()?
        .save_hsm_drill(&stored)
        .await?
        .ok_or_else(|| Error::Busy(format!("another process goes on with the drill in HSM {target}")))
}

/// Puts on record what a drill came to whose restore has ended, and what the drill HSM holds since. Safe to run twice.
///
/// # Errors
/// Those of storage; also while the HSM does not answer.
pub async fn close(
    app: &App,
    drill: &OpenHsmDrill,
    end: &HsmEnd,
    targets: Targets,
    clock: &Clock,
) -> Result<Drill> {
    let holds = match keys(app, &drill.target).await {
        Ok(keys) => Ok(keys),
        // The restore has put the source's roles there.
        Err(Error::Service(error)) if matches!(error.meaning, Meaning::Denied | Meaning::Forbidden) => {
            Err(format!("{}: {}", error.failure.code, error.failure.text))
        }
        Err(error) => return Err(error),
    };
    put_on_record(app, drill, drill.came(end, holds, targets, clock.now())).await
}

/// Ends a drill whose restore never began.
///
/// # Errors
/// Those of storage.
pub async fn give_up(app: &App, drill: &OpenHsmDrill, why: &Failure, clock: &Clock) -> Result<Drill> {
    let end =
        HsmEnd { at: clock.now(), verdict: crate::domain::run::Verdict::Failed, failure: Some(why.clone()) };
    close(app, drill, &end, Targets::default(), clock).await
}

async fn put_on_record(app: &App, drill: &OpenHsmDrill, record: Drill) -> Result<Drill> {
    app.catalogue()?.create_drill(&record).await?;
    let kept = app.catalogue()?.drill(SourceKind::Hsm, &drill.source, &drill.id).await?;
    app.jobs()?.close_hsm_drill(drill).await?;
    Ok(kept.unwrap_or(record))
}

/// Looks at what can be proven of a backup of an HSM without a drill HSM, and puts that on record: its folder and its copy as storage
/// lists them, the last verification, and the service's own check against the HSM itself, which changes nothing.
///
/// # Errors
/// When there is no such backup, and those of storage.
pub async fn look(
    app: &App,
    source: &SourceName,
    run: Option<&RunId>,
    by: &Actor,
    clock: &Clock,
) -> Result<Drill> {
    let catalogue = app.catalogue()?;
    let backup = match run {
        Some(run) => catalogue.offered_hsm_backup(source, run).await?.filter(HsmBackup::is_good),
        None => catalogue.newest_hsm_backup(source, None).await?,
    };
    let Some(backup) = backup else { return Err(nothing::of_hsm(app, source, run, None).await?.into()) };
    let (mut proven, mut why) = (Vec::new(), Vec::new());
    match folders::contents(app, &backup).await? {
        Some(contents) if contents.state == ContentsState::AsRecorded => proven.push(contents.text()),
        Some(contents) => why.push(Why::new("folder", contents.text())),
        None => why.push(Why::new("folder", "the record of the backup names no folder")),
    }
    match copy_differs(app, &backup).await? {
        Some(Ok(())) => proven.push("Its write-once copy holds the same blobs.".to_owned()),
        Some(Err(text)) => why.push(Why::new("copy", text)),
        None => {}
    }
    let verified = catalogue.verified_or_why_not(SourceKind::Hsm, source).await?;
    if let Some(at) = verified.at.filter(|_| !verified.suspects.has_folder_of(&backup.run)) {
        proven.push(format!("The verification of {} found nothing wrong with it.", minute(at)));
    }
    let check = checked(check::restore(app, source, source, &backup.run).await?);
    if check == ServiceCheck::Possible {
        proven.push(format!("The service says that HSM {source} itself could be restored from it."));
    }
    let point = Point { run: backup.run.clone(), taken: backup.taken(), at: None };
    let folder = backup.folder.map(|folder| folder.path).unwrap_or_default();
    let number = (number(app, source).await?, fastrand::u32(..));
    let pair = (source.clone(), source.clone());
    let of = OpenHsmDrill::begin(pair, (point, folder), (check, false), by.clone(), number, clock.now());
    let (drill, source, target) = (of.id.clone(), source.clone(), source.clone());
    app.audit()?.append(by, Event::DrillRequested { drill, source, target }, of.started).await?;
    let record = of.looked(proven, why, clock.now());
    catalogue.create_drill(&record).await?;
    Ok(record)
}

/// How the copy of a backup differs from its record; `None` if there is none.
async fn copy_differs(app: &App, backup: &HsmBackup) -> Result<Option<Result<(), String>>> {
    let copies = app.catalogue()?.hsm_copies(&backup.hsm).await?;
    let Some(CopyEnd::Copied { sum, .. }) = copies.iter().find(|of| of.run == backup.run).map(|of| &of.end)
    else {
        return Ok(None);
    };
    let items = app.catalogue()?.copied_blobs(backup).await?;
    let differences = folders::copy_differences(app.catalogue()?, backup, sum, items).await?;
    Ok(Some(differences.map_or(Ok(()), Err)))
}
