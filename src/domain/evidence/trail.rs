//! What the audit trail has of a day.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    actor::Actor,
    audit::{Event, Head, Record},
    source::SourceName,
};

/// What the trail has of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailEvidence {
    /// How many records its sections of the day have.
    pub records: u32,
    /// What they tell of, without requests for backups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventSeen>,
    /// How many events there are beyond these.
    #[serde(default, skip_serializing_if = "crate::domain::run::is_zero")]
    pub more_events: u32,
    /// The newest record of each section of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Head>,
    /// How many sections there are beyond these.
    #[serde(default, skip_serializing_if = "crate::domain::run::is_zero")]
    pub more_heads: u32,
    /// How many records could not be read.
    #[serde(default, skip_serializing_if = "crate::domain::run::is_zero")]
    pub unread: u32,
}

/// An event on the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSeen {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The actor.
    pub by: Actor,
    /// The event's stored name.
    pub event: String,
    /// The sources that it is about, as far as it names any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<SourceName>,
    /// In words.
    pub text: String,
}

/// What sort of event it is, for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Sort {
    /// A person accepted, acknowledged, held or released something.
    Decision,
    /// A restore was planned or approved, where two people are needed.
    Approval,
    /// A restore began or ended.
    Restore,
}

impl EventSeen {
    /// What a report needs of a record; `None` for a request for a backup, of which only the number counts.
    pub fn of(record: &Record) -> Option<Self> {
        let Record { at, by, event, .. } = record;
        is_told(event.name()).then(|| Self {
            at: *at,
            by: by.clone(),
            event: event.name().to_owned(),
            about: about(event),
            text: event.to_string(),
        })
    }

    /// What sort of event it is.
    pub fn sort(&self) -> Sort {
        match self.event.as_str() {
            "restore-planned" | "restore-approved" => Sort::Approval,
            event if event.contains("restore") => Sort::Restore,
            _ => Sort::Decision,
        }
    }
}

/// Whether events of a name are told one by one.
pub(super) fn is_told(event: &str) -> bool {
    !event.ends_with("backup-requested")
}

impl TrailEvidence {
    /// Whether a record is read for its event, by the event's name.
    pub fn tells(event: &str) -> bool {
        is_told(event)
    }
}

fn about(event: &Event) -> Vec<SourceName> {
    let mut about: Vec<_> = event.sources().into_iter().cloned().collect();
    about.dedup();
    about
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        audit::AUDIT_FORMAT,
        restore::RestoreId,
        run::{RunId, Verdict},
        samples::NIGHT,
    };

    fn seen(event: Event) -> Option<EventSeen> {
        let by = Actor::TERMINAL;
        EventSeen::of(&Record { v: AUDIT_FORMAT, at: NIGHT, by, event, after: None, seen: Vec::new() })
    }

    #[test]
    fn decisions_and_restores_are_told_and_requests_for_backups_counted() {
        let (vault, run): (SourceName, _) = ("kv-a".parse().unwrap(), RunId::nightly(NIGHT));
        let (hsm, restore) = ("hsm-a".parse::<SourceName>().unwrap(), RestoreId::new(NIGHT, 7));
        let reason = "moved".parse().unwrap();
        assert_eq!(seen(Event::BackupRequested { vault: vault.clone(), run: run.clone(), objects: 1 }), None);
        assert_eq!(seen(Event::HsmBackupRequested { hsm: hsm.clone(), run: run.clone() }), None);
        let loss = seen(Event::LossAcknowledged { source: vault.clone(), run, reason }).unwrap();
        assert_eq!((loss.sort(), loss.about.clone()), (Sort::Decision, vec![vault.clone()]));
        assert!(loss.text.ends_with("acknowledged: moved"), "{}", loss.text);
        let ended =
            seen(Event::HsmRestoreEnded { restore, hsm: hsm.clone(), verdict: Verdict::Failed }).unwrap();
        assert_eq!((ended.sort(), ended.about), (Sort::Restore, vec![hsm]));
        let plan = crate::domain::digest::Digest::of(b"plan");
        let (source, target) = (vault.clone(), vault.clone());
        let planned = seen(Event::RestorePlanned { plan, source, target, decided: NIGHT }).unwrap();
        assert_eq!((planned.sort(), planned.about), (Sort::Approval, vec![vault]));
    }
}
