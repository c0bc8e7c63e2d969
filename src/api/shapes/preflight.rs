//! What a preflight found out.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::preflight::findings::{Check, Finding};

/// What a preflight found out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// Whether nothing has to be done: more than the settings could be looked at, nothing is `unknown`, and there is no
    /// finding above `info`.
    pub ok: bool,
    /// When this was looked up.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
    /// What is not as it should be, the worst first.
    pub findings: Vec<FindingBody>,
    /// What could not be found out, and why.
    pub unknown: Vec<CheckBody>,
    /// What is as it should be.
    pub well: Vec<CheckBody>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingBody {
    /// What is wrong. Stable: programs may compare it. `docs/preflight.md` explains each.
    #[schema(example = "cannot-back-up", pattern = "^[a-z-]+$")]
    name: &'static str,
    /// `error`, `warning` or `info`.
    #[schema(example = "error", pattern = "^(error|warning|info)$")]
    severity: String,
    /// What it is about: a vault, an HSM, a container, a queue, a setting.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was seen.
    seen: String,
    /// Why it matters.
    why: &'static str,
    /// The command that fixes it, with the names of this installation.
    remedy: String,
}

/// Something that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Look)]
pub struct CheckBody {
    /// What it is about.
    #[schema(example = "kv-prod")]
    subject: String,
    /// What was asked.
    what: String,
    /// What was seen, or why nothing is known.
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
