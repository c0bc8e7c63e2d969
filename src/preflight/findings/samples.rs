//! Helpers for the tests of the judges.

use super::{
    Finding, Identity, Installation, Report, Severity,
    hsm_seen::{Ended, HsmSeen},
    remedy::Remedy,
};
use crate::domain::cause::{Came, Cause};
use crate::domain::outcome::Failure;
use crate::domain::role::Role;

pub(super) fn of(role: Role) -> Installation {
    Installation { role, identity: Identity { object: Some("WHO".into()), ..Identity::default() } }
}

pub(super) fn refused(cause: Cause) -> Came {
    Came::Refused(cause, Failure::ours("code", "the service's words"))
}

/// An HSM that lets the backup app do its work and nothing else.
pub(super) fn seen() -> HsmSeen {
    HsmSeen {
        name: "hsm-a".parse().unwrap(),
        account: "landing".to_owned(),
        container: "hsm".to_owned(),
        backup: Came::Done,
        ended: Some(Ended::Well),
        restore: refused(Cause::Rbac),
        key: None,
        records: Some(("records".to_owned(), "kept".to_owned())),
        grants: Some(Ok(Vec::new())),
    }
}

/// The report of a judge, with a line for each thing: `error NAME`, `unknown WHAT: SEEN`, `well WHAT: SEEN`.
pub(super) fn judged(judge: impl FnOnce(&mut Report)) -> (Report, Vec<String>) {
    let mut report = Report::default();
    judge(&mut report);
    let findings = report.findings.iter().map(|found| format!("{} {}", found.severity, found.name));
    let unknown = report.unknown.iter().map(|check| format!("unknown {}: {}", check.what, check.seen));
    let well = report.well.iter().map(|check| format!("well {}: {}", check.what, check.seen));
    let lines = findings.chain(unknown).chain(well).collect();
    (report, lines)
}

pub(super) fn finding(name: &'static str, severity: Severity, subject: &str) -> Finding {
    let (subject, seen) = (subject.to_owned(), String::new());
    Finding { name, severity, subject, seen, why: "", remedy: Remedy::default() }
}

/// The first command of a remedy, or its advice if it has no command.
pub(super) fn first(remedy: &Remedy) -> &str {
    remedy.commands.first().unwrap_or(&remedy.advice)
}
