//! The open backup runs.

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
        object::VaultName,
        run::RunId,
    },
    error::{Error, Result},
};

const PREFIX: &str = "backup-runs/";

/// How far the clock of whoever opens a run may be ahead of the service's.
const CLOCKS_APART: Duration = Duration::HOUR;

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record. One that cannot be read is what its name says, and is whole again once it is saved.
    pub job: BackupJob,
    /// Why it could not be read.
    pub unread: Option<Unread>,
    etag: String,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not what was written.
    Damaged,
    /// A newer program wrote it, which may be at work.
    Newer,
}

/// What is open.
#[derive(Debug, Default)]
pub struct OpenRuns {
    /// The runs.
    pub runs: Vec<Stored>,
    /// What else lies there.
    pub strays: Vec<Stray>,
}

impl Jobs {
    /// Records that a run is open. Safe to run twice: the first record stays.
    ///
    /// A record has a mark, by which its writer knows it again when the answer was lost. What it says would not do:
    /// two who ask for the same in one second say the same.
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
    /// As storage answers. A record that cannot be read is logged, and is what its name says.
    pub async fn backup_runs(&self) -> Result<Vec<Stored>> {
        Ok(self.open_runs().await?.runs)
    }

    /// The same, with what is no run. One request, unless there are thousands.
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

    /// Writes a record back. When somebody else wrote it meanwhile, theirs stays: the next look decides.
    pub async fn save(&self, stored: &Stored) -> Result<()> {
        let name = name(&stored.job.vault, &stored.job.run);
        match self.container.replace(&name, &stored.etag, metadata("job", &stored.job)?).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(()),
            saved => Ok(saved?),
        }
    }

    /// One open run, or `None` when it is closed or was never opened.
    pub async fn backup_run(&self, vault: &VaultName, run: &RunId) -> Result<Option<Stored>> {
        let all = self.backup_runs().await?;
        Ok(all.into_iter().find(|stored| stored.job.vault == *vault && stored.job.run == *run))
    }

    /// Forgets a run that has its manifest. Safe to run twice.
    pub async fn close(&self, vault: &VaultName, run: &RunId) -> Result<()> {
        Ok(self.container.delete(&name(vault, run)).await?)
    }
}

/// Reads a record, or what the blob's name says of it.
fn stored(item: Item) -> Result<Stored, Stray> {
    let read = record_in(&item.name, &item.metadata, "job", JOB_FORMAT);
    let etag = item.etag.clone().unwrap_or_default();
    let error = match read {
        Ok(job @ BackupJob { .. }) if name(&job.vault, &job.run) != item.name => {
            damaged(&item.name, &format_args!("it is the record of run {} of vault {}", job.run, job.vault))
        }
        // The run's end depends on that time.
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
        // Whoever writes it is alive, and knows when it ends.
        (Error::TooNew { .. }, Some(opened)) => {
            Ok(Stored { job: BackupJob { opened, ..job }, unread: Some(Unread::Newer), etag })
        }
        _ => Ok(Stored { job, unread: Some(Unread::Damaged), etag }),
    }
}

fn name(vault: &VaultName, run: &RunId) -> String {
    format!("{PREFIX}{vault}/{run}")
}

fn parse_name(name: &str) -> Option<(VaultName, RunId)> {
    let (vault, run) = name.strip_prefix(PREFIX)?.split_once('/')?;
    Some((vault.parse().ok()?, run.parse().ok()?))
}
