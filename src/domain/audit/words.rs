//! Events in words.

use std::fmt;

use super::Event;
use crate::domain::{counted::counted, hsm::Person, moment::second};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&words(self))
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::BackupRequested { vault, run, objects: 0 } => format!("backup of vault {vault}, run {run}"),
        Event::BackupRequested { vault, run, objects } => {
            format!("backup of {} of vault {vault}, run {run}", counted(*objects, "object"))
        }
        Event::HsmBackupRequested { hsm, run } => format!("backup of HSM {hsm}, run {run}"),
        Event::HsmRestoreStarted { restore, source, target, everything: true, .. } => {
            format!("restore {restore} of everything from HSM {source} into {target}")
        }
        Event::HsmRestoreStarted { restore, source, target, keys, .. } => {
            format!("restore {restore} of {} from HSM {source} into {target}", counted(keys.len(), "key"))
        }
        Event::HsmRestoreEnded { restore, hsm, verdict } => {
            format!("restore {restore} of HSM {hsm} {verdict}")
        }
        Event::RestoreStarted { restore, source, target, steps, purges, .. } => {
            format!(
                "restore {restore} of {} from {source} into {target}, {} purged for it",
                counted(*steps, "object"),
                purges.len()
            )
        }
        Event::RestorePlanned { plan, source, target, .. } => {
            format!("restore from {source} into {target} planned: {plan}")
        }
        Event::RestoreApproved { plan, source, target, until, .. } => {
            format!("restore from {source} into {target} approved until {}: {plan}", second(*until))
        }
        Event::LossAcknowledged { source, run, reason } => {
            format!("loss of run {run} of {source} acknowledged: {reason}")
        }
        Event::FailureAccepted { source, object, code, reason, until, .. } => {
            format!("{code} of {object} of {source} accepted until {}: {reason}", second(*until))
        }
        Event::RetentionDecided { source, decision, what, reason, .. } => {
            format!("{decision} of {source}, {what}: {reason}")
        }
        Event::AcceptanceWithdrawn { source, object, .. } => {
            format!("acceptance of {object} of {source} withdrawn")
        }
        Event::HsmCopyBack { hsm, run, folder, .. } => {
            format!("copy of backup {run} of HSM {hsm} brought back into {folder}")
        }
        Event::SecurityDomainAttested { hsm, quorum, people, .. } => {
            let names: Vec<_> = people.iter().map(Person::as_str).collect();
            format!("security domain of HSM {hsm}, quorum {quorum}, checked by {}", names.join(", "))
        }

        Event::DrillRequested { drill, source, target } => {
            format!("drill {drill} of {source} in vault {target}")
        }
        Event::RestoreAbandoned { restore, target } => format!("restore {restore} into {target} abandoned"),
        Event::RestoreEnded { restore, verdict, numbers } => {
            format!("restore {restore} {verdict}: {} restored, {} failed", numbers.restored, numbers.failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{
        digest::Digest,
        object::{ObjectId, ObjectKind},
        restore::{RestoreId, RestoreNumbers},
        run::{RunId, Verdict},
        source::SourceName,
    };

    fn secret() -> ObjectId {
        ObjectId::new(ObjectKind::Secret, "db".parse().unwrap())
    }

    #[test]
    fn each_event_is_told_with_its_names_and_numbers() {
        let (vault, hsm): (SourceName, SourceName) =
            ("kv-prod".parse().unwrap(), "hsm-prod".parse().unwrap());
        let run: RunId = "20261122T020000Z-nightly".parse().unwrap();
        let restore = || -> RestoreId { "20261122T101112Z-restore-0f3a9c41".parse().unwrap() };
        let (plan, reason) = (Digest::of(b"plan"), || "ticket 4711".parse().unwrap());
        let named = |text: &str| {
            text.replace("RESTORE", "restore 20261122T101112Z-restore-0f3a9c41")
                .replace("RUN", "run 20261122T020000Z-nightly")
        };
        let hsm_restore = |everything, keys: &[&str]| Event::HsmRestoreStarted {
            restore: restore(),
            plan,
            source: hsm.clone(),
            target: hsm.clone(),
            everything,
            keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
        };
        let backup = |objects| Event::BackupRequested { vault: vault.clone(), run: run.clone(), objects };
        let numbers = RestoreNumbers { planned: 3, restored: 2, failed: 1, ..RestoreNumbers::default() };
        let (until, decided) = (datetime!(2027-01-31 00:00 UTC), datetime!(2026-11-22 02:00 UTC));
        for (event, expected) in [
            (backup(0), "backup of vault kv-prod, RUN"),
            (backup(1), "backup of 1 object of vault kv-prod, RUN"),
            (backup(2), "backup of 2 objects of vault kv-prod, RUN"),
            (Event::HsmBackupRequested { hsm: hsm.clone(), run: run.clone() }, "backup of HSM hsm-prod, RUN"),
            (
                Event::DrillRequested {
                    drill: "20261122T101112Z-drill-0f3a9c41".parse().unwrap(),
                    source: vault.clone(),
                    target: "kv-drill".parse().unwrap(),
                },
                "drill 20261122T101112Z-drill-0f3a9c41 of kv-prod in vault kv-drill",
            ),
            (hsm_restore(true, &[]), "RESTORE of everything from HSM hsm-prod into hsm-prod"),
            (hsm_restore(false, &["a"]), "RESTORE of 1 key from HSM hsm-prod into hsm-prod"),
            (hsm_restore(false, &["a", "b"]), "RESTORE of 2 keys from HSM hsm-prod into hsm-prod"),
            (
                Event::HsmRestoreEnded { restore: restore(), hsm: hsm.clone(), verdict: Verdict::Failed },
                "RESTORE of HSM hsm-prod Failed",
            ),
            (
                Event::RestoreStarted {
                    restore: restore(),
                    plan,
                    source: vault.clone(),
                    target: hsm.clone(),
                    steps: 1,
                    purges: vec![secret()],
                },
                "RESTORE of 1 object from kv-prod into hsm-prod, 1 purged for it",
            ),
            (
                Event::RestoreEnded { restore: restore(), verdict: Verdict::PartiallyFailed, numbers },
                "RESTORE PartiallyFailed: 2 restored, 1 failed",
            ),
            (
                Event::RestoreAbandoned { restore: restore(), target: vault.clone() },
                "RESTORE into kv-prod abandoned",
            ),
            (
                Event::LossAcknowledged { source: vault.clone(), run: run.clone(), reason: reason() },
                "loss of RUN of kv-prod acknowledged: ticket 4711",
            ),
            (
                Event::FailureAccepted {
                    source: vault.clone(),
                    object: secret(),
                    code: "Forbidden".into(),
                    reason: reason(),
                    until,
                    decided,
                },
                "Forbidden of secret db of kv-prod accepted until 2027-01-31T00:00:00Z: ticket 4711",
            ),
            (
                Event::AcceptanceWithdrawn { source: vault.clone(), object: secret(), decided },
                "acceptance of secret db of kv-prod withdrawn",
            ),
            (
                Event::SecurityDomainAttested {
                    hsm: hsm.clone(),
                    quorum: "2/3".parse().unwrap(),
                    people: vec!["Ada".parse().unwrap(), "Grace".parse().unwrap()],
                    decided,
                },
                "security domain of HSM hsm-prod, quorum 2/3, checked by Ada, Grace",
            ),
        ] {
            assert_eq!(event.to_string(), named(expected));
        }
    }
}
