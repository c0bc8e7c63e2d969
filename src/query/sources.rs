//! Runs of every source: of vaults, and of whole Managed HSMs.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::{SOURCES_AT_ONCE, hsms, runs};
use crate::{
    app::App,
    domain::{job::BackupJob, manifest::Line, run::RunId, source::SourceName},
    error::Result,
};

/// A run, as a listing shows it.
#[derive(Clone, Debug)]
pub enum Run {
    /// Of a vault, or of the single keys of an HSM.
    Objects(Box<runs::Run>),
    /// Of a whole HSM.
    Hsm(hsms::Run),
}

impl Run {
    pub(super) fn began(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Objects(run) => run.began(),
            Self::Hsm(run) => Some(run.opened()),
        }
    }
}

/// A run in one source, in full.
#[derive(Debug)]
pub enum Report {
    /// Of a vault, or of the single keys of an HSM, with the objects that failed or disappeared.
    Objects(Box<runs::Report>),
    /// Of a whole HSM.
    Hsm(hsms::Run),
}

impl Report {
    /// The source.
    pub fn source(&self) -> &SourceName {
        match self {
            Self::Objects(report) => match &**report {
                runs::Report::Open { job, .. } => &job.vault,
                runs::Report::Closed { header, .. } => &header.vault,
            },
            Self::Hsm(hsms::Run::Open(job)) => &job.hsm,
            Self::Hsm(hsms::Run::Ended(backup)) => &backup.hsm,
        }
    }

    /// The requested objects, in order. None of a run that is open or of a whole HSM.
    pub fn lines(&self) -> &[Line] {
        match self {
            Self::Objects(report) => match &**report {
                runs::Report::Closed { lines, .. } => lines,
                runs::Report::Open { .. } => &[],
            },
            Self::Hsm(_) => &[],
        }
    }
}

/// A run in every configured source that has it.
///
/// # Errors
/// Those of storage, and when a manifest is damaged.
pub async fn reports(app: &App, run: &RunId) -> Result<Vec<Report>> {
    let of_objects =
        runs::reports(app, run).await?.into_iter().map(|report| Report::Objects(Box::new(report)));
    let of_hsms = hsms::runs(app, run).await?.into_iter().map(Report::Hsm);
    Ok(of_objects.chain(of_hsms).collect())
}

/// The vaults and the HSMs that a query without a source is about: the configured ones or, if there are none, all that
/// the catalogue has. In the catalogue an HSM whose keys are backed up one by one is a vault as well.
///
/// # Errors
/// Those of storage.
pub async fn all(app: &App) -> Result<(BTreeSet<SourceName>, BTreeSet<SourceName>)> {
    let vaults: BTreeSet<_> = app.vaults().map(|vault| vault.source().name().clone()).collect();
    let hsms: BTreeSet<_> = app.hsms().names().cloned().collect();
    if !vaults.is_empty() || !hsms.is_empty() {
        return Ok((vaults, hsms));
    }
    let catalogue = app.catalogue()?;
    let (vaults, hsms) = futures::try_join!(catalogue.vaults(), catalogue.hsms())?;
    Ok((vaults.into_iter().collect(), hsms.into_iter().collect()))
}

/// A run in each of these sources that has it, configured or not, with the objects that are `wanted`. A run of an HSM's
/// single keys comes before that of the whole HSM.
///
/// # Errors
/// Those of storage, and when a manifest is damaged.
pub async fn found(
    app: &App,
    run: &RunId,
    among: &[SourceName],
    wanted: impl Fn(&Line) -> bool,
) -> Result<Vec<(SourceName, Report)>> {
    // Open jobs first: one that ends meanwhile has its record before it is closed.
    let open = runs::open_jobs(app).await?;
    let searches = among.iter().map(|source| {
        let job = open.iter().find(|job| job.vault == *source && job.run == *run);
        in_source(app, source, run, job, &wanted)
    });
    let searches: Vec<_> = searches.collect();
    let found: Vec<_> = stream::iter(searches).buffered(SOURCES_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn in_source(
    app: &App,
    source: &SourceName,
    run: &RunId,
    job: Option<&BackupJob>,
    wanted: &impl Fn(&Line) -> bool,
) -> Result<Vec<(SourceName, Report)>> {
    let of_objects = runs::report(app, source, run, job, wanted).await?;
    let of_hsm = hsms::known(app, source, run).await?;
    let reports = of_objects.map(|report| Report::Objects(Box::new(report))).into_iter();
    Ok(reports.chain(of_hsm.map(Report::Hsm)).map(|report| (source.clone(), report)).collect())
}

/// A run in one source, or `None` when that source is not configured or does not have it.
///
/// # Errors
/// As [`reports`].
pub async fn report(app: &App, source: &SourceName, run: &RunId) -> Result<Option<Report>> {
    if app.vault(source).is_err() {
        return Ok(None);
    }
    let open = app.jobs()?.backup_run(source, run).await?.map(|stored| stored.job);
    if let Some(report) = runs::report(app, source, run, open.as_ref(), runs::is_trouble).await? {
        return Ok(Some(Report::Objects(Box::new(report))));
    }
    Ok(hsms::one(app, source, run).await?.map(Report::Hsm))
}
