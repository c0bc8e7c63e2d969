//! The audit trail.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{actor::By, object::Kind, restore::Numbers, state::State},
    catalogue::{Checked, CheckedSection},
    domain::audit::{Event, Expected, Record},
};

/// The records of the trail, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trail {
    /// The records.
    pub records: Vec<TrailRecord>,
}

/// A record of the trail. `event` determines which of the other fields there are.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrailEvent {
    /// What happened.
    #[schema(
        example = "restore-started",
        pattern = "^(backup-requested|hsm-backup-requested|restore-planned|restore-approved|restore-started|restore-abandoned|restore-ended|hsm-restore-started|hsm-restore-ended|loss-acknowledged|failure-accepted|acceptance-withdrawn|retention-decided|hsm-copy-back|security-domain-attested|drill-requested)$"
    )]
    event: &'static str,
    /// The source whose backups or objects it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The vault or HSM that is restored into.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<String>,
    /// The drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "20261206T061500Z-drill-0f3a9c41")]
    drill: Option<String>,
    /// The digest of the restore's plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// How many objects were named, or are restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<u32>,
    /// Soft-deleted objects that are purged for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purges: Vec<TrailObject>,
    /// Whether everything in the HSM is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_everything: Option<bool>,
    /// The keys, when some are restored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    /// How the restore ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Its numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
    /// The object that is accepted to fail, or no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<TrailObject>,
    /// The code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What was decided about retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// How many of how many keys of the security domain are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2/3")]
    quorum: Option<String>,
    /// The people who checked it, as they were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<String>,
    /// Why it is acknowledged or accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When the acceptance or the approval expires.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    until: Option<OffsetDateTime>,
}

/// An object that a record names.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
}

/// A record of the trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailRecord {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The actor.
    by: By,
    /// What happened.
    #[serde(flatten)]
    event: TrailEvent,
}

impl From<&Record> for TrailRecord {
    fn from(record: &Record) -> Self {
        Self {
            at: record.at,
            by: (&record.by).into(),
            event: TrailEvent { event: record.event.name(), ..(&record.event).into() },
        }
    }
}

impl From<&crate::domain::object::ObjectId> for TrailObject {
    fn from(id: &crate::domain::object::ObjectId) -> Self {
        Self { kind: id.kind.into(), name: id.name.to_string() }
    }
}

impl From<&Event> for TrailEvent {
    fn from(event: &Event) -> Self {
        let text = |of: &dyn std::fmt::Display| Some(of.to_string());
        match event {
            Event::BackupRequested { vault, run, objects } => Self {
                source: text(vault),
                run: text(run),
                objects: Some(*objects).filter(|objects| *objects > 0),
                ..Self::default()
            },
            Event::HsmBackupRequested { hsm, run } => {
                Self { source: text(hsm), run: text(run), ..Self::default() }
            }
            Event::RestoreStarted { restore, plan, source, target, steps, purges } => Self {
                restore: text(restore),
                plan: text(plan),
                source: text(source),
                target: text(target),
                objects: Some(*steps),
                purges: purges.iter().map(Into::into).collect(),
                ..Self::default()
            },
            Event::HsmRestoreStarted { restore, plan, source, target, everything, keys } => Self {
                restore: text(restore),
                plan: text(plan),
                source: text(source),
                target: text(target),
                replaces_everything: Some(*everything),
                keys: keys.iter().map(ToString::to_string).collect(),
                ..Self::default()
            },
            Event::RestorePlanned { plan, source, target, .. } => {
                Self { plan: text(plan), source: text(source), target: text(target), ..Self::default() }
            }
            Event::RestoreApproved { plan, source, target, until, .. } => Self {
                plan: text(plan),
                source: text(source),
                target: text(target),
                until: Some(*until),
                ..Self::default()
            },
            Event::DrillRequested { drill, source, target } => {
                Self { drill: text(drill), source: text(source), target: text(target), ..Self::default() }
            }
            Event::RestoreAbandoned { .. } | Event::RestoreEnded { .. } | Event::HsmRestoreEnded { .. } => {
                Self::ended(event)
            }
            Event::LossAcknowledged { .. }
            | Event::FailureAccepted { .. }
            | Event::RetentionDecided { .. }
            | Event::HsmCopyBack { .. }
            | Event::SecurityDomainAttested { .. }
            | Event::AcceptanceWithdrawn { .. } => Self::decided(event),
        }
    }
}

