//! Jobs.

use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    links::{Links, job_id},
    restore::{HsmRestoreReport, Restore},
    run::RunInSource,
};
use crate::domain::{object::VaultName, restore::RestoreId, run::RunId};

/// The name of a job. Each kind of job has a form of its own.
pub enum JobId {
    /// A run in one vault or HSM: `NAME_RUN`.
    Backup(VaultName, RunId),
    /// A restore: its own name.
    Restore(RestoreId),
}

impl FromStr for JobId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((vault, run)) = text.split_once('_') else {
            return text.parse().map(Self::Restore).map_err(drop);
        };
        Ok(Self::Backup(vault.parse().map_err(drop)?, run.parse().map_err(drop)?))
    }
}

/// A job. `type` says which kind of job it is, and so which fields there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Job {
    /// A run in one source.
    Backup(Box<BackupJob>),
    /// A restore into a vault.
    Restore(Box<Restore>),
    /// A restore into a Managed HSM.
    HsmRestore(Box<HsmRestoreReport>),
}

/// A run in one source, as a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupJob)]
pub struct BackupJob {
    /// The job's name.
    #[schema(example = "kv-prod_20261122T020000Z-nightly")]
    job: String,
    /// Where to look.
    links: Links,
    /// The run in that source.
    #[serde(flatten)]
    run: RunInSource,
}

impl BackupJob {
    /// A run in one source, as a job.
    pub fn new(source: &VaultName, id: &RunId, run: RunInSource) -> Self {
        Self { job: job_id(source, id), links: Links::new(source, id), run }
    }
}
