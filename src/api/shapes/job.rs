//! Jobs, as they are answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

use super::{
    links::{Links, hsm_job_id, job_id, split_job_id},
    page::ObjectToken,
    restore::{HsmRestoreReport, Restore},
    run::RunInSource,
};
use crate::{
    domain::{object::ObjectId, outcome::Failure},
    query::{
        jobs::{self, JobId},
        restores,
        sources::Report,
    },
};

/// Parses the name of a job: `SOURCE_RUN`, `HSM_RUN_hsm`, or the name of a restore.
pub fn parse_job_id(text: &str) -> Option<JobId> {
    let Some((source, run, of_hsm)) = split_job_id(text) else {
        return text.parse().ok().map(JobId::Restore);
    };
    let (source, run) = (source.parse().ok()?, run.parse().ok()?);
    Some(if of_hsm { JobId::HsmBackup(source, run) } else { JobId::Backup(source, run) })
}

/// A job. `type` names the kind of job and so determines the other fields.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(discriminator(property_name = "type", mapping(
    ("backup" = "#/components/schemas/BackupJob"),
    ("restore" = "#/components/schemas/RestoreJob"),
    ("hsmRestore" = "#/components/schemas/HsmRestoreJob"),
)))]
pub enum Job {
    /// A run in one source.
    Backup(Box<BackupJob>),
    /// A restore into a vault.
    Restore(Box<RestoreJob>),
    /// A restore into a Managed HSM.
    HsmRestore(Box<HsmRestoreJob>),
}

fn backup() -> Object {
    only("backup")
}

fn restore() -> Object {
    only("restore")
}

fn hsm_restore() -> Object {
    only("hsmRestore")
}

/// The schema of a `type` that has one value.
fn only(value: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some([value])).build()
}

/// A run in one source, as a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupJob)]
pub struct BackupJob {
    #[serde(rename = "type")]
    #[schema(schema_with = backup)]
    kind: &'static str,
    /// The job's name.
    #[schema(example = "kv-prod_20261122T020000Z-nightly")]
    job: String,
    /// The addresses of the run and the job.
    links: Links,
    /// The run in that source.
    #[serde(flatten)]
    run: RunInSource,
    /// The token for the next objects, if there are more.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A restore into a vault, as a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreJob {
    #[serde(rename = "type")]
    #[schema(schema_with = restore)]
    kind: &'static str,
    /// The restore.
    #[serde(flatten)]
    restore: Restore,
}

/// A restore into a Managed HSM, as a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmRestoreJob {
    #[serde(rename = "type")]
    #[schema(schema_with = hsm_restore)]
    kind: &'static str,
    /// The restore.
    #[serde(flatten)]
    restore: HsmRestoreReport,
}

impl Job {
    /// A job, with at most `limit` of its objects after `after`, and with the reasons why objects failed if it is a restore
    /// into a vault. Other jobs have their own.
    pub fn new(job: jobs::Job, failures: Vec<Failure>, after: Option<&ObjectId>, limit: usize) -> Self {
        match job {
            jobs::Job::Backup(source, run, report) => {
                let job = match &report {
                    Report::Objects(_) => job_id(&source, &run),
                    Report::Hsm(_) => hsm_job_id(&source, &run),
                };
                let links = Links::new(&run, &job);
                let (run, end) = RunInSource::page(report, after, limit);
                let after = end.last.filter(|_| end.more).map(|id| ObjectToken(id).text());
                Self::Backup(Box::new(BackupJob { kind: "backup", job, links, run, after }))
            }
            jobs::Job::Restore(restores::Restore::Vault(job)) => Self::Restore(Box::new(RestoreJob {
                kind: "restore",
                restore: Restore::from(*job).with(failures),
            })),
            jobs::Job::Restore(restores::Restore::Hsm(job)) => {
                let restore = HsmRestoreReport::page(&job, after, limit);
                Self::HsmRestore(Box::new(HsmRestoreJob { kind: "hsmRestore", restore }))
            }
        }
    }

    /// The seconds until the job is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        match self {
            Self::Backup(job) => job.run.wait(now),
            Self::Restore(job) => job.restore.wait(now),
            Self::HsmRestore(job) => job.restore.wait(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_source_and_run_or_as_a_restore() {
        let night = "20261122T020000Z-nightly";
        let Some(JobId::Backup(source, run)) = parse_job_id(&format!("kv-prod_{night}")) else {
            panic!("no backup")
        };
        assert_eq!((source.as_str(), run.as_str()), ("kv-prod", night));
        assert_eq!(job_id(&source, &run), format!("kv-prod_{night}"));
        assert_eq!(
            parse_job_id(&hsm_job_id(&source, &run)),
            Some(JobId::HsmBackup(source.clone(), run.clone())),
        );
        let restore = "20261122T101112Z-restore-0f3a9c41";
        assert!(matches!(parse_job_id(restore), Some(JobId::Restore(id)) if id.to_string() == restore));
    }

    #[test]
    fn what_names_no_job_is_none() {
        for text in [
            "",
            "_",
            "kv-prod",
            "kv-prod_",
            "_20261122T020000Z-nightly",
            // A run without its source, and a restore with one.
            "20261122T020000Z-nightly",
            "kv-prod_20261122T020000Z_nightly",
            "kv/prod_20261122T020000Z-nightly",
        ] {
            assert_eq!(parse_job_id(text), None, "{text:?}");
        }
    }
}
