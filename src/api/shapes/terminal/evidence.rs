//! The files of a report of evidence.

use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{domain::evidence::Report, evidence::File};

/// A report of evidence that was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceWritten {
    /// The first day of the period, in UTC.
    #[schema(example = "2026-11-01", format = Date)]
    from: String,
    /// The last day.
    #[schema(example = "2026-11-30", format = Date)]
    to: String,
    /// How many days have a record.
    recorded: usize,
    /// The days without one.
    gaps: Vec<String>,
    /// The files; none if no day has a record.
    files: Vec<EvidenceFile>,
}

/// A file of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceFile {
    /// The file.
    #[schema(example = "evidence-2026-11/evidence.html")]
    file: String,
    /// Its size.
    bytes: usize,
    /// The SHA-256 of its bytes.
    sha256: String,
}

impl EvidenceWritten {
    /// What was written into a directory.
    pub fn new(report: &Report, directory: &Path, files: &[File]) -> Self {
        let file = |file: &File| EvidenceFile {
            file: directory.join(file.name).display().to_string(),
            bytes: file.text.len(),
            sha256: file.sha256().to_string(),
        };
        Self {
            from: report.from.to_string(),
            to: report.to.to_string(),
            recorded: report.recorded(),
            gaps: report.gaps().map(|day| day.to_string()).collect(),
            files: files.iter().map(file).collect(),
        }
    }
}
