//! The names of jobs, and the addresses of jobs and runs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{run::RunId, source::SourceName};

/// The address of a run.
pub fn run_path(run: &RunId) -> String {
    format!("/api/backups/runs/{run}")
}

/// The name of the job of a run in one source. The separator is unambiguous: a source's name has no underscore.
pub fn job_id(source: &SourceName, run: &RunId) -> String {
    format!("{source}_{run}")
}

/// The address of a job.
pub fn job_path(source: &SourceName, run: &RunId) -> String {
    format!("/api/status/jobs/{}", job_id(source, run))
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
    /// The addresses of a run in one source.
    pub fn new(source: &SourceName, run: &RunId) -> Self {
        Self { run: run_path(run), job: job_path(source, run) }
    }
}
