//! The record of a backup of a whole HSM.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::HsmName;
use crate::domain::{
    asker::Asker,
    outcome::Failure,
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const BACKUP_FORMAT: u32 = 1;

/// How far the clocks of the service, of storage and of this program may be apart.
pub(super) const SKEW: Duration = Duration::minutes(5);

/// How long a job can wait before the service begins. Longer is safe, and costs nothing: records come by the hundred.
const OPEN_FOR: Duration = Duration::days(2);

/// The folder that a backup left in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its path in the container, as the service gave it. Never computed.
    pub path: String,
    /// Its address, as the service gave it; none when it was found in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The time in its name, if that can be read.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub time: Option<OffsetDateTime>,
    /// How many blobs it holds.
    pub blobs: u32,
    /// How large they are.
    pub bytes: u64,
    /// When the newest of them was written, as far as that was looked up.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub written: Option<OffsetDateTime>,
}

/// A folder in the container while a job waits for it to be whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The folder.
    pub folder: Folder,
    /// Looks in a row at which it was the same.
    pub looks: u32,
}

impl Seen {
    /// Looks at which a folder has to be the same, a minute apart, before it counts as whole. The service has
    /// no mark of its own for that, and a large blob shows only once it is written to its end.
    const WHOLE_AFTER: u32 = 10;

    /// Notes a look.
    #[must_use]
    pub fn again(before: Option<Self>, folder: Folder) -> Self {
        let looks = before.filter(|before| before.folder == folder).map_or(0, |before| before.looks) + 1;
        Self { folder, looks }
    }

    /// Whether it counts as whole.
    pub fn is_whole(&self) -> bool {
        self.looks >= Self::WHOLE_AFTER && self.folder.blobs > 0
    }
}

/// What came of a backup of a whole HSM. Written once, when the job ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmBackup {
    /// [`BACKUP_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The HSM.
    pub hsm: HsmName,
    /// The run.
    pub run: RunId,
    /// Who asked for it.
    pub by: Asker,
    /// When the job was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// When the service began, as it says.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub started: Option<OffsetDateTime>,
    /// When the job ended; the service's word where it gave one.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// The service's name for the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// `Succeeded` or `Failed`; an HSM is never backed up in part.
    pub verdict: Verdict,
    /// What it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// The operation was not watched: its start's answer was lost, or somebody else started it. The folder was
    /// found, fits the time, and had stopped growing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl HsmBackup {
    /// When the state that it holds was taken.
    pub fn taken(&self) -> OffsetDateTime {
        let folder = self.folder.as_ref().and_then(|folder| folder.time);
        folder.or(self.started).unwrap_or(self.opened)
    }

    /// Whether the state that it holds is younger than `age`.
    pub fn is_young(&self, age: Duration, now: OffsetDateTime) -> bool {
        now - self.taken() < age
    }

    /// How long it took: the operation itself where that was watched, else all of it.
    pub fn duration(&self) -> Duration {
        self.ended - self.started.unwrap_or(self.opened)
    }

    /// Whether it can be restored.
    pub fn is_good(&self) -> bool {
        self.verdict == Verdict::Succeeded && self.folder.is_some()
    }

    /// Whether a folder is its own. An operation that failed may have left a part of one, which looks like any other.
    pub fn may_have_left(&self, path: &str, time: OffsetDateTime) -> bool {
        let began = self.started.unwrap_or(self.opened) - SKEW;
        let failed = self.verdict != Verdict::Succeeded && self.job.is_some();
        self.folder.as_ref().is_some_and(|folder| folder.path == path)
            || failed && (began..=self.ended + SKEW).contains(&time)
    }

    /// The one with the newest state of those that can be restored and had ended by a time, if one is given.
    ///
    /// A job may wait for hours before it begins: what was opened last need not be the newest state.
    pub fn newest_good(found: &[Self], by: Option<OffsetDateTime>) -> Option<&Self> {
        let good = found.iter().filter(|of| of.is_good() && by.is_none_or(|by| of.ended <= by));
        good.max_by_key(|of| of.taken())
    }

    /// Whether nothing that was opened before the last of `found`, newest first, can hold a newer state than the
    /// newest of them.
    pub fn newest_is_among(found: &[Self], by: Option<OffsetDateTime>) -> bool {
        let newest = Self::newest_good(found, by);
        newest.is_some_and(|newest| found.last().is_some_and(|last| last.opened <= newest.taken() - OPEN_FOR))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    fn record(opened: OffsetDateTime, verdict: Verdict, taken: Option<OffsetDateTime>) -> HsmBackup {
        let folder = |time| Folder {
            path: "f".into(),
            uri: None,
            time: Some(time),
            blobs: 1,
            bytes: 1,
            written: None,
        };
        HsmBackup {
            v: BACKUP_FORMAT,
            hsm: "hsm-a".parse().unwrap(),
            run: RunId::nightly(opened),
            by: Asker::TIMER,
            opened,
            started: taken,
            ended: taken.unwrap_or(opened) + Duration::MINUTE,
            job: Some("j".into()),
            verdict,
            folder: taken.filter(|_| verdict == Verdict::Succeeded).map(folder),
            found: false,
            failure: None,
        }
    }

    #[test]
    fn the_newest_state_wins_not_the_newest_run() {
        let good = |opened, taken| record(opened, Verdict::Succeeded, Some(taken));
        let waited = good(NOW, NOW + Duration::HOUR);
        let later = good(NOW + Duration::MINUTE, NOW + Duration::minutes(2));
        let old = good(NOW - Duration::days(3), NOW - Duration::days(3));
        let found = [later, waited.clone(), old];
        assert_eq!(HsmBackup::newest_good(&found, None), Some(&waited));
        assert!(!HsmBackup::newest_is_among(&found[..2], None) && HsmBackup::newest_is_among(&found, None));
        let by = NOW + Duration::minutes(5);
        assert_eq!(HsmBackup::newest_good(&found, Some(by)), Some(&found[0]), "it had not ended by then");
    }

    #[test]
    fn a_part_that_a_failed_operation_left_is_its_own() {
        let failed = record(NOW, Verdict::Failed, None);
        assert!(failed.may_have_left("mhsm-hsm-a-2026112202000000", NOW + Duration::SECOND));
        assert!(!failed.may_have_left("mhsm-hsm-a-2026112203000000", NOW + Duration::HOUR));
        let never_began = HsmBackup { job: None, ..failed };
        assert!(!never_began.may_have_left("mhsm-hsm-a-2026112202000000", NOW + Duration::SECOND));
    }

    #[test]
    fn a_folder_is_whole_when_it_has_stopped_growing() {
        let folder =
            |bytes| Folder { path: "f".into(), uri: None, time: None, blobs: 1, bytes, written: None };
        let look = |seen: Option<Seen>, bytes| Some(Seen::again(seen, folder(bytes)));
        let grown = (1..50).fold(None, look);
        assert!(!grown.clone().unwrap().is_whole());
        let still = (1..Seen::WHOLE_AFTER).fold(grown, |seen, _| look(seen, 49));
        assert!(still.unwrap().is_whole());
    }
}
