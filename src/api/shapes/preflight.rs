//! The result of a preflight, as it is answered.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::preflight::{
    findings::{
        Check, Report, Severity,
        group::{Group, Subject},
    },
    fix::Fix,
};

/// The result of a preflight.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// Whether nothing needs doing: more than the settings could be checked, nothing is `unknown`, and no finding is
    /// above `info`.
    ok: bool,
    /// When the checks were made.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// The missing containers that `preflight --fix` made or could not make, before the checks. Never there over HTTP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<FixBody>,
    /// The problems, the most severe first. A problem of several subjects that has one cause is there once.
    findings: Vec<FindingBody>,
    /// The checks that gave no result, and why.
    unknown: Vec<CheckBody>,
    /// The checks that passed.
    well: Vec<CheckBody>,
}

impl Preflight {
    /// A report of checks that were made at `now`, with the findings of at least a severity. `ok` tells of all.
    pub fn new(report: &Report, at_least: Severity, now: OffsetDateTime) -> Self {
        let checks = |checks: &[Check]| checks.iter().cloned().map(Into::into).collect();
        Self {
            ok: report.is_well(),
            now,
            fixes: Vec::new(),
            findings: report.groups(at_least).into_iter().map(Into::into).collect(),
            unknown: checks(&report.unknown),
            well: checks(&report.well),
        }
    }

    /// The report with what was made before the checks.
    #[must_use]
    pub fn with_fixes(self, fixes: Vec<Fix>) -> Self {
        Self { fixes: fixes.into_iter().map(Into::into).collect(), ..self }
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
    /// The first of `subjects`.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was seen of the first of `subjects`.
    seen: String,
    /// Everything that has this problem for this cause, with what was seen of each.
    #[schema(min_items = 1)]
    subjects: Vec<SubjectBody>,
    /// Why it matters.
    why: &'static str,
    /// `advice` and `commands` as one text, each command on a line of its own.
    remedy: String,
    /// Commands for all subjects, in their order and with the names of this installation. Each can be
    /// copied into a shell as it stands, but for words in capitals, which are to be replaced. Not a script: some only query,
    /// some are alternatives, and `advice` says which apply.
    commands: Vec<String>,
    /// What to decide, to know or to do beside the commands.
    advice: String,
}

/// A subject of a finding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FindingSubject)]
pub struct SubjectBody {
    /// The subject: a vault, an HSM, a container, a queue or a setting.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was seen of it.
    seen: String,
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

impl From<Group> for FindingBody {
    fn from(of: Group) -> Self {
        let Group { name, severity, why, subjects, remedy } = of;
        let (subject, seen) = subjects
            .first()
            .map_or_else(Default::default, |first| (first.subject.clone(), first.seen.clone()));
        Self {
            name,
            severity: severity.to_string(),
            subject,
            seen,
            subjects: subjects.into_iter().map(Into::into).collect(),
            why,
            remedy: remedy.to_string(),
            commands: remedy.commands,
            advice: remedy.advice,
        }
    }
}

impl From<Subject> for SubjectBody {
    fn from(Subject { subject, seen, commands: _ }: Subject) -> Self {
        Self { subject, seen }
    }
}

/// A container that was missing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fix)]
pub struct FixBody {
    /// The container.
    #[schema(example = "backups/kv-backups")]
    subject: String,
    /// Whether it was made.
    made: bool,
    /// What the service answered.
    seen: String,
}

impl From<Fix> for FixBody {
    fn from(Fix { subject, made, seen }: Fix) -> Self {
        Self { subject, made, seen }
    }
}

impl From<Check> for CheckBody {
    fn from(Check { subject, what, seen }: Check) -> Self {
        Self { subject, what, seen }
    }
}
