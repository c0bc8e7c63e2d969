//! The days and the sources of a report of evidence.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::run::Numbers,
    domain::{
        day::Day,
        drill::Seconds,
        evidence::{
            AttestationSeen, CoverageRow, DayRow, DayState, DrillSeen, RunsSeen, SecondSeen, SourceRow,
            TroubleSeen, VerificationSeen,
        },
        source::{SourceId, SourceKind},
    },
};

/// A source, by its name and its kind: a vault and an HSM may have one name.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceOf {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// `vault` or `hsm`. A vault may also be the keys of an HSM that are backed up one by one.
    #[schema(example = "vault", pattern = "^(vault|hsm)$")]
    kind: &'static str,
}

impl From<&SourceId> for EvidenceOf {
    fn from(of: &SourceId) -> Self {
        let kind = if of.kind == SourceKind::Vault { "vault" } else { "hsm" };
        Self { source: of.name.to_string(), kind }
    }
}

/// From which day to which there are records with something, both included. Days between them may lack it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceSpan {
    /// The first day.
    #[schema(example = "2026-11-01", format = Date)]
    first: String,
    /// The last day.
    #[schema(example = "2026-11-30", format = Date)]
    last: String,
}

impl EvidenceSpan {
    /// The span between two days.
    pub(super) fn of(first: Day, last: Day) -> Self {
        Self { first: first.to_string(), last: last.to_string() }
    }
}

/// A day of the period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceDay {
    /// The day.
    #[schema(example = "2026-11-22", format = Date)]
    day: String,
    /// `recorded`; `missing` without a record; `unreadable` if it cannot be read.
    #[schema(example = "recorded", pattern = "^(recorded|missing|unreadable)$")]
    record: &'static str,
    /// Why the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// When the record was made.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    made: Option<OffsetDateTime>,
    /// The version of the program that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// The SHA-256 of the stored record.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// How many sources it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<u32>,
    /// How many of them a backup covered at the end of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    covered: Option<u32>,
    /// When retention was last applied to every source on the day, if it was.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    retention_applied: Option<OffsetDateTime>,
    /// How many records the audit trail has of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    trail_records: Option<u32>,
}

impl From<&DayRow> for EvidenceDay {
    fn from(of: &DayRow) -> Self {
        let gap = |record, why| Self {
            day: of.day.to_string(),
            record,
            why,
            made: None,
            program: None,
            sha256: None,
            sources: None,
            covered: None,
            retention_applied: None,
            trail_records: None,
        };
        match &of.state {
            DayState::Gap { unreadable: None } => gap("missing", None),
            DayState::Gap { unreadable } => gap("unreadable", unreadable.clone()),
            DayState::Recorded { made, program, sha256, covered: (covered, all), retention, trail } => Self {
                made: Some(*made),
                program: Some(program.clone()),
                sha256: Some(sha256.to_string()),
                sources: Some(*all),
                covered: Some(*covered),
                retention_applied: *retention,
                trail_records: Some(*trail),
                ..gap("recorded", None)
            },
        }
    }
}

/// Runs that ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceRuns {
    /// How many succeeded.
    succeeded: u32,
    /// How many partially failed.
    partially_failed: u32,
    /// How many failed.
    failed: u32,
    /// How many began late.
    late: u32,
    /// New backups in them.
    backed_up: u32,
    /// The size of these.
    bytes: u64,
}

impl From<&RunsSeen> for EvidenceRuns {
    fn from(of: &RunsSeen) -> Self {
        Self {
            succeeded: of.succeeded,
            partially_failed: of.partial,
            failed: of.failed,
            late: of.late,
            backed_up: of.backed_up,
            bytes: of.bytes,
        }
    }
}

/// What a verification saw.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceVerification {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Backups that the catalogue named.
    named: u64,
    /// How many of these were missing.
    missing: u64,
    /// How many were damaged.
    damaged: u64,
    /// How many were read to the last byte.
    read: u64,
}

impl From<&VerificationSeen> for EvidenceVerification {
    fn from(of: &VerificationSeen) -> Self {
        Self { at: of.at, named: of.named, missing: of.missing, damaged: of.damaged, read: of.read }
    }
}

/// That people checked the security domain of a Managed HSM.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceSecurityDomain {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// How many of how many keys are needed.
    #[schema(example = "2/3")]
    quorum: String,
    /// The people who checked, as they were named.
    people: Vec<String>,
}

impl From<&AttestationSeen> for EvidenceSecurityDomain {
    fn from(of: &AttestationSeen) -> Self {
        let people = of.people.iter().map(ToString::to_string).collect();
        Self { at: of.at, quorum: of.quorum.to_string(), people }
    }
}

/// What the second place had of a source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceSecond {
    /// When the pass of copies ended that saw it.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// When the run of the newest point was planned that was complete there. Absent if there was none.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    newest: Option<OffsetDateTime>,
    /// For how long something newer had been missing there at the end of the day.
    behind_seconds: u64,
    /// Of how many points there the first place had lost something before they were copied.
    lacking: u32,
}

impl From<&SecondSeen> for EvidenceSecond {
    fn from(of: &SecondSeen) -> Self {
        Self { at: of.at, newest: of.newest, behind_seconds: of.behind, lacking: of.lacking }
    }
}

