//! The audit trail: who asked for what, in records that are chained by their digests.
//!
//! A day's records are numbered. Each holds the name and the digest of the record before it, across days, so
//! a record that is missing or was changed shows at the one after it. Only the loss of the newest records
//! cannot show; a container that keeps what is written protects those.

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::{
    asker::Asker,
    digest::Digest,
    hsm::HsmName,
    object::{ObjectId, ObjectName, VaultName},
    restore::{RestoreId, RestoreJob, RestoreNumbers},
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const AUDIT_FORMAT: u32 = 1;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// Somebody asked for a backup.
    BackupRequested {
        /// The vault.
        vault: VaultName,
        /// The run.
        run: RunId,
        /// How many objects were named; none means the whole vault.
        objects: u32,
    },
    /// A restore begins.
    RestoreStarted {
        /// The restore.
        restore: RestoreId,
        /// The digest of its plan.
        plan: Digest,
        /// The vault whose backups are restored.
        source: VaultName,
        /// The vault that they are restored into.
        target: VaultName,
        /// How many objects are restored.
        steps: u32,
        /// The soft-deleted objects that are purged for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        purges: Vec<ObjectId>,
    },
    /// Somebody asked for a backup of an HSM.
    HsmBackupRequested {
        /// The HSM.
        hsm: HsmName,
        /// The run.
        run: RunId,
    },
    /// A restore of an HSM begins.
    HsmRestoreStarted {
        /// The restore.
        restore: RestoreId,
        /// The digest of its plan.
        plan: Digest,
        /// The HSM whose backup is restored.
        source: HsmName,
        /// The HSM that it is restored into.
        target: HsmName,
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
        hsm: HsmName,
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
}

impl Event {
    /// The end of a restore.
    pub fn ended(job: &RestoreJob) -> Self {
        Self::RestoreEnded { restore: job.id.clone(), verdict: job.numbers.verdict(), numbers: job.numbers }
    }

    /// What it happened to: a run or a restore, by its name.
    fn subject(&self) -> &str {
        match self {
            Self::BackupRequested { run, .. } | Self::HsmBackupRequested { run, .. } => run.as_str(),
            Self::RestoreStarted { restore, .. }
            | Self::RestoreEnded { restore, .. }
            | Self::HsmRestoreStarted { restore, .. }
            | Self::HsmRestoreEnded { restore, .. } => restore.as_str(),
        }
    }

    /// Whether another record tells of the same event. Each event happens to a run or a restore once.
    pub fn is_that_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.subject() == other.subject()
    }

    /// Whether a record of that time can tell of it: nothing is told of a run or a restore before it was asked for.
    pub fn may_be_told_at(&self, at: OffsetDateTime) -> bool {
        let asked = self.subject().parse::<RunId>().ok().and_then(|run| run.occurrence());
        asked.is_some_and(|asked| at >= asked - Duration::minutes(5))
    }
}

/// A record's place: its day, and its number on that day, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The day, in UTC.
    pub day: Date,
    /// The number.
    pub number: u32,
}

impl Place {
    /// The place after the newest record, for a record of `day`. Days never go back: a clock that is late
    /// writes to the newest day.
    pub fn after(newest: Option<Self>, day: Date) -> Self {
        match newest {
            Some(newest) if newest.day >= day => Self { day: newest.day, number: newest.number + 1 },
            _ => Self { day, number: 1 },
        }
    }
}

/// The record before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: Digest,
}

/// A record of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`AUDIT_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who.
    pub by: Asker,
    /// What.
    #[serde(flatten)]
    pub event: Event,
    /// The record before this one; none for the first of all.
    pub after: Option<Link>,
}

/// What is wrong with the trail, at one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read.
    Unreadable,
    /// A newer program wrote it, and this one cannot tell what it says.
    TooNew {
        /// Its format.
        found: u64,
    },
    /// The record before it is gone.
    Missing {
        /// Its name.
        name: String,
    },
    /// The record before it was changed.
    Changed {
        /// Its name.
        name: String,
    },
    /// There is a record before it that it does not know of.
    Inserted {
        /// That record's name.
        name: String,
    },
}

