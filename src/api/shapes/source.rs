//! How each source is.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
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
        observed_location,
    },
    query::vaults::{Doing, Known, Newest},
};

mod hsm;

pub use self::hsm::HsmStatus;

/// How a source is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Whether it is not overdue, nothing in it fails but what is accepted, everything in it can be listed, and
    /// nothing is lost and nothing has moved but what is acknowledged.
    ok: bool,
    /// Whether the newest run that covers it is older than expected, or there is none. Objects that fail on their
    /// own do not make it overdue: they stand under `failing`.
    overdue: bool,
    /// The newest run of the whole source that covers it: every kind was listed, and what the run could not back up
    /// is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
    /// The newest run of the whole source.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Many objects that were gone at once, as of the newest run. They are no trouble once they are back or a person
    /// has acknowledged the run that saw it.
    losses: Vec<KnownLoss>,
    /// That the vault lies elsewhere than it did, as of the newest run. It is no trouble once a person has acknowledged the
    /// run that saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<KnownMove>,
    /// Objects whose newest backup has a form that was not known. They are protected as far as anybody can tell: a warning.
    unknown_forms: UnknownForms,
    /// Objects whose newest backup could not be taken, without those under `accepted`.
    failing: Failing,
    /// Objects whose newest backup could not be taken either, and for which a person answers until a date.
    accepted: AcceptedFailures,
    /// Runs that have not ended.
    running: Vec<RunItem>,
    /// Why nothing else is known, when the source's catalogue cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// A run that covers its source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// What is backed up is at least as new as this.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    /// How long ago that was.
    age_seconds: i64,
}

/// Objects that fail.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Failing {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<RunObject>,
}

/// Many objects that were gone at once, and what a person said of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownLoss {
    /// The loss.
    #[serde(flatten)]
    loss: Loss,
    /// That a person has acknowledged it. The next run does not have it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Acknowledged>,
}

/// A vault that lies elsewhere than it did, and what a person said of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownMove {
    /// From where, and where to.
    #[serde(flatten)]
    moved: Moved,
    /// That a person has acknowledged it. The next run does not have it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Acknowledged>,
}

/// That a person has acknowledged a loss or a move.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acknowledged {
    /// Why.
    reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// Objects that fail, as a person accepted. When one fails for another reason, or its time is over, it is under
/// `failing` again.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct AcceptedFailures {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<AcceptedFailure>,
}

/// An object that fails, as a person accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedFailure {
    /// The object.
    #[serde(flatten)]
    object: RunObject,
    /// Why it is accepted.
    reason: String,
    /// Until when. From then on it is a failure again.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl SourceStatus {
    /// How a source is `now`.
    pub fn new(doing: Doing, interval: time::Duration, now: OffsetDateTime) -> Self {
        let ok = doing.is_ok(interval, now);
        let Doing { vault, open, known } = doing;
        let (known, problem) = match known {
            Ok(known) => (known, None),
            Err(error) => (Known::default(), Some(Problem::from(error).into())),
        };
        let overdue = known.newest.is_overdue(interval, now);
        let Newest { last, covering, .. } = known.newest;
        Self {
            source: vault.to_string(),
            ok,
            overdue,
            newest_success: covering.map(|run| Success::new(&run, now)),
            last_run: last.map(|last| RunItem::closed(&vault, &last)),
            losses: known.losses.iter().map(KnownLoss::new).collect(),
            moved: known.moved.as_ref().map(KnownMove::new),
            unknown_forms: UnknownForms::new(known.unknown_forms_total, &known.unknown_forms),
            failing: Failing {
                total: known.failing_total,
                objects: known.failing.iter().map(Into::into).collect(),
            },
            accepted: AcceptedFailures {
                total: known.accepted_total,
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

    /// A run whose backups show the state at a time.
    pub fn at(run: String, as_of: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { run, as_of, age_seconds: (now - as_of).whole_seconds() }
    }
}
