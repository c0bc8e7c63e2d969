//! The names of jobs, and the addresses of jobs and runs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{run::RunId, source::SourceName};

/// The address of a run.
pub fn run_path(run: &RunId) -> String {
    format!("/api/backups/runs/{run}")
}

/// What ends the name of the job of a whole HSM.
const OF_HSM: &str = "_hsm";

/// The name of the job of a run in one source. The separator is unambiguous: neither a source's name nor a run's has an
/// underscore.
pub fn job_id(source: &SourceName, run: &RunId) -> String {
    format!("{source}_{run}")
}

/// The name of the job that backs up a whole HSM. The HSM's single keys may have a run of the same name.
pub fn hsm_job_id(hsm: &SourceName, run: &RunId) -> String {
    format!("{hsm}_{run}{OF_HSM}")
}

/// Splits the name of a run's job into source and run, and says whether it names the backup of a whole HSM.
pub fn split_job_id(text: &str) -> Option<(&str, &str, bool)> {
    let (source, run) = text.split_once('_')?;
    Some(run.strip_suffix(OF_HSM).map_or((source, run, false), |run| (source, run, true)))
}

/// The addresses of a job and its run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// The address of the run.
    #[schema(example = "/api/backups/runs/20261122T101500Z-manual-1a2b")]
    run: String,
    /// The address of the job.
    #[schema(example = "/api/status/jobs/kv-prod_20261122T101500Z-manual-1a2b")]
    job: String,
}

impl Links {
    /// The addresses of a run, and of its job in one source.
    pub fn new(run: &RunId, job: &str) -> Self {
        Self { run: run_path(run), job: format!("/api/status/jobs/{job}") }
    }
}
