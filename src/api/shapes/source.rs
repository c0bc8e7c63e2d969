//! The status of each source.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    drill::{DrillItem, DrilledAt},
    location::Moved,
    loss::Loss,
    object::UnknownForms,
    problem::{Problem, ProblemBody},
    run::{RunItem, RunObject},
};
use crate::{
    domain::{
        acknowledged::{Acceptance, AcceptanceRecord, Acknowledgement},
        loss,
        manifest::{Line, Summary},
        nothing::Points,
        observed_location,
        state::{self, Known, Newest, Objects, Trouble as SourceTrouble},
    },
    query::vaults::VaultState,
};

mod hsm;

pub use self::hsm::{CopyOfBackup, HsmStatus, SecurityDomain};

/// The status of a source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Whether the source is well: it is not overdue, every kind can be listed, all failures are accepted, and every
    /// loss and change of location is acknowledged.
    ok: bool,
    /// Whether the newest run that covers it is older than expected, or there is none. Single failing objects do not
    /// make it overdue: they are listed under `failing`.
    overdue: bool,
    /// Why it is not well, the most urgent first.
    troubles: Vec<Trouble>,
    /// The numbers of its objects, unless its catalogue cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<ObjectNumbers>,
    /// When the last verification of it began: a time, `never`, or `unknown` if that cannot be read.
    #[schema(value_type = String, example = "2026-11-22T05:30:00Z")]
    verified: VerifiedAt,
    /// When the newest drill of it began that took place: a time, `never`, or `unknown` if that cannot be read. Without a drill vault
    /// it is `never`.
    #[schema(value_type = String, example = "2026-11-22T06:15:00Z")]
    drill: DrilledAt,
    /// What the newest drill of it came to. Absent where there was none, and without a drill vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_drill: Option<DrillItem>,
    /// Since when the second place lacks newer backups of it. Absent where it has everything, and without a second place.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    second_place_behind_since: Option<OffsetDateTime>,
    /// Of how many of its points in the second place the first one had lost something before they were copied. Absent without a
    /// second place.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_place_lacking: Option<u32>,
    /// The range of times as of which it can be restored.
    #[serde(flatten)]
    reach: Reach,
    /// The newest run of the whole source that covers it: every kind was listed, and what the run could not back up
    /// is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
    /// The newest run of the whole source.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Losses as of the newest run. A loss no longer counts once its objects are back or a person has acknowledged the
    /// run that found it.
    losses: Vec<KnownLoss>,
    /// The vault's change of location, as of the newest run. It no longer counts once a person has acknowledged the run
    /// that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<KnownMove>,
    /// Objects whose newest backup has an unknown form. Whether they are protected cannot be checked: a warning.
    unknown_forms: UnknownForms,
    /// Objects whose newest backup could not be taken, without those under `accepted`.
    failing: Failing,
    /// Objects whose newest backup could not be taken, and whose failure a person accepted until a date.
    accepted: AcceptedFailures,
    /// Runs that have not ended.
    running: Vec<RunItem>,
    /// Why nothing else is known, if the source's catalogue cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// Why a source is not well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trouble {
    /// Its stable name.
    #[serde(rename = "type")]
    #[schema(
        example = "overdue",
        pattern = "^(catalogue-unreadable|never-backed-up|overdue|backups-damaged|verification-unreadable|many-objects-gone|kinds-unlisted|objects-failing|last-backup-failed|hsm-copy-missing|vault-moved|second-place-late|security-domain-unchecked|drill-failed|drill-overdue)$"
    )]
    code: &'static str,
    /// What is wrong, in words.
    text: String,
}

impl From<&SourceTrouble> for Trouble {
    fn from(of: &SourceTrouble) -> Self {
        Self { code: of.code(), text: of.to_string() }
    }
}

/// The numbers of a source's objects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectNumbers {
    /// Objects that have a backup and were there when they were last listed, without those under `damaged`.
    protected: usize,
    /// How many of these have a backup that was taken since the last verification began: it is not verified yet. Zero if
    /// there was none.
    not_yet_verified: usize,
    /// Objects whose newest backup the last verification found missing or damaged.
    damaged: usize,
    /// Objects whose newest backup could not be taken, without the accepted ones.
    failing: usize,
    /// Failing objects that never had a backup.
    never_backed_up: usize,
    /// Objects whose newest backup could not be taken, and whose failure a person accepted.
    accepted: usize,
    /// Objects that are gone from the source and have a backup.
    gone: usize,
    /// When the oldest of the newest backups of protected objects was taken. Absent without protected objects.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    oldest_backup: Option<OffsetDateTime>,
    /// The most versions that an object had at its newest backup. Zero if none has a backup.
    most_versions: u32,
}

impl From<Objects> for ObjectNumbers {
    fn from(of: Objects) -> Self {
        let Objects {
            protected,
            not_verified,
            damaged,
            failing,
            without_backup,
            accepted,
            gone,
            unknown_forms: _,
            oldest,
            most_versions,
        } = of;
        Self {
            protected,
            not_yet_verified: not_verified,
            damaged,
            failing,
            never_backed_up: without_backup,
            accepted,
            gone,
            oldest_backup: oldest,
            most_versions,
        }
    }
}

