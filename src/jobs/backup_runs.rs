//! The open backup runs.

use futures::{TryStreamExt as _, pin_mut};

use super::{Jobs, forms, metadata};
use crate::{
    azure::{
        container::{Listing, Written},
        error::Meaning,
    },
    domain::{
        job::{BackupJob, JOB_FORMAT},
        object::VaultName,
        run::RunId,
    },
    error::Result,
};

const PREFIX: &str = "backup-runs/";

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub job: BackupJob,
    etag: String,
}

impl Jobs {
    /// Records that a run is open. Safe to run twice: the first record stays.
    ///
    /// A record has a mark, by which its writer knows it again when the answer was lost. What it says would not do:
    /// two who ask for the same in one second say the same.
    pub async fn open(&self, job: &BackupJob) -> Result<Written> {
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
    /// As storage answers. A record that cannot be read is passed over with a log line.
    pub async fn all(&self) -> Result<Vec<Stored>> {
        let pages = self.container.list(Listing { prefix: PREFIX, from: None, page: 5000, metadata: true });
        pin_mut!(pages);
        let mut jobs = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let job =
                    item.metadata.get("job").and_then(|text| serde_json::from_str::<BackupJob>(text).ok());
                if let (Some(job), Some(etag)) = (job.filter(|job| job.v <= JOB_FORMAT), item.etag) {
                    jobs.push(Stored { job, etag });
                } else {
                    let name = item.name;
                    tracing::error!(blob.name = %name, "A job record cannot be read and is passed over: {name}");
                }
            }
        }
        Ok(jobs)
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
    pub async fn get(&self, vault: &VaultName, run: &RunId) -> Result<Option<Stored>> {
        let all = self.all().await?;
        Ok(all.into_iter().find(|stored| stored.job.vault == *vault && stored.job.run == *run))
    }

    /// Forgets a run that has its manifest. Safe to run twice.
    pub async fn close(&self, vault: &VaultName, run: &RunId) -> Result<()> {
        Ok(self.container.delete(&name(vault, run)).await?)
    }
}

fn name(vault: &VaultName, run: &RunId) -> String {
    format!("{PREFIX}{vault}/{run}")
}
