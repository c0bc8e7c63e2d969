//! What the trail tells of.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::subject::Subject;
use crate::domain::{
    acknowledged::{Acceptance, AcceptanceRecord, Acknowledgement, Reason},
    digest::Digest,
    drill::DrillId,
    hsm::{Attestation, Person, Quorum},
    object::{ObjectId, ObjectName},
    restore::{RestoreId, RestoreJob, RestoreNumbers},
    retention::{Act, Decision, Hold},
    right::Right,
    run::{RunId, Verdict},
    source::{SourceId, SourceName},
};

/// How far apart the clocks of processes that record one event may be.
const SKEW: Duration = Duration::minutes(5);

/// An event on the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case", tag = "event")]
#[strum(serialize_all = "kebab-case")]
pub enum Event {
    /// An actor requested a backup.
    BackupRequested {
        /// The vault.
        vault: SourceName,
        /// The run.
        run: RunId,
        /// How many objects were named; 0 means the whole vault.
        objects: u32,
    },
    /// A restore begins.
    RestoreStarted {
        /// The restore.
        restore: RestoreId,
        /// The digest of its plan.
        plan: Digest,
        /// The vault whose backups are restored.
        source: SourceName,
        /// The vault that they are restored into.
        target: SourceName,
        /// How many objects are restored.
        steps: u32,
        /// The soft-deleted objects that are purged for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purges: Vec<ObjectId>,
    },
    /// A person planned a restore that needs an approval.
    RestorePlanned {
        /// The digest of the plan.
        plan: Digest,
        /// The source.
        source: SourceName,
        /// The target.
        target: SourceName,
        /// When it was planned.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// A second person approved a plan.
    RestoreApproved {
        /// The digest of the plan.
        plan: Digest,
        /// The source.
        source: SourceName,
        /// The target.
        target: SourceName,
        /// When the approval ends.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// When it was approved.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// An actor requested a backup of an HSM.
    HsmBackupRequested {
        /// The HSM.
        hsm: SourceName,
        /// The run.
        run: RunId,
    },
    /// A restore was told to stop before its end.
    RestoreAbandoned {
        /// The restore.
        restore: RestoreId,
        /// The vault that it restores into.
        target: SourceName,
    },
    /// A person brings the copy of an HSM's backup back, where an HSM can read it.
    HsmCopyBack {
        /// The HSM.
        hsm: SourceName,
        /// The run that left the backup.
        run: RunId,
        /// The folder that it is put into.
        folder: String,
        /// When it began.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// People checked the security domain of an HSM.
    SecurityDomainAttested {
        /// The HSM.
        hsm: SourceName,
        /// How many of how many keys are needed.
        quorum: Quorum,
        /// The people who checked.
        people: Vec<Person>,
        /// When it was recorded; the name of the resulting record contains it.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// A restore of an HSM begins.
    HsmRestoreStarted {
        /// The restore.
        restore: RestoreId,
        /// The digest of its plan.
        plan: Digest,
        /// The HSM whose backup is restored.
        source: SourceName,
        /// The HSM that it is restored into.
        target: SourceName,
        /// Whether everything in the target is replaced.
        everything: bool,
        /// The keys, when some are restored.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keys: Vec<ObjectName>,
    },
    /// A restore of an HSM has ended.
    HsmRestoreEnded {
        /// The restore.
        restore: RestoreId,
        /// The HSM.
        hsm: SourceName,
        /// How it ended.
        verdict: Verdict,
    },
    /// A restore has ended.
    RestoreEnded {
        /// The restore.
        restore: RestoreId,
        /// How it ended.
        verdict: Verdict,
        /// Its numbers.
        numbers: RestoreNumbers,
    },
    /// A person acknowledges the loss that a run found.
    LossAcknowledged {
        /// The source.
        source: SourceName,
        /// The run.
        run: RunId,
        /// The reason.
        reason: Reason,
    },
    /// A person accepts that an object fails.
    FailureAccepted {
        /// The source.
        source: SourceName,
        /// The object.
        object: ObjectId,
        /// The code of the failure.
        code: String,
        /// The reason.
        reason: Reason,
        /// When the acceptance ends.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
        /// When it was decided; the name of the resulting record contains it.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// A person decided something about retention: a release, a consent, a hold.
    RetentionDecided {
        /// The source.
        source: SourceName,
        /// What was decided: `release`, `withdraw`, `consent`, `forget`, `hold-set`, `hold-released`; `applied` in the second place.
        decision: String,
        /// What it is about, in words.
        what: String,
        /// The reason.
        reason: Reason,
        /// When it was decided.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
    /// A person at a terminal asked for a drill.
    DrillRequested {
        /// The drill.
        drill: DrillId,
        /// The source.
        source: SourceName,
        /// The drill vault.
        target: SourceName,
    },
    /// A person no longer accepts that an object fails.
    AcceptanceWithdrawn {
        /// The source.
        source: SourceName,
        /// The object.
        object: ObjectId,
        /// When it was decided; the name of the resulting record contains it.
        #[serde(with = "time::serde::rfc3339")]
        decided: OffsetDateTime,
    },
}

impl From<&Acknowledgement> for Event {
    fn from(of: &Acknowledgement) -> Self {
        let Acknowledgement { source, run, reason, .. } = of.clone();
        Self::LossAcknowledged { source, run, reason }
    }
}

impl From<&AcceptanceRecord> for Event {
    fn from(of: &AcceptanceRecord) -> Self {
        let (source, object, decided) = (of.source.clone(), of.id(), of.at);
        match of.acceptance.clone() {
            Acceptance::Accepted { code, reason, until } => {
                Self::FailureAccepted { source, object, code, reason, until, decided }
            }
            Acceptance::Withdrawn => Self::AcceptanceWithdrawn { source, object, decided },
        }
    }
}

impl From<&Decision> for Event {
    fn from(of: &Decision) -> Self {
        let what = match &of.act {
            Act::Consent { points } => format!("{points} points may go"),
            Act::Release => "the source is no longer configured, and its policy applies".to_owned(),
            Act::Forget { kind, name } => format!("the backups of {kind} {name} may not exist any longer"),
            Act::Withdraw => "the source keeps everything while it is not configured".to_owned(),
        };
        Self::RetentionDecided {
            source: of.source.clone(),
            decision: of.act.name().to_owned(),
            what,
            reason: of.reason.clone(),
            decided: of.at,
        }
    }
}

impl From<&Attestation> for Event {
    fn from(of: &Attestation) -> Self {
        let Attestation { hsm, quorum, people, at, .. } = of.clone();
        Self::SecurityDomainAttested { hsm, quorum, people, decided: at }
    }
}

impl Event {
    /// That a hold was set or released.
    pub fn of_hold(hold: &Hold, released: bool) -> Self {
        Self::RetentionDecided {
            source: hold.source.clone(),
            decision: if released { "hold-released" } else { "hold-set" }.to_owned(),
            what: format!("{} for ticket {}", hold.scope, hold.ticket),
            reason: hold.reason.clone(),
            decided: hold.at,
        }
    }

    /// That the owners of the second place let go what the first has deleted.
    pub fn of_second(source: &SourceId, reason: &Reason, decided: OffsetDateTime) -> Self {
        Self::RetentionDecided {
            source: source.name.clone(),
            decision: "applied".to_owned(),
            what: format!("{}, in the second place", source.kind),
            reason: reason.clone(),
            decided,
        }
    }

    /// The end of a restore.
    pub fn ended(job: &RestoreJob) -> Self {
        Self::RestoreEnded { restore: job.id.clone(), verdict: job.numbers.verdict(), numbers: job.numbers }
    }

    /// The sources that it names: whose backups or objects it is about, and what is restored into.
    pub fn sources(&self) -> Vec<&SourceName> {
        match self {
            Self::BackupRequested { vault, .. } => vec![vault],
            Self::HsmBackupRequested { hsm, .. }
            | Self::HsmRestoreEnded { hsm, .. }
            | Self::HsmCopyBack { hsm, .. }
            | Self::SecurityDomainAttested { hsm, .. } => vec![hsm],
            Self::RestoreStarted { source, target, .. }
            | Self::RestorePlanned { source, target, .. }
            | Self::RestoreApproved { source, target, .. }
            | Self::DrillRequested { source, target, .. }
            | Self::HsmRestoreStarted { source, target, .. } => vec![source, target],
            Self::RestoreAbandoned { target, .. } => vec![target],
            Self::RestoreEnded { .. } => Vec::new(),
            Self::LossAcknowledged { source, .. }
            | Self::FailureAccepted { source, .. }
            | Self::RetentionDecided { source, .. }
            | Self::AcceptanceWithdrawn { source, .. } => vec![source],
        }
    }

    /// What the event is about.
    fn subject(&self) -> Subject<'_> {
        match self {
            Self::BackupRequested { run, .. } | Self::HsmBackupRequested { run, .. } => {
                Subject::Named(run.as_str())
            }
            Self::RestoreStarted { restore, .. }
            | Self::RestoreEnded { restore, .. }
            | Self::RestoreAbandoned { restore, .. }
            | Self::HsmRestoreStarted { restore, .. }
            | Self::HsmRestoreEnded { restore, .. } => Subject::Named(restore.as_str()),
            Self::DrillRequested { drill, .. } => Subject::Named(drill.as_str()),
            Self::RestorePlanned { plan, decided, .. } | Self::RestoreApproved { plan, decided, .. } => {
                Subject::Plan(plan, *decided)
            }
            Self::LossAcknowledged { source, run, reason } => Subject::Loss(source, run, reason),
            Self::SecurityDomainAttested { hsm, decided, .. } => {
                Subject::Decided(hsm, "security-domain", *decided)
            }
            Self::HsmCopyBack { hsm, run, decided, .. } => Subject::Decided(hsm, run.as_str(), *decided),
            Self::RetentionDecided { source, what, decided, .. } => Subject::Decided(source, what, *decided),
            Self::FailureAccepted { source, object, decided, .. }
            | Self::AcceptanceWithdrawn { source, object, decided } => {
                Subject::Object(source, object, *decided)
            }
        }
    }

    /// Whether another record describes the same event. Each kind of event occurs once for its subject; there may be
    /// any number of decisions about an object.
    pub fn is_that_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.subject() == other.subject()
    }

    /// The subject as a text, for the names of records.
    pub fn subject_text(&self) -> String {
        self.subject().text()
    }

    /// Its stored name.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The right by which it is done, unless a person at a terminal does it.
    pub const fn right(&self) -> Right {
        match self {
            Self::BackupRequested { .. } | Self::HsmBackupRequested { .. } => Right::Backup,
            Self::RestoreStarted { .. }
            | Self::RestoreEnded { .. }
            | Self::RestoreAbandoned { .. }
            | Self::RestorePlanned { .. }
            | Self::RestoreApproved { .. }
            | Self::HsmRestoreStarted { .. }
            | Self::HsmRestoreEnded { .. } => Right::Restore,
            Self::LossAcknowledged { .. }
            | Self::FailureAccepted { .. }
            | Self::RetentionDecided { .. }
            | Self::HsmCopyBack { .. }
            | Self::SecurityDomainAttested { .. }
            | Self::DrillRequested { .. }
            | Self::AcceptanceWithdrawn { .. } => Right::Terminal,
        }
    }

    /// The earliest time at which it can have been recorded: a run, a restore or a decision is not recorded before its
    /// time.
    pub fn earliest(&self) -> OffsetDateTime {
        self.subject().since().map_or(OffsetDateTime::UNIX_EPOCH, |since| since - SKEW)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn vault() -> SourceName {
        "kv-prod".parse().unwrap()
    }

    fn restore() -> RestoreId {
        RestoreId::new(NOW, 7)
    }

    #[test]
    fn an_event_is_told_again_by_a_record_of_its_kind_and_its_run() {
        let run = |salt| RunId::manual(NOW, salt);
        let backup = |salt, objects| Event::BackupRequested { vault: vault(), run: run(salt), objects };
        let of_hsm = Event::HsmBackupRequested { hsm: "kv-prod".parse().unwrap(), run: run(7) };
        let table = [(backup(7, 2), true), (backup(8, 1), false), (of_hsm, false)];
        for (other, expected) in table {
            assert_eq!(backup(7, 1).is_that_of(&other), expected, "{other:?}");
        }
        let ended =
            |verdict| Event::HsmRestoreEnded { restore: restore(), hsm: "hsm-a".parse().unwrap(), verdict };
        assert!(ended(Verdict::Failed).is_that_of(&ended(Verdict::Succeeded)), "it ends once");
    }

    #[test]
    fn nothing_is_told_of_what_was_not_asked_for_yet() {
        let hsm = "hsm-a".parse().unwrap();
        let event = Event::HsmRestoreEnded { restore: restore(), hsm, verdict: Verdict::Succeeded };
        assert_eq!(event.earliest(), NOW - Duration::minutes(5), "clocks may be a little apart");
    }

    #[test]
    fn an_event_is_told_once_and_a_new_decision_is_a_new_event() {
        let night = datetime!(2026-11-22 02:00 UTC);
        let loss = |source: &str, reason: &str| Event::LossAcknowledged {
            source: source.parse().unwrap(),
            run: RunId::nightly(night),
            reason: reason.parse().unwrap(),
        };
        let object = |name: &str| ObjectId::new("secret".parse().unwrap(), name.parse().unwrap());
        let accepted = |name: &str, decided| Event::FailureAccepted {
            source: "kv-a".parse().unwrap(),
            object: object(name),
            code: "TooManyVersions".into(),
            reason: "known".parse().unwrap(),
            until: datetime!(2027-02-01 0:00 UTC),
            decided,
        };
        let withdrawn = |decided| Event::AcceptanceWithdrawn {
            source: "kv-a".parse().unwrap(),
            object: object("worn"),
            decided,
        };
        let later = night + Duration::SECOND;
        let cases = [
            (loss("kv-a", "moved"), loss("kv-a", "moved"), true, "the one loss"),
            (loss("kv-a", "moved"), loss("kv-b", "moved"), false, "of another source"),
            (loss("kv-a", "moved"), loss("kv-a", "other words"), false, "in other words"),
            (accepted("worn", night), accepted("WORN", night), true, "the one decision"),
            (accepted("worn", night), accepted("worn", later), false, "another decision"),
            (accepted("worn", night), accepted("other", night), false, "another object"),
            (accepted("worn", night), withdrawn(night), false, "another event"),
        ];
        for (one, other, same, what) in cases {
            assert_eq!(one.is_that_of(&other), same, "{what}");
            let by_name = (one.name(), one.subject_text()) == (other.name(), other.subject_text());
            assert_eq!(by_name, same, "{what}, by the names of the records");
        }
        for event in [loss("kv-a", "moved"), accepted("worn", night), withdrawn(night)] {
            assert_eq!(event.earliest(), night - Duration::minutes(5));
            let stored = serde_json::to_value(&event).unwrap();
            assert_eq!(stored["event"], event.name());
            assert_eq!(serde_json::from_value::<Event>(stored).unwrap(), event);
        }
    }

    #[test]
    fn an_event_has_the_name_that_is_stored() {
        let (run, hsm): (_, SourceName) = (RunId::manual(NOW, 7), "hsm-a".parse().unwrap());
        for event in [
            Event::BackupRequested { vault: vault(), run: run.clone(), objects: 0 },
            Event::HsmBackupRequested { hsm: hsm.clone(), run },
            Event::RestoreStarted {
                restore: restore(),
                plan: Digest::of(b""),
                source: vault(),
                target: vault(),
                steps: 1,
                purges: Vec::new(),
            },
            Event::RestoreEnded {
                restore: restore(),
                verdict: Verdict::Failed,
                numbers: RestoreNumbers::default(),
            },
            Event::RestoreAbandoned { restore: restore(), target: vault() },
            Event::HsmRestoreStarted {
                restore: restore(),
                plan: Digest::of(b""),
                source: hsm.clone(),
                target: hsm.clone(),
                everything: true,
                keys: Vec::new(),
            },
            Event::HsmRestoreEnded { restore: restore(), hsm, verdict: Verdict::Failed },
        ] {
            assert_eq!(serde_json::to_value(&event).unwrap()["event"], event.name());
        }
    }

    #[test]
    fn events_of_plans_keep_their_stored_forms() {
        let (plan, source, target) = (Digest::of(b"a"), vault(), "kv-b".parse::<SourceName>().unwrap());
        let (decided, until) = (datetime!(2026-11-22 10:00 UTC), datetime!(2026-11-22 18:00 UTC));
        let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        let of = format!(r#""plan":"{digest}","source":"{source}","target":"kv-b""#);
        let (from, into) = (source.clone(), target.clone());
        for (event, stored) in [
            (
                Event::RestorePlanned { plan, source, target, decided },
                format!(r#"{{"event":"restore-planned",{of},"decided":"2026-11-22T10:00:00Z"}}"#),
            ),
            (
                Event::RestoreApproved { plan, source: from, target: into, until, decided },
                format!(
                    r#"{{"event":"restore-approved",{of},"until":"2026-11-22T18:00:00Z","decided":"2026-11-22T10:00:00Z"}}"#
                ),
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Event>(&stored).unwrap(), event);
        }
    }
}
