//! What the tests of the judges share.

use super::{Came, Cause, Finding, Identity, Installation, Purpose, Report, Severity};
use crate::domain::outcome::Failure;

pub(super) fn of(purpose: Purpose) -> Installation {
    Installation { purpose, identity: Identity { object: Some("WHO".into()), ..Identity::default() } }
}

pub(super) fn refused(cause: Cause) -> Came {
    Came::Refused(cause, Failure::ours("code", "the service's words"))
}

/// The report of a judge, with a line for each thing: `error NAME`, `unknown WHAT: SEEN`, `well WHAT: SEEN`.
pub(super) fn judged(judge: impl FnOnce(&mut Report)) -> (Report, Vec<String>) {
    let mut report = Report::default();
    judge(&mut report);
    let findings = report.findings.iter().map(|found| format!("{} {}", found.severity, found.name));
    let unknown = report.unknown.iter().map(|look| format!("unknown {}: {}", look.what, look.seen));
    let well = report.well.iter().map(|look| format!("well {}: {}", look.what, look.seen));
    let lines = findings.chain(unknown).chain(well).collect();
    (report, lines)
}

pub(super) fn finding(name: &'static str, severity: Severity, subject: &str) -> Finding {
    let (subject, seen, remedy) = (subject.to_owned(), String::new(), String::new());
    Finding { name, severity, subject, seen, why: "", remedy }
}
