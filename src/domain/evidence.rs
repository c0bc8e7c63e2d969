//! Evidence: what a day's record says of every source, and what the records of a period say together.
//!
//! The keeper adds the record of a day in the night after it, from what is stored alone, and nothing ever changes or
//! deletes it. Reports are made from these records alone, so a past period gives the same report each time. A day
//! without a record is a gap: it is counted, and nothing is concluded about it from the days beside it.

mod failures;
mod gap;
mod mapping;
mod report;
mod rows;
mod trail;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{
    failures::{Became, FailureSeen, Failures},
    gap::{Covering, worst_gap},
    mapping::{MAPPING, Mapped, NOT_SHOWN, Section},
    report::{DayRecord, PeriodError, Report, period},
    rows::{
        AcceptedRow, CoverageRow, DayRow, DayState, DropRow, EventRow, FailureRow, HeadRow, HoldRow,
        PolicyRow, SourceRow,
    },
    trail::{EventSeen, Sort, TrailEvidence},
};
use super::{
    acknowledged::{Acceptance, AcceptanceRecord, Reason},
    actor::Actor,
    day::Day,
    drill::{CleanedUp, DrillId, DrillSummary, Rehearsed, Seconds},
    hsm::{Attestation, Person, Quorum},
    object::ObjectId,
    run::{Numbers, RunId, Verdict},
    second::{InSecond, SecondPass},
    source::{SourceId, SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const EVIDENCE_FORMAT: u32 = 1;

/// The record of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The day, in UTC.
    pub day: Day,
    /// When the record was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made: OffsetDateTime,
    /// The version of the program that made it.
    pub program: String,
    /// Every source that is configured or has backups.
    pub sources: Vec<SourceEvidence>,
    /// What the audit trail has of the day.
    pub trail: TrailEvidence,
    /// When retention was last applied to every source on that day, if it was.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub retention: Option<OffsetDateTime>,
}

/// What a record says of a source: its state at the end of the day, and what happened on the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEvidence {
    /// Its name.
    pub source: SourceName,
    /// What it is.
    pub kind: SourceKind,
    /// Whether the keeper's settings name it.
    pub configured: bool,
    /// The policy of retention in force; `None` if the settings have none that can be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// When the newest backup that covers it began, at the end of the day.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub newest: Option<OffsetDateTime>,
    /// The greatest age in seconds that the newest backup that covers it had on the day; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<u64>,
    /// What the newest run that covers it says of its objects. A whole HSM has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The runs that ended on the day.
    pub runs: RunsSeen,
    /// What failed in them, and what became of it by the end of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureSeen>,
    /// How many failures there are beyond these.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub more_failures: u32,
    /// Failures that were accepted at the end of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedSeen>,
    /// How many accepted failures there are beyond these.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub more_accepted: u32,
    /// What was wrong with it at the end of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<TroubleSeen>,
    /// The holds in force when the record was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldSeen>,
    /// The points that retention let go on the day, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DropSeen>,
    /// The points of which everything was deleted on the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<RunId>,
    /// The points that were offered again on the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reinstated: Vec<RunId>,
    /// What verification last saw by the end of the day; `None` if nothing was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationSeen>,
    /// What people had last recorded of the security domain of a Managed HSM by the end of the day; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationSeen>,
    /// What the second place had of it, by the last pass that ended on the day or before; `None` without a second place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondSeen>,
    /// What the newest drill came to that had ended by the end of the day; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillSeen>,
    /// What of the source could not be read, so that the record lacks it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// The objects of a source, by the newest run that covers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The run.
    pub run: RunId,
    /// Its numbers.
    pub numbers: Numbers,
    /// Objects that have a backup, including those gone from the source.
    pub protected: u32,
}

/// The runs of a source that ended on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsSeen {
    /// How many succeeded.
    pub succeeded: u32,
    /// How many partially failed.
    pub partial: u32,
    /// How many failed.
    pub failed: u32,
    /// How many began late.
    pub late: u32,
    /// New backups in them.
    pub backed_up: u32,
    /// The bytes of these.
    pub bytes: u64,
}

impl RunsSeen {
    /// Counts a run.
    pub fn count(&mut self, verdict: Verdict, is_late: bool) {
        match verdict {
            Verdict::Succeeded => self.succeeded += 1,
            Verdict::PartiallyFailed => self.partial += 1,
            Verdict::Failed => self.failed += 1,
        }
        self.late += u32::from(is_late);
    }

    /// How many there are.
    pub const fn all(&self) -> u32 {
        self.succeeded + self.partial + self.failed
    }

