//! The state of each HSM and of its backups.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::drills;
use crate::{
    app::App,
    domain::{
        hsm::{Attestation, Copies, HsmBackup, HsmCopy, HsmJob},
        run::RunId,
        second::SecondPass,
        source::{SourceKind, SourceName},
        state::{Ended, History, SourceState},
    },
    error::Result,
};

/// HSMs whose records are read concurrently.
const HSMS_AT_ONCE: usize = 8;

/// A backup of a whole HSM.
#[derive(Clone, Debug)]
pub enum Run {
    /// It has not ended.
    Open(Box<HsmJob>),
    /// It has its record.
    Ended(Box<HsmBackup>),
}

impl Run {
    /// When it was requested.
    pub fn opened(&self) -> OffsetDateTime {
        match self {
            Self::Open(job) => job.opened,
            Self::Ended(backup) => backup.opened,
        }
    }
}

/// Up to `limit` backups of the configured HSMs, or of one of them, newest first.
pub async fn newest(app: &App, only: Option<&SourceName>, limit: usize) -> Result<Vec<Run>> {
    let jobs = open_jobs(app).await?;
    let mut runs = Vec::new();
    for hsm in app.hsms().names().filter(|hsm| only.is_none_or(|only| only == *hsm)) {
        let mut ended = app.catalogue()?.offered_hsm_backups(hsm).await?;
        ended.truncate(limit);
        let open = jobs.iter().filter(|job| job.hsm == *hsm && job.is_backup());
        let open = open.filter(|job| ended.iter().all(|ended| ended.run != job.id));
        runs.extend(open.cloned().map(|job| Run::Open(Box::new(job))));
        runs.extend(ended.into_iter().map(|backup| Run::Ended(Box::new(backup))));
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.opened()));
    runs.truncate(limit);
    Ok(runs)
}

/// The newest backup of each configured HSM, or of one of them, that can be restored and had ended by `at`.
pub async fn newest_good(
    app: &App,
    only: Option<&SourceName>,
    at: Option<OffsetDateTime>,
) -> Result<Vec<HsmBackup>> {
    let mut newest = Vec::new();
    for hsm in app.hsms().names().filter(|hsm| only.is_none_or(|only| only == *hsm)) {
        newest.extend(app.catalogue()?.newest_hsm_backup(hsm, at).await?);
    }
    Ok(newest)
}

/// The record of a backup that has ended.
pub async fn record(app: &App, hsm: &SourceName, run: &RunId) -> Result<Option<HsmBackup>> {
    app.catalogue()?.hsm_backup(hsm, run).await
}

/// A run in every configured HSM that has it.
pub async fn runs(app: &App, run: &RunId) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for hsm in app.hsms().names() {
        runs.extend(one(app, hsm, run).await?);
    }
    Ok(runs)
}

/// A run in one HSM, or `None` when that HSM is not configured or does not have it.
pub async fn one(app: &App, hsm: &SourceName, run: &RunId) -> Result<Option<Run>> {
    if app.hsms().get(hsm).is_err() {
        return Ok(None);
    }
    known(app, hsm, run).await
}

/// A run in one HSM, configured or not, or `None` when it does not have it.
pub async fn known(app: &App, hsm: &SourceName, run: &RunId) -> Result<Option<Run>> {
    // Read open jobs first: a job that ends meanwhile has its record before it is closed.
    let open = match app.jobs_here()? {
        Some(jobs) => jobs.hsm_job(hsm, run).await?.filter(|stored| stored.job.is_backup()),
        None => None,
    };
    if let Some(backup) = app.catalogue()?.hsm_backup(hsm, run).await? {
        return Ok(Some(Run::Ended(Box::new(backup))));
    }
    Ok(open.map(|stored| Run::Open(Box::new(stored.job))))
}

/// The state of an HSM.
#[derive(Debug)]
pub struct HsmState {
    /// What it shares with other sources, and what is wrong with it.
    pub state: SourceState,
    /// The newest backup that can be restored.
    pub good: Option<HsmBackup>,
    /// The newest backup that has ended, well or not.
    pub last: Option<HsmBackup>,
    /// What became of the copies of its backups, the newest backup first.
    pub copies: Vec<HsmCopy>,
    /// When people last recorded that they checked its security domain.
    pub attestation: Option<Attestation>,
    /// Its open jobs, backups and restores.
    pub open: Vec<HsmJob>,
}

/// The state of these HSMs as of `now`.
///
/// # Errors
/// Those of storage. A record that cannot be read is passed over with a log line.
pub async fn all(
    app: &App,
    hsms: impl IntoIterator<Item = SourceName>,
    second: Option<&SecondPass>,
    now: OffsetDateTime,
) -> Result<Vec<HsmState>> {
    let mut hsms = hsms.into_iter().peekable();
    if hsms.peek().is_none() {
        return Ok(Vec::new());
    }
    let jobs: &Vec<HsmJob> = &app.jobs()?.hsm_jobs().await?.into_iter().map(|stored| stored.job).collect();
    let each = hsms.map(|hsm| async move { state(app, &hsm, (jobs, second), now).await });
    stream::iter(each).buffered(HSMS_AT_ONCE).try_collect().await
}

/// The state of an HSM, of whose open jobs `jobs` has all, with what the newest pass over the second place says.
///
/// # Errors
/// As [`all`].
pub async fn state(
    app: &App,
    hsm: &SourceName,
    (jobs, second): (&[HsmJob], Option<&SecondPass>),
    now: OffsetDateTime,
) -> Result<HsmState> {
    let catalogue = app.catalogue()?;
    let (found, verified, copies, attestation, drills) = futures::try_join!(
        catalogue.offered_hsm_backups(hsm),
        catalogue.verified_or_why_not(SourceKind::Hsm, hsm),
        catalogue.hsm_copies(hsm),
        catalogue.last_attestation(hsm, None),
        drills::known(app, SourceKind::Hsm, hsm)
    )?;
    let known = Copies::of(&found, &copies, now);
    // What can be copied from the first place into the second one, and come back from there.
    let is_copied =
        |backup: &&HsmBackup| copies.iter().any(|copy| copy.run == backup.run && copy.is_copied());
    let newest = found.iter().filter(is_copied).map(|backup| backup.opened).max();
    let good = HsmBackup::newest_good(&found, None).cloned();
    let points = HsmBackup::points(&found);
    let history = History::of(found.iter().map(Ended::from), None, now);
    let last = found.into_iter().next();
    let open: Vec<_> = jobs.iter().filter(|job| job.hsm == *hsm).cloned().collect();
    let running = open.iter().filter(|job| job.is_backup()).count();
    let both = (good.as_ref(), last.as_ref());
    let state = SourceState::of_hsm(hsm, both, running, points, &verified, (app.interval(), now));
    let attested = attestation.as_ref().map(|of| of.at);
    let state = SourceState { history, ..state }.with_copies(known).with_attestation(attested, now);
    let state = state.with_second(second, newest, now).with_drills(drills, now);
    Ok(HsmState { state, good, last, copies, attestation, open })
}

/// The open jobs of HSMs.
pub(super) async fn open_jobs(app: &App) -> Result<Vec<HsmJob>> {
    if app.hsms().is_empty() {
        return Ok(Vec::new());
    }
    Ok(app.jobs()?.hsm_jobs().await?.into_iter().map(|stored| stored.job).collect())
}
