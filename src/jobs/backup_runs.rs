//! Records of open backup runs.

use futures::{TryStreamExt as _, pin_mut};
use time::Duration;

use super::{
    Jobs, damaged,
    forms::{self, record_in},
    metadata,
    strays::Stray,
};
use crate::{
    azure::{
        container::{Item, Listing, Written},
        error::Meaning,
    },
    domain::{
        job::{BackupJob, JOB_FORMAT},
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
};

const PREFIX: &str = "backup-runs/";

/// How far the clock of the process that opens a run may be ahead of the service's.
const CLOCKS_APART: Duration = Duration::HOUR;

/// A run's record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record. An unreadable one is derived from its name, and repaired by the next save.
    pub job: BackupJob,
    /// Why it could not be read.
    pub unread: Option<Unread>,
    etag: String,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is damaged.
    Damaged,
    /// A newer program wrote it, and may be working on it.
    Newer,
}

/// The open runs, and blobs among them that are none.
#[derive(Debug, Default)]
pub struct OpenRuns {
    /// The runs.
    pub runs: Vec<Stored>,
    /// Blobs that cannot be read as a run.
    pub strays: Vec<Stray>,
}

impl Jobs {
    /// Records that a run is open. Safe to run twice: the first record stays.
    ///
    /// A record has a mark, by which its writer recognizes it if the answer was lost. Its content is not enough: two
    /// equal requests in one second write equal records.
    pub async fn open_backup_run(&self, job: &BackupJob) -> Result<Written> {
        let name = name(&job.vault, &job.run);
        let job = BackupJob { mark: Some(fastrand::u64(..)), ..job.clone() };
        if self.container.create(&name, Vec::new(), metadata("job", &job)?).await? == Written::Created {
            return Ok(Written::Created);
        }
        let found = self.container.metadata(&name).await?;
        let found: Option<BackupJob> = found.and_then(|metadata| forms::read(&metadata, "job"));
        let ours = found.is_some_and(|found| found.mark == job.mark);
        Ok(if ours { Written::Created } else { Written::AlreadyThere })
    }

    /// Every open run. One request, unless there are thousands.
    ///
    /// # Errors
    /// Errors of storage. A record that cannot be read is logged, and derived from its name.
    pub async fn backup_runs(&self) -> Result<Vec<Stored>> {
        Ok(self.open_runs().await?.runs)
    }

    /// Every open run, and the strays among them. One request, unless there are thousands.
    pub async fn open_runs(&self) -> Result<OpenRuns> {
        let pages = self.container.list(Listing { prefix: PREFIX, from: None, page: 5000, metadata: true });
        pin_mut!(pages);
        let mut open = OpenRuns::default();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                match stored(item) {
                    Ok(stored) => open.runs.push(stored),
                    Err(stray) => open.strays.push(stray),
                }
            }
        }
        Ok(open)
    }

    /// Writes a record back, unless another process wrote it meanwhile: that record stays, and the next pass decides.
    pub async fn save(&self, stored: &Stored) -> Result<()> {
        let name = name(&stored.job.vault, &stored.job.run);
        match self.container.replace(&name, &stored.etag, metadata("job", &stored.job)?).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(()),
            saved => Ok(saved?),
        }
    }

    /// An open run, or `None` if it is closed or was never opened.
    pub async fn backup_run(&self, vault: &SourceName, run: &RunId) -> Result<Option<Stored>> {
        let all = self.backup_runs().await?;
        Ok(all.into_iter().find(|stored| stored.job.vault == *vault && stored.job.run == *run))
    }

    /// Deletes the record of a run that has its manifest. Safe to run twice.
    pub async fn close(&self, vault: &SourceName, run: &RunId) -> Result<()> {
        Ok(self.container.delete(&name(vault, run)).await?)
    }
}

/// Reads a record, or derives it from the blob's name.
fn stored(item: Item) -> Result<Stored, Stray> {
    let read = record_in(&item.name, &item.metadata, "job", JOB_FORMAT);
    let etag = item.etag.clone().unwrap_or_default();
    let error = match read {
        Ok(job @ BackupJob { .. }) if name(&job.vault, &job.run) != item.name => {
            damaged(&item.name, &format_args!("it is the record of run {} of vault {}", job.run, job.vault))
        }
        // When the run ends depends on that time.
        Ok(job) if item.modified.is_some_and(|written| job.opened - written > CLOCKS_APART) => {
            damaged(&item.name, &"it says that it was opened after it was written")
        }
        Ok(job) => return Ok(Stored { job, unread: None, etag }),
        Err(error) => error,
    };
    tracing::error!(blob.name = %item.name, "The record of an open run cannot be read: {error}");
    let Some((vault, run)) = parse_name(&item.name) else { return Err(Stray::new(item, None)) };
    let Some(job) = BackupJob::of_name(vault, run, item.modified) else { return Err(Stray::new(item, None)) };
    match (error, item.modified) {
        // The program that writes it is alive, and ends the run itself.
        (Error::TooNew { .. }, Some(opened)) => {
            Ok(Stored { job: BackupJob { opened, ..job }, unread: Some(Unread::Newer), etag })
        }
        _ => Ok(Stored { job, unread: Some(Unread::Damaged), etag }),
    }
}

fn name(vault: &SourceName, run: &RunId) -> String {
    format!("{PREFIX}{vault}/{run}")
}

fn parse_name(name: &str) -> Option<(SourceName, RunId)> {
    let (vault, run) = name.strip_prefix(PREFIX)?.split_once('/')?;
    Some((vault.parse().ok()?, run.parse().ok()?))
}
