//! The rows of a report. Every format of it has these and nothing else.

use time::OffsetDateTime;

use super::{
    AcceptedSeen, AttestationSeen, Became, DrillSeen, HoldSeen, RunsSeen, SecondSeen, Sort, SourceEvidence,
    VerificationSeen,
};
use crate::domain::{
    actor::Actor, audit::Head, day::Day, digest::Digest, object::ObjectId, run::RunId, source::SourceId,
};

/// Whether there is a record of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayState {
    /// There is.
    Recorded {
        /// When it was made.
        made: OffsetDateTime,
        /// The version of the program that made it.
        program: String,
        /// The digest of its stored bytes.
        sha256: Digest,
        /// How many of the sources were covered by a backup at the end of the day, and how many there were.
        covered: (u32, u32),
        /// When retention was last applied to every source on the day, if it was.
        retention: Option<OffsetDateTime>,
        /// How many records the audit trail has of the day.
        trail: u32,
    },
    /// There is none, or it cannot be read: the day is a gap.
    Gap {
        /// Why it cannot be read, if there is one.
        unreadable: Option<String>,
    },
}

/// A day of the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// The day.
    pub day: Day,
    /// What there is of it.
    pub state: DayState,
}

impl DayRow {
    /// Whether the day has no record that can be read.
    pub const fn is_gap(&self) -> bool {
        matches!(self.state, DayState::Gap { .. })
    }
}

/// A source on a day, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRow {
    /// The day.
    pub day: Day,
    /// What the record says.
    pub of: SourceEvidence,
}

/// A source over the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// The source.
    pub source: SourceId,
    /// On how many days a record has it.
    pub days: u32,
    /// On how many of these it was covered by no backup.
    pub uncovered: u32,
    /// On how many of these something was wrong with it at the end of the day.
    pub troubled: u32,
    /// When the newest backup that covers it began, by the last record.
    pub newest: Option<OffsetDateTime>,
    /// The greatest age in seconds of its newest backup, and the day on which it had that.
    pub worst: Option<(u64, Day)>,
    /// Its runs.
    pub runs: RunsSeen,
    /// How many objects had a backup, by the last record.
    pub protected: Option<u32>,
    /// How many failures were open at the end of a day, all days together.
    pub open: u32,
    /// How many points retention let go.
    pub dropped: u32,
    /// How many points were deleted.
    pub deleted: u32,
    /// What verification last saw.
    pub verification: Option<VerificationSeen>,
    /// What people last recorded of a Managed HSM's security domain.
    pub attestation: Option<AttestationSeen>,
    /// What the second place had of it, by the last record.
    pub second: Option<SecondSeen>,
    /// What the newest drill came to.
    pub drill: Option<DrillSeen>,
    /// How many things could not be read for its records.
    pub unread: u32,
}

/// A failure over the period: an object with one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The source.
    pub source: SourceId,
    /// The object; `None` for a whole HSM, and for failures beyond those that records name.
    pub object: Option<ObjectId>,
    /// The code.
    pub code: String,
    /// The first day with it.
    pub first: Day,
    /// The last day with it.
    pub last: Day,
    /// On how many days.
    pub days: u32,
    /// What had become of it on the last of these days.
    pub became: Became,
    /// When the last backup of the object was taken, as of that day.
    pub last_backup: Option<OffsetDateTime>,
}

/// An accepted failure over the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedRow {
    /// The source.
    pub source: SourceId,
    /// What was accepted.
    pub accepted: AcceptedSeen,
    /// The first day at whose end it was in force.
    pub first: Day,
    /// The last.
    pub last: Day,
}

/// An event on the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// What sort of event.
    pub sort: Sort,
    /// When it was recorded.
    pub at: OffsetDateTime,
    /// The actor.
    pub by: Actor,
    /// The event's stored name.
    pub event: String,
    /// In words.
    pub text: String,
}

/// A hold over the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The source.
    pub source: SourceId,
    /// The hold.
    pub hold: HoldSeen,
    /// The first day with it.
    pub first: Day,
    /// The last day with it.
    pub last: Day,
}

/// Points that retention let go for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRow {
    /// The source.
    pub source: SourceId,
    /// The stable name of the reason.
    pub code: String,
    /// The reason in words.
    pub why: String,
    /// The first day on which a point was let go for it.
    pub first: Day,
    /// The last.
    pub last: Day,
    /// The runs that left the points.
    pub runs: Vec<RunId>,
}

/// A policy over the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The source.
    pub source: SourceId,
    /// The policy; `None` if there was none that could be applied.
    pub policy: Option<String>,
    /// The first day with it.
    pub first: Day,
    /// The last day with it.
    pub last: Day,
    /// On how many days records have it.
    pub days: u32,
}

/// The newest record of a section of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// The day.
    pub day: Day,
    /// The record.
    pub head: Head,
}
