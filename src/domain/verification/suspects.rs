//! The backups about which a finding is open.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{Fault, Finding};
use crate::domain::{entry::Entry, object::ObjectId, run::RunId};

/// What the last verification of a source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// When it began; `None` if there was none, or it saw nothing. What was stored later was not verified.
    pub at: Option<OffsetDateTime>,
    /// The backups about which a finding is open.
    pub suspects: Suspects,
    /// Why the record of the last one cannot be read, if so: then it is not known what it found.
    pub unreadable: Option<String>,
}

/// The backups of a source about which a finding is open. None of them counts as good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspects {
    backups: BTreeMap<(ObjectId, RunId), Fault>,
    folders: BTreeSet<RunId>,
}

impl Suspects {
    /// The backups that findings are about.
    pub fn of(findings: &[Finding]) -> Self {
        let mut suspects = Self::default();
        for finding in findings {
            match finding.object() {
                Some(object) => {
                    suspects.backups.insert((object, finding.run.clone()), finding.fault);
                }
                None if finding.fault == Fault::Folder => drop(suspects.folders.insert(finding.run.clone())),
                None => {}
            }
        }
        suspects
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.backups.is_empty() && self.folders.is_empty()
    }

    /// Whether a finding about a backup is open.
    pub fn has(&self, backup: &Entry) -> bool {
        !self.backups.is_empty() && self.fault(backup).is_some()
    }

    /// What is wrong with the backup of an object that a run took.
    pub fn fault(&self, backup: &Entry) -> Option<Fault> {
        self.backups.get(&(backup.id(), backup.run.clone())).copied()
    }

    /// Whether a finding about the folder that a run left is open.
    pub fn has_folder_of(&self, run: &RunId) -> bool {
        self.folders.contains(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        manifest::ObjectStatus,
        samples::{NIGHT, line, secret},
    };

    #[test]
    fn a_finding_is_about_one_backup_of_one_object() {
        let of = |name: &str| line(&secret(name), ObjectStatus::BackedUp, NIGHT).entry.unwrap();
        let (db, other) = (of("db"), of("other"));
        let finding = Finding {
            fault: Fault::Damaged,
            blob: "b".into(),
            run: db.run.clone(),
            kind: Some(db.kind),
            name: Some("DB".parse().unwrap()),
            newest: true,
            text: "flipped".into(),
            since: NIGHT,
        };
        let suspects = Suspects::of(std::slice::from_ref(&finding));
        assert!(suspects.has(&db) && !suspects.has(&other) && suspects.fault(&db) == Some(Fault::Damaged));
        let later = Entry { run: RunId::manual(NIGHT, 1), ..db.clone() };
        assert!(!suspects.has(&later) && !suspects.has_folder_of(&db.run));
        let catalogue = Finding { fault: Fault::Catalogue, kind: None, name: None, ..finding.clone() };
        assert!(Suspects::of(&[catalogue]).is_empty());
        let folder = Finding { fault: Fault::Folder, kind: None, name: None, ..finding };
        assert!(Suspects::of(&[folder]).has_folder_of(&db.run));
    }
}
