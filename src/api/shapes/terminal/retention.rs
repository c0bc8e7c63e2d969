//! What retention did, and holds.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{actor::By, object::Kind},
    domain::{
        retention::Hold,
        source::{SourceId, SourceName},
    },
    retention::{
        Applied,
        forget::{LeftInSecond, Stays, StoredBackup},
        legal,
    },
};

/// What a pass of retention did for one source.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionApplied {
    /// The source.
    source: String,
    /// The runs whose points were let go. Nothing of them is deleted before two days have passed.
    dropped: Vec<String>,
    /// The runs of earlier passes whose points are offered again, and why.
    reinstated: Vec<RunAndWhy>,
    /// The runs of earlier passes of which everything that may go is deleted.
    swept: Vec<String>,
    /// The runs whose deletion waits, and for what.
    waiting: Vec<RunAndWhy>,
    /// How many blobs were deleted.
    blobs: u64,
    /// Their size.
    bytes: u64,
}

/// A run, and a reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunAndWhy {
    /// The run.
    run: String,
    /// The reason.
    why: String,
}

impl RetentionApplied {
    /// What was done for a source.
    pub fn new(of: &SourceId, done: &Applied) -> Self {
        let names = |runs: &[crate::domain::run::RunId]| runs.iter().map(ToString::to_string).collect();
        let whys = |runs: &[(crate::domain::run::RunId, String)]| {
            runs.iter().map(|(run, why)| RunAndWhy { run: run.to_string(), why: why.clone() }).collect()
        };
        Self {
            source: of.name.to_string(),
            dropped: names(&done.dropped),
            reinstated: whys(&done.reinstated),
            swept: names(&done.swept),
            waiting: whys(&done.waiting),
            blobs: done.blobs,
            bytes: done.bytes,
        }
    }
}

/// What is forgotten of a source, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionForget {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Whether it is done. Otherwise this is what would be done.
    done: bool,
    /// Every stored backup of the objects.
    backups: Vec<ForgottenBackup>,
    /// What the second place has of them. Absent where none is named.
    #[serde(rename = "secondPlace", skip_serializing_if = "Option::is_none")]
    second: Option<ForgottenInSecond>,
}

/// What the second place has of objects that are forgotten, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgottenInSecond {
    /// How many backups. Absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    backups: Option<usize>,
    /// The day before which none of them can go there.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl From<&Result<LeftInSecond, String>> for ForgottenInSecond {
    fn from(of: &Result<LeftInSecond, String>) -> Self {
        let left = of.as_ref().ok();
        Self {
            backups: left.map(|left| left.backups),
            until: left.filter(|left| left.backups > 0).map(|left| left.until.to_string()),
            problem: of.as_ref().err().cloned(),
        }
    }
}

/// A stored backup of an object that is forgotten, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgottenBackup {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    name: String,
    /// The run that took it.
    run: String,
    /// Its size.
    bytes: u64,
    /// Why it cannot be deleted now. Absent if it can, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    stays: Option<String>,
    /// The day until which storage keeps it, if that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl RetentionForget {
    /// The backups of the objects, as they were found.
    pub fn new(source: &SourceName, done: bool, backups: &[StoredBackup]) -> Self {
        let backups = backups.iter().map(|backup| ForgottenBackup {
            kind: backup.object.kind.into(),
            name: backup.object.name.to_string(),
            run: backup.run.to_string(),
            bytes: backup.version.bytes,
            stays: backup.stays.as_ref().map(ToString::to_string),
            until: match &backup.stays {
                Some(Stays::Until(day)) => Some(day.to_string()),
                _ => None,
            },
        });
        Self { source: source.to_string(), done, backups: backups.collect(), second: None }
    }
}

impl RetentionForget {
    /// The same, with what the second place has.
    #[must_use]
    pub fn in_second(mut self, second: Option<&Result<LeftInSecond, String>>) -> Self {
        self.second = second.map(Into::into);
        self
    }
}

/// A person's decision about the retention of a source.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionDecided {
    /// The source.
    #[schema(example = "kv-old")]
    pub source: String,
    /// `release` or `withdraw`.
    #[schema(example = "release", pattern = "^(release|withdraw)$")]
    pub decided: &'static str,
}

/// Holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Holds {
    /// Every hold, also those that are released.
    pub holds: Vec<HoldItem>,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldItem {
    /// The source.
    source: String,
    /// What is held of it.
    pub on: String,
    /// The ticket.
    ticket: String,
    /// The number of the hold under its ticket.
    number: u32,
    /// Why.
    reason: String,
    /// The actor.
    by: By,
    /// When it was set.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Whether it was released.
    released: bool,
    /// What became of the storage's own legal holds. Absent in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_holds: Option<LegalHolds>,
}

/// What became of the storage's own legal holds on the blobs that a hold is on.
#[derive(Debug, Serialize, ToSchema)]
pub struct LegalHolds {
    /// How many blobs have one now; after a release: how many have none any more.
    done: usize,
    /// How many blobs the storage refused it for.
    refused: usize,
    /// Why it refused the first of them, or why the blobs are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<&legal::LegalHolds> for LegalHolds {
    fn from(of: &legal::LegalHolds) -> Self {
        Self { done: of.done, refused: of.refused, why: of.why.clone() }
    }
}

impl HoldItem {
    /// A hold, its number, and whether it was released.
    pub fn new(hold: &Hold, number: u32, released: bool) -> Self {
        Self {
            source: hold.source.to_string(),
            on: hold.scope.to_string(),
            ticket: hold.ticket.to_string(),
            number,
            reason: hold.reason.to_string(),
            by: (&hold.by).into(),
            at: hold.at,
            released,
            legal_holds: None,
        }
    }

    /// The hold with what became of the storage's own legal holds.
    #[must_use]
    pub fn with(self, legal_holds: &legal::LegalHolds) -> Self {
        Self { legal_holds: Some(legal_holds.into()), ..self }
    }
}