impl TrailEvent {
    /// The end of a restore.
    fn ended(event: &Event) -> Self {
        match event {
            Event::RestoreAbandoned { restore, target } => Self {
                restore: Some(restore.to_string()),
                target: Some(target.to_string()),
                ..Self::default()
            },
            Event::RestoreEnded { restore, verdict, numbers } => Self {
                restore: Some(restore.to_string()),
                state: Some((*verdict).into()),
                numbers: Some((*numbers).into()),
                ..Self::default()
            },
            Event::HsmRestoreEnded { restore, hsm, verdict } => Self {
                restore: Some(restore.to_string()),
                target: Some(hsm.to_string()),
                state: Some((*verdict).into()),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    /// The decision of a person.
    fn decided(event: &Event) -> Self {
        match event {
            Event::LossAcknowledged { source, run, reason } => Self {
                source: Some(source.to_string()),
                run: Some(run.to_string()),
                reason: Some(reason.to_string()),
                ..Self::default()
            },
            Event::HsmCopyBack { hsm, run, folder, .. } => Self {
                source: Some(hsm.to_string()),
                run: Some(run.to_string()),
                what: Some(folder.clone()),
                ..Self::default()
            },
            Event::SecurityDomainAttested { hsm, quorum, people, .. } => Self {
                source: Some(hsm.to_string()),
                quorum: Some(quorum.to_string()),
                people: people.iter().map(ToString::to_string).collect(),
                ..Self::default()
            },
            Event::RetentionDecided { source, what, reason, .. } => Self {
                source: Some(source.to_string()),
                what: Some(what.clone()),
                reason: Some(reason.to_string()),
                ..Self::default()
            },
            Event::FailureAccepted { source, object, code, reason, until, .. } => Self {
                source: Some(source.to_string()),
                object: Some(object.into()),
                code: Some(code.clone()),
                reason: Some(reason.to_string()),
                until: Some(*until),
                ..Self::default()
            },
            Event::AcceptanceWithdrawn { source, object, .. } => {
                Self { source: Some(source.to_string()), object: Some(object.into()), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

/// Whether the trail is whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailCheck {
    /// How many records there are.
    records: u32,
    /// Whether nothing is missing and nothing was changed; absent for a trail without records.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<bool>,
    /// Its sections.
    sections: Vec<TrailSection>,
    /// What is wrong.
    faults: Vec<TrailFault>,
    /// What was expected and is gone: digests of which there is no record, and `SECTION:NUMBER:SHA256` of sections that do
    /// not reach as far any more.
    gone: Vec<String>,
    /// What was expected, `SECTION:NUMBER:SHA256`, where there is another record in its place.
    changed: Vec<String>,
}

/// A section of the trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailSection {
    /// Its name.
    section: String,
    /// How many records it has.
    records: u32,
    /// The time of its first readable record.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    first: Option<OffsetDateTime>,
    /// The time of its last readable record.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    last: Option<OffsetDateTime>,
    /// The number of its newest record. `SECTION:NUMBER:SHA256`, with the digest of `head`, is what `--expect` takes.
    number: u32,
    /// Its newest record.
    head: TrailLink,
}

/// A record, by its name and digest.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailLink {
    /// Its name.
    name: String,
    /// The digest of its bytes.
    sha256: String,
}

/// What is wrong at one record.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrailFault {
    /// The record.
    record: String,
    /// What is wrong with it.
    fault: String,
}

impl TrailCheck {
    /// The result of a check. `faults` are in words.
    pub fn new(
        checked: &Checked,
        whole: Option<bool>,
        faults: Vec<(String, String)>,
        gone: &[Expected],
        changed: &[Expected],
    ) -> Self {
        let texts = |of: &[Expected]| of.iter().map(ToString::to_string).collect();
        let section = |of: &CheckedSection| TrailSection {
            section: of.name.clone(),
            records: of.records,
            first: of.first,
            last: of.last,
            number: of.number(),
            head: TrailLink { name: of.head.name.clone(), sha256: of.head.sha256.to_string() },
        };
        Self {
            records: checked.records,
            whole,
            sections: checked.sections.iter().map(section).collect(),
            faults: faults.into_iter().map(|(record, fault)| TrailFault { record, fault }).collect(),
            gone: texts(gone),
            changed: texts(changed),
        }
    }
}