    /// Adds the runs of another day.
    pub const fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.partial += other.partial;
        self.failed += other.failed;
        self.late += other.late;
        self.backed_up += other.backed_up;
        self.bytes += other.bytes;
    }
}

/// A failure that a person accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedSeen {
    /// The object.
    pub object: ObjectId,
    /// The failure's code.
    pub code: String,
    /// Why.
    pub reason: Reason,
    /// When the acceptance ends.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Who accepted it.
    pub by: Actor,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl AcceptedSeen {
    /// What a record needs of a decision; `None` for a withdrawal.
    pub fn of(record: &AcceptanceRecord) -> Option<Self> {
        let Acceptance::Accepted { code, reason, until } = record.acceptance.clone() else { return None };
        Some(Self { object: record.id(), code, reason, until, by: record.by.clone(), at: record.at })
    }
}

/// Something that was wrong with a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleSeen {
    /// Its stable name.
    pub code: String,
    /// In words.
    pub text: String,
}

/// A hold that was in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoldSeen {
    /// The ticket.
    pub ticket: String,
    /// What is held, in words.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// When it was set.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A point that was let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropSeen {
    /// The run that left it.
    pub run: RunId,
    /// The stable name of the reason.
    pub code: String,
    /// The reason in words.
    pub why: String,
    /// Who applied retention.
    pub by: Actor,
}

/// What a verification of a source saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationSeen {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How many backups the catalogue named.
    pub named: u64,
    /// How many of these were missing.
    pub missing: u64,
    /// How many others of the newest backups were damaged, or not as they had been stored.
    pub damaged: u64,
    /// How many were read to the last byte.
    pub read: u64,
}

/// That people checked the security domain of a Managed HSM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationSeen {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How many of how many keys are needed.
    pub quorum: Quorum,
    /// The people who checked, as they were named.
    pub people: Vec<Person>,
}

impl From<Attestation> for AttestationSeen {
    fn from(of: Attestation) -> Self {
        Self { at: of.at, quorum: of.quorum, people: of.people }
    }
}

/// What the second place had of a source at the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondSeen {
    /// When the pass ended that saw it.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// When the run of the newest point was planned that was complete there; none if there was none.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub newest: Option<OffsetDateTime>,
    /// For how many seconds something newer had been missing there at the end of the day.
    pub behind: u64,
    /// Of how many points there the first place had lost something before they were copied.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub lacking: u32,
}

impl SecondSeen {
    /// What is known of a source by a pass; `None` if that did not come to its end.
    pub fn of(pass: &SecondPass, source: &SourceId, seen: InSecond) -> Option<Self> {
        let behind = u64::try_from(seen.behind.whole_seconds()).unwrap_or_default();
        let newest = pass.of(source.kind, &source.name).and_then(|of| of.newest);
        Some(Self { at: pass.ended?, newest, behind, lacking: seen.lacking })
    }
}

/// What a drill came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillSeen {
    /// The drill.
    pub id: DrillId,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How its restore ended.
    pub restore: Rehearsed,
    /// What came of the cleaning up.
    pub cleanup: CleanedUp,
    /// How many objects were drilled.
    pub objects: u32,
    /// How old what was restored was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<Seconds>,
    /// How long the sample took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<Seconds>,
    /// What a restore of the whole source would take, extrapolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_rto_seconds: Option<Seconds>,
}

impl From<&DrillSummary> for DrillSeen {
    fn from(of: &DrillSummary) -> Self {
        Self {
            id: of.id.clone(),
            at: of.started,
            restore: of.came.restore,
            cleanup: of.cleanup,
            objects: of.objects,
            rpo_seconds: of.came.rpo_seconds,
            rto_seconds: of.came.rto_seconds,
            whole_rto_seconds: of.came.whole.map(|whole| whole.rto_seconds),
        }
    }
}

impl SourceEvidence {
    /// The record of a source of which nothing is known yet.
    pub fn of(source: &SourceId, configured: bool, policy: Option<String>) -> Self {
        Self {
            source: source.name.clone(),
            kind: source.kind,
            configured,
            policy,
            newest: None,
            gap: None,
            coverage: None,
            runs: RunsSeen::default(),
            failures: Vec::new(),
            more_failures: 0,
            accepted: Vec::new(),
            more_accepted: 0,
            troubles: Vec::new(),
            holds: Vec::new(),
            dropped: Vec::new(),
            deleted: Vec::new(),
            reinstated: Vec::new(),
            verification: None,
            attestation: None,
            second: None,
            drill: None,
            unread: Vec::new(),
        }
    }

    /// The source.
    pub fn id(&self) -> SourceId {
        SourceId { kind: self.kind, name: self.source.clone() }
    }
}
