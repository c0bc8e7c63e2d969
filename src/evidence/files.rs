//! The files of a report.

use crate::domain::{digest::Digest, evidence::Report};

/// The name of the page.
pub const HTML: &str = "evidence.html";
/// The name of the JSON.
pub const JSON: &str = "evidence.json";
/// The name of the table.
pub const CSV: &str = "evidence.csv";
/// The name of the list of digests.
pub const SUMS: &str = "SHA256SUMS";

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

impl File {
    /// The digest of its bytes.
    pub fn sha256(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// One self-contained page, made for print. The same report gives the same bytes.
pub fn html(report: &Report) -> String {
    super::html::page(report)
}

/// One line for each source on each day, and one for each day without a record. The same report gives the same bytes.
pub fn csv(report: &Report) -> String {
    super::csv::table(report)
}

/// The SHA-256 of each file, in the form that `sha256sum --check` reads.
pub fn sums(files: &[File]) -> File {
    let line = |file: &File| format!("{}  {}\n", file.sha256(), file.name);
    File { name: SUMS, text: files.iter().map(line).collect() }
}