/// What every version of a record has.
#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] or [`Fault::TooNew`].
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        match serde_json::from_slice(bytes) {
            Ok(Versioned { v }) if v > AUDIT_FORMAT.into() => Err(Fault::TooNew { found: v }),
            _ => serde_json::from_slice(bytes).map_err(|_| Fault::Unreadable),
        }
    }
}

/// Checks a record against the one before it in the order of their places, and returns what the next one is
/// checked against.
pub fn check(name: &str, bytes: &[u8], before: Option<&Link>) -> (Link, Option<Fault>) {
    let link = Link { name: name.to_owned(), sha256: Digest::of(bytes) };
    let fault = match (Record::read(bytes).map(|record| record.after), before) {
        (Err(fault), _) => Some(fault),
        (Ok(None), None) => None,
        (Ok(Some(after)), Some(before)) if after.name == before.name => {
            (after.sha256 != before.sha256).then_some(Fault::Changed { name: after.name })
        }
        (Ok(Some(after)), Some(before)) if after.name < before.name => {
            Some(Fault::Inserted { name: before.name.clone() })
        }
        (Ok(Some(after)), _) => Some(Fault::Missing { name: after.name }),
        (Ok(None), Some(before)) => Some(Fault::Inserted { name: before.name.clone() }),
    };
    (link, fault)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn chain(records: u32) -> Vec<(String, Vec<u8>)> {
        let mut chain: Vec<(String, Vec<u8>)> = Vec::new();
        for number in 1..=records {
            let after =
                chain.last().map(|(name, bytes)| Link { name: name.clone(), sha256: Digest::of(bytes) });
            let event = Event::BackupRequested {
                vault: "kv-prod".parse().unwrap(),
                run: RunId::manual(datetime!(2026-11-22 10:00 UTC), 7),
                objects: number,
            };
            let at = datetime!(2026-11-22 10:00 UTC);
            let record = Record { v: AUDIT_FORMAT, at, by: Asker::TIMER, event, after };
            chain.push((format!("{number:08}"), serde_json::to_vec(&record).unwrap()));
        }
        chain
    }

    fn faults(chain: &[(String, Vec<u8>)]) -> Vec<Fault> {
        let mut before = None;
        let mut faults = Vec::new();
        for (name, bytes) in chain {
            let (link, fault) = check(name, bytes, before.as_ref());
            before = Some(link);
            faults.extend(fault);
        }
        faults
    }

    #[test]
    fn a_whole_chain_has_no_faults() {
        assert_eq!(faults(&chain(4)), []);
    }

    #[test]
    fn what_is_missing_changed_or_inserted_shows() {
        let mut missing = chain(4);
        missing.remove(1);
        assert_eq!(faults(&missing), [Fault::Missing { name: "00000002".into() }]);
        let mut first = chain(2);
        first.remove(0);
        assert_eq!(faults(&first), [Fault::Missing { name: "00000001".into() }]);
        let mut changed = chain(4);
        let text = String::from_utf8(changed[1].1.clone()).unwrap().replace("\"objects\":2", "\"objects\":9");
        changed[1].1 = text.into_bytes();
        assert_eq!(faults(&changed), [Fault::Changed { name: "00000002".into() }]);
        let mut inserted = chain(4);
        inserted.insert(2, ("00000002x".into(), inserted[2].1.clone()));
        assert_eq!(faults(&inserted), [Fault::Inserted { name: "00000002x".into() }]);
    }

    #[test]
    fn days_never_go_back() {
        let first = Place::after(None, date!(2026 - 11 - 22));
        assert_eq!(first, Place { day: date!(2026 - 11 - 22), number: 1 });
        assert_eq!(Place::after(Some(first), date!(2026 - 11 - 21)).number, 2);
        assert_eq!(Place::after(Some(first), date!(2026 - 11 - 23)).number, 1);
    }
}