/// When the last verification of a source began, `never`, or `unknown`.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedAt(pub state::VerifiedAt);

impl Serialize for VerifiedAt {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.time_or_word() {
            Ok(at) => time::serde::rfc3339::serialize(&at, to),
            Err(word) => to.serialize_str(word),
        }
    }
}

/// A time, or `never`.
#[derive(Clone, Copy, Debug)]
pub struct OrNever(pub Option<OffsetDateTime>);

impl Serialize for OrNever {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(at) => time::serde::rfc3339::serialize(&at, to),
            None => to.serialize_str("never"),
        }
    }
}

/// The range of times as of which a source can be restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Before this time there is nothing to restore.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    earliest_restorable: Option<OffsetDateTime>,
    /// After this time there is nothing newer.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    newest_restorable: Option<OffsetDateTime>,
}

impl From<Option<Points>> for Reach {
    fn from(of: Option<Points>) -> Self {
        Self {
            earliest_restorable: of.map(|points| points.earliest),
            newest_restorable: of.map(|points| points.newest),
        }
    }
}

/// A run that covers its source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// The backups show the state at this time or later.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    /// The age of that state.
    age_seconds: i64,
}

/// Failing objects.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Failing {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<RunObject>,
}

/// A loss, and whether it is acknowledged.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownLoss {
    /// The loss.
    #[serde(flatten)]
    loss: Loss,
    /// The acknowledgement, if there is one. The next run no longer reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Acknowledged>,
}

/// A vault's change of location, and whether it is acknowledged.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownMove {
    /// The earlier location and the present one.
    #[serde(flatten)]
    moved: Moved,
    /// The acknowledgement, if there is one. The next run no longer reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Acknowledged>,
}

/// The acknowledgement of a loss or of a change of location.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acknowledged {
    /// Why.
    reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// Failing objects whose failure a person accepted. When one fails for another reason, or its acceptance expires, it is
/// under `failing` again.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct AcceptedFailures {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<AcceptedFailure>,
}

/// A failing object whose failure a person accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedFailure {
    /// The object.
    #[serde(flatten)]
    object: RunObject,
    /// Why it is accepted.
    reason: String,
    /// When the acceptance expires.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl SourceStatus {
    /// The status of a vault at `now`.
    pub fn new(VaultState { state, open, known }: VaultState, now: OffsetDateTime) -> Self {
        let (known, problem) = match known {
            Ok(known) => (known, None),
            Err(error) => (Known::default(), Some(Problem::from(error).into())),
        };
        let Newest { last, covering, .. } = known.newest;
        let vault = &state.source;
        Self {
            source: vault.to_string(),
            ok: state.is_ok(),
            overdue: state.is_overdue(),
            troubles: state.troubles.iter().map(Into::into).collect(),
            objects: state.objects.map(Into::into),
            verified: VerifiedAt(state.verified()),
            second_place_behind_since: state.second.and_then(|of| of.behind_since),
            second_place_lacking: state.second.map(|of| of.lacking),
            drill: DrilledAt(state.drills.at()),
            last_drill: state.drills.last.as_deref().map(Into::into),
            reach: state.points.into(),
            newest_success: covering.map(|run| Success::new(&run, now)),
            last_run: last.map(|last| RunItem::closed(vault, &last)),
            losses: known.losses.iter().map(KnownLoss::new).collect(),
            moved: known.moved.as_ref().map(KnownMove::new),
            unknown_forms: UnknownForms::new(known.objects.unknown_forms, &known.unknown_forms),
            failing: Failing {
                total: known.objects.failing,
                objects: known.failing.iter().map(Into::into).collect(),
            },
            accepted: AcceptedFailures {
                total: known.objects.accepted,
                objects: known.accepted.iter().filter_map(AcceptedFailure::new).collect(),
            },
            running: open.iter().map(RunItem::open).collect(),
            problem,
        }
    }
}

impl KnownLoss {
    fn new((loss, acknowledged): &(loss::Loss, Option<Acknowledgement>)) -> Self {
        Self { loss: loss.into(), acknowledged: acknowledged.as_ref().map(Into::into) }
    }
}

impl KnownMove {
    fn new((moved, acknowledged): &(Box<observed_location::Moved>, Option<Acknowledgement>)) -> Self {
        Self { moved: (&**moved).into(), acknowledged: acknowledged.as_ref().map(Into::into) }
    }
}

impl From<&Acknowledgement> for Acknowledged {
    fn from(of: &Acknowledgement) -> Self {
        Self { reason: of.reason.to_string(), at: of.at }
    }
}

impl AcceptedFailure {
    fn new((line, record): &(Line, AcceptanceRecord)) -> Option<Self> {
        let Acceptance::Accepted { reason, until, .. } = &record.acceptance else { return None };
        Some(Self { object: line.into(), reason: reason.to_string(), until: *until, since: record.at })
    }
}

impl Success {
    fn new(of: &Summary, now: OffsetDateTime) -> Self {
        Self::at(of.run.to_string(), of.planned, now)
    }

    /// A run whose backups show the state at `as_of`.
    pub fn at(run: String, as_of: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { run, as_of, age_seconds: (now - as_of).whole_seconds() }
    }
}
