//! Jobs, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    links::{Links, job_id},
    restore::{HsmRestoreReport, Restore},
    run::RunInSource,
};
use crate::{
    domain::outcome::Failure,
    query::{
        jobs::{self, JobId},
        restores,
    },
};

/// Parses the name of a job: `SOURCE_RUN`, or the name of a restore.
pub fn parse_job_id(text: &str) -> Option<JobId> {
    let Some((source, run)) = text.split_once('_') else {
        return text.parse().ok().map(JobId::Restore);
    };
    Some(JobId::Backup(source.parse().ok()?, run.parse().ok()?))
}

/// A job. `type` names the kind of job and so determines the other fields.
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
    /// The addresses of the run and the job.
    links: Links,
    /// The run in that source.
    #[serde(flatten)]
    run: RunInSource,
}

impl Job {
    /// A job, with the reasons why objects failed if it is a restore into a vault. Other jobs have their own.
    pub fn new(job: jobs::Job, failures: Vec<Failure>) -> Self {
        match job {
            jobs::Job::Backup(source, run, report) => Self::Backup(Box::new(BackupJob {
                job: job_id(&source, &run),
                links: Links::new(&source, &run),
                run: report.into(),
            })),
            jobs::Job::Restore(restores::Restore::Vault(job)) => {
                Self::Restore(Box::new(Restore::from(*job).with(failures)))
            }
            jobs::Job::Restore(restores::Restore::Hsm(job)) => Self::HsmRestore(Box::new((&*job).into())),
        }
    }

    /// The seconds until the job is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        match self {
            Self::Backup(job) => job.run.wait(now),
            Self::Restore(restore) => restore.wait(now),
            Self::HsmRestore(report) => report.wait(),
        }
    }
}
