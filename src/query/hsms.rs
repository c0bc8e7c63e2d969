//! The state of each HSM and of its backups.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        hsm::{HsmBackup, HsmJob},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

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
        let ended = app.catalogue()?.hsm_backups(hsm, |found| found.len() >= limit).await?;
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
    // Read open jobs first: a job that ends meanwhile has its record before it is closed.
    let open = app.jobs()?.hsm_job(hsm, run).await?.filter(|stored| stored.job.is_backup());
    if let Some(backup) = app.catalogue()?.hsm_backup(hsm, run).await? {
        return Ok(Some(Run::Ended(Box::new(backup))));
    }
    Ok(open.map(|stored| Run::Open(Box::new(stored.job))))
}

/// The state of an HSM.
#[derive(Debug)]
pub struct Doing {
    /// The HSM.
    pub hsm: SourceName,
    /// The newest backup that can be restored.
    pub good: Option<HsmBackup>,
    /// The newest backup that has ended, well or not.
    pub last: Option<HsmBackup>,
    /// Its open jobs, backups and restores.
    pub open: Vec<HsmJob>,
}

impl Doing {
    /// Whether the newest good backup is older than `interval`, or there is none.
    pub fn is_overdue(&self, interval: time::Duration, now: OffsetDateTime) -> bool {
        self.good.as_ref().is_none_or(|good| now - good.taken() > interval)
    }

    /// Whether it is not overdue and its last backup ended well.
    pub fn is_ok(&self, interval: time::Duration, now: OffsetDateTime) -> bool {
        !self.is_overdue(interval, now) && self.last.as_ref().is_some_and(HsmBackup::is_good)
    }
}

/// The state of every configured HSM.
pub async fn all(app: &App) -> Result<Vec<Doing>> {
    let jobs = open_jobs(app).await?;
    let mut all = Vec::new();
    for hsm in app.hsms().names() {
        let enough = |found: &[HsmBackup]| HsmBackup::newest_is_among(found, None);
        let found = app.catalogue()?.hsm_backups(hsm, enough).await?;
        let good = HsmBackup::newest_good(&found, None).cloned();
        let last = found.into_iter().next();
        let open = jobs.iter().filter(|job| job.hsm == *hsm).cloned().collect();
        all.push(Doing { hsm: hsm.clone(), good, last, open });
    }
    Ok(all)
}

async fn open_jobs(app: &App) -> Result<Vec<HsmJob>> {
    if app.hsms().is_empty() {
        return Ok(Vec::new());
    }
    Ok(app.jobs()?.hsm_jobs().await?.into_iter().map(|stored| stored.job).collect())
}
