//! The result of a preflight, as it is answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::preflight::findings::{Check, Finding, Report};

/// The result of a preflight.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// Whether nothing needs doing: more than the settings could be checked, nothing is `unknown`, and no finding is
    /// above `info`.
    ok: bool,
    /// When the checks were made.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// The problems, the most severe first.
    findings: Vec<FindingBody>,
    /// The checks that gave no result, and why.
    unknown: Vec<CheckBody>,
    /// The checks that passed.
    well: Vec<CheckBody>,
}

impl Preflight {
    /// A report of checks that were made at `now`.
    pub fn new(report: Report, now: OffsetDateTime) -> Self {
        let ok = report.is_well();
        let Report { findings, unknown, well } = report;
        Self {
            ok,
            now,
            findings: findings.into_iter().map(Into::into).collect(),
            unknown: unknown.into_iter().map(Into::into).collect(),
            well: well.into_iter().map(Into::into).collect(),
        }
    }
}

/// A problem that a check found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingBody {
    /// The name of the finding. Stable: programs may compare it. `docs/preflight.md` explains each.
    #[schema(example = "cannot-back-up", pattern = "^[a-z-]+$")]
    name: &'static str,
    /// `error`, `warning` or `info`.
    #[schema(example = "error", pattern = "^(error|warning|info)$")]
    severity: String,
    /// The subject: a vault, an HSM, a container, a queue or a setting.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was seen.
    seen: String,
    /// Why it matters.
    why: &'static str,
    /// The command that fixes it, with the names of this installation.
    remedy: String,
}

/// A check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Look)]
pub struct CheckBody {
    /// The subject of the check.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was checked.
    what: String,
    /// What was seen, or why the check gave no result.
    seen: String,
}

impl From<Finding> for FindingBody {
    fn from(of: Finding) -> Self {
        let Finding { name, severity, subject, seen, why, remedy } = of;
        Self { name, severity: severity.to_string(), subject, seen, why, remedy }
    }
}

impl From<Check> for CheckBody {
    fn from(Check { subject, what, seen }: Check) -> Self {
        Self { subject, what, seen }
    }
}