/// What a drill came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceDrill {
    /// The drill.
    #[schema(example = "20261206T061500Z-drill-0f3a9c41")]
    id: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// How its restore ended.
    #[schema(example = "Succeeded", pattern = "^(Succeeded|Failed|TimedOut)$")]
    restore: String,
    /// Whether what it restored is gone from the drill vault.
    #[schema(example = "Done", pattern = "^(Done|Failed)$")]
    cleanup: String,
    /// How many objects were drilled.
    objects: u32,
    /// How old what was restored was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64)]
    rpo_seconds: Option<Seconds>,
    /// How long the sample took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64)]
    rto_seconds: Option<Seconds>,
    /// What a restore of the whole source would take, extrapolated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64)]
    whole_rto_seconds: Option<Seconds>,
}

impl From<&DrillSeen> for EvidenceDrill {
    fn from(of: &DrillSeen) -> Self {
        Self {
            id: of.id.to_string(),
            at: of.at,
            restore: of.restore.to_string(),
            cleanup: of.cleanup.to_string(),
            objects: of.objects,
            rpo_seconds: of.rpo_seconds,
            rto_seconds: of.rto_seconds,
            whole_rto_seconds: of.whole_rto_seconds,
        }
    }
}

/// A source over the period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceSource {
    #[serde(flatten)]
    of: EvidenceOf,
    /// On how many days a record has it.
    days: u32,
    /// On how many of these no backup covered it.
    uncovered_days: u32,
    /// On how many of these something was wrong with it at the end of the day.
    troubled_days: u32,
    /// When the newest backup that covers it began, by the last record.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    newest_backup: Option<OffsetDateTime>,
    /// The greatest age that the newest backup reached. Absent if none ever covered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_gap_seconds: Option<u64>,
    /// The day on which it reached that.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_gap_on: Option<String>,
    /// Its runs.
    runs: EvidenceRuns,
    /// Objects with a backup, by the last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// Failures that were open at the end of a day, all days together.
    open_failures: u32,
    /// Points that retention let go.
    let_go: u32,
    /// Points of which everything was deleted.
    deleted: u32,
    /// What verification last saw. Absent if nothing was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<EvidenceVerification>,
    /// What people last recorded of a Managed HSM's security domain. Absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    security_domain: Option<EvidenceSecurityDomain>,
    /// What the second place had of it, by the last record. Absent without a second place.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_place: Option<EvidenceSecond>,
    /// What the newest drill came to. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<EvidenceDrill>,
    /// How many things could not be read for its records.
    unread: u32,
}

impl From<&SourceRow> for EvidenceSource {
    fn from(of: &SourceRow) -> Self {
        Self {
            of: (&of.source).into(),
            days: of.days,
            uncovered_days: of.uncovered,
            troubled_days: of.troubled,
            newest_backup: of.newest,
            worst_gap_seconds: of.worst.map(|(gap, _)| gap),
            worst_gap_on: of.worst.map(|(_, day)| day.to_string()),
            runs: (&of.runs).into(),
            protected: of.protected,
            open_failures: of.open,
            let_go: of.dropped,
            deleted: of.deleted,
            verification: of.verification.as_ref().map(Into::into),
            security_domain: of.attestation.as_ref().map(Into::into),
            second_place: of.second.as_ref().map(Into::into),
            drill: of.drill.as_ref().map(Into::into),
            unread: of.unread,
        }
    }
}

/// Something that was wrong with a source.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceTrouble {
    /// Its stable name.
    #[schema(example = "overdue")]
    code: String,
    /// In words.
    what: String,
}

/// A source on a day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceCoverage {
    /// The day.
    #[schema(example = "2026-11-22", format = Date)]
    day: String,
    #[serde(flatten)]
    of: EvidenceOf,
    /// Whether the keeper's settings named it.
    configured: bool,
    /// When the newest backup that covers it began, at the end of the day.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    newest_backup: Option<OffsetDateTime>,
    /// The greatest age that the newest backup had on the day. Absent if none covered the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_gap_seconds: Option<u64>,
    /// The numbers of the newest run that covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
    /// Objects with a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// The runs of the day.
    runs: EvidenceRuns,
    /// What was wrong with it at the end of the day.
    troubles: Vec<EvidenceTrouble>,
    /// Runs whose points were deleted on the day.
    deleted: Vec<String>,
    /// Runs whose points were offered again on the day.
    reinstated: Vec<String>,
    /// What verification had last seen. Absent if nothing was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<EvidenceVerification>,
    /// What people had last recorded of a Managed HSM's security domain. Absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    security_domain: Option<EvidenceSecurityDomain>,
    /// What the second place had of it. Absent without a second place.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_place: Option<EvidenceSecond>,
    /// What the newest drill had come to. Absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<EvidenceDrill>,
    /// What could not be read for the record.
    unread: Vec<String>,
}

impl From<&CoverageRow> for EvidenceCoverage {
    fn from(row: &CoverageRow) -> Self {
        let of = &row.of;
        let trouble = |of: &TroubleSeen| EvidenceTrouble { code: of.code.clone(), what: of.text.clone() };
        Self {
            day: row.day.to_string(),
            of: (&of.id()).into(),
            configured: of.configured,
            newest_backup: of.newest,
            worst_gap_seconds: of.gap,
            numbers: of.coverage.as_ref().map(|of| (&of.numbers).into()),
            protected: of.coverage.as_ref().map(|of| of.protected),
            runs: (&of.runs).into(),
            troubles: of.troubles.iter().map(trouble).collect(),
            deleted: of.deleted.iter().map(ToString::to_string).collect(),
            reinstated: of.reinstated.iter().map(ToString::to_string).collect(),
            verification: of.verification.as_ref().map(Into::into),
            security_domain: of.attestation.as_ref().map(Into::into),
            second_place: of.second.as_ref().map(Into::into),
            drill: of.drill.as_ref().map(Into::into),
            unread: of.unread.clone(),
        }
    }
}
