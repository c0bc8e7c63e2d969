//! Runs, open and closed.

use time::OffsetDateTime;

use crate::{
    app::App,
    catalogue::ManifestRef,
    domain::{
        job::BackupJob,
        manifest::{Line, ObjectStatus, Summary},
        plan::{ListedLate, PlanHeader},
        run::RunId,
        source::SourceName,
    },
    error::Result,
    jobs::Stored,
};

/// A run in one vault, as a listing shows it.
#[derive(Clone, Debug)]
pub enum Run {
    /// It is not closed yet.
    Open(BackupJob),
    /// It has its manifest.
    Closed(SourceName, ManifestRef),
}

impl Run {
    pub(super) fn began(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Open(job) => Some(job.opened),
            Self::Closed(_, found) => {
                found.summary.as_ref().map(|summary| summary.planned).or_else(|| found.run.occurrence())
            }
        }
    }
}

/// Up to `limit` closed runs of a vault, newest first.
pub async fn closed(app: &App, vault: &SourceName, limit: usize) -> Result<Vec<ManifestRef>> {
    app.catalogue()?.manifests(vault, None, |found| found.len() >= limit).await
}

/// Whether a run of a vault was planned, open or not.
pub async fn is_planned(app: &App, vault: &SourceName, run: &RunId) -> Result<bool> {
    Ok(app.catalogue()?.plan(vault, run).await?.is_some())
}

/// The open runs.
pub async fn open_jobs(app: &App) -> Result<Vec<BackupJob>> {
    let job = |stored: Stored| stored.job;
    let Some(jobs) = app.jobs_here()? else { return Ok(Vec::new()) };
    Ok(jobs.backup_runs().await?.into_iter().map(job).collect())
}

/// A run in one vault, in full.
#[derive(Debug)]
pub enum Report {
    /// It is not closed yet.
    Open {
        /// Its record.
        job: BackupJob,
        /// The number of objects that its plan backs up, once it has one.
        planned: Option<usize>,
        /// The kinds that it could list only after planning.
        listed_late: Vec<ListedLate>,
    },
    /// It has its manifest.
    Closed {
        /// The header of its plan.
        header: Box<PlanHeader>,
        /// Its summary.
        summary: Summary,
        /// The requested objects.
        lines: Vec<Line>,
    },
}

/// A run in every configured source that has it, with the objects that failed or disappeared.
///
/// # Errors
/// Those of storage, and when a manifest is damaged.
pub async fn reports(app: &App, run: &RunId) -> Result<Vec<Report>> {
    let jobs = open_jobs(app).await?;
    let mut reports = Vec::new();
    for vault in app.sources() {
        let job = jobs.iter().find(|job| job.vault == *vault && job.run == *run);
        reports.extend(report(app, vault, run, job, is_trouble).await?);
    }
    Ok(reports)
}

/// Whether an object failed or disappeared.
pub fn is_trouble(line: &Line) -> bool {
    matches!(line.status, ObjectStatus::Failed | ObjectStatus::Disappeared)
}

/// A run in one vault, with the objects that are `wanted`; `None` when that vault does not have it. `job` is its
/// record, if it is open.
///
/// # Errors
/// Those of storage, and when a manifest is damaged.
pub async fn report(
    app: &App,
    vault: &SourceName,
    run: &RunId,
    job: Option<&BackupJob>,
    wanted: impl Fn(&Line) -> bool,
) -> Result<Option<Report>> {
    let catalogue = app.catalogue()?;
    if let Some(found) = catalogue.find(vault, run).await? {
        let mut manifest = catalogue.manifest(&found.name).await?;
        let mut lines = Vec::new();
        for line in manifest.by_ref() {
            let line = line?;
            if wanted(&line) {
                lines.push(line);
            }
        }
        let (header, summary) = (manifest.header().clone(), manifest.summary().cloned());
        return Ok(summary.map(|summary| Report::Closed { header: Box::new(header), summary, lines }));
    }
    let Some(job) = job else { return Ok(None) };
    let plan = catalogue.plan(vault, run).await?;
    let planned = plan.as_ref().map(|plan| plan.to_back_up().count());
    let listed_late = plan.map(|plan| plan.header.listed_late).unwrap_or_default();
    Ok(Some(Report::Open { job: job.clone(), planned, listed_late }))
}
