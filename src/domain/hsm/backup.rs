//! The record of a backup of a whole HSM.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{super::source::SourceName, contents::sized};
use crate::domain::{
    actor::Actor,
    digest::Digest,
    nothing::Points,
    outcome::Failure,
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const BACKUP_FORMAT: u32 = 1;

/// How far the clocks of the service, of storage and of this program may be apart.
pub(super) const SKEW: Duration = Duration::minutes(5);

/// The longest time that a job can wait before the service begins. A longer value is safe and costs nothing: records
/// are listed by the hundred.
const OPEN_FOR: Duration = Duration::days(2);

/// The folder that a backup left in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its path in the container, as the service named it. Never computed.
    pub path: String,
    /// Its address, as the service named it; `None` if the folder was found in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The time in its name, if that can be read.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub time: Option<OffsetDateTime>,
    /// How many blobs it holds.
    pub blobs: u32,
    /// Their total size.
    pub bytes: u64,
    /// When the newest of them was written, if that was read.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub written: Option<OffsetDateTime>,
    /// The digest of its [`Inventory`](super::Inventory): the names, sizes and MD5s of its blobs. Absent in records of older
    /// programs, and of a folder with too many blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Digest>,
}

/// A folder in the container while a job waits until it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The folder.
    pub folder: Folder,
    /// Number of consecutive listings in which it was the same.
    #[serde(rename = "looks")]
    pub listings: u32,
}

impl Seen {
    /// Number of listings, a minute apart, in which a folder has to be the same before it counts as complete. The
    /// service has no marker for that, and a large blob appears only once it is completely written.
    const WHOLE_AFTER: u32 = 10;

    /// Counts a listing of the folder.
    #[must_use]
    pub fn again(before: Option<Self>, folder: Folder) -> Self {
        let listings =
            before.filter(|before| before.folder == folder).map_or(0, |before| before.listings) + 1;
        Self { folder, listings }
    }

    /// Text for a record: how the folder was found, what was in it, and that it did not change. `why` says what is not
    /// known from the service.
    pub fn note(&self, why: &str) -> String {
        let Folder { path, blobs, bytes, .. } = &self.folder;
        format!(
            "{why}; folder {path} was found in the container, with {}, the same in {} listings a minute apart",
            sized(*blobs, *bytes),
            self.listings
        )
    }

    /// Whether it counts as complete.
    pub fn is_whole(&self) -> bool {
        self.listings >= Self::WHOLE_AFTER && self.folder.blobs > 0
    }
}

/// The result of a backup of a whole HSM. Written once, when the job ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmBackup {
    /// [`BACKUP_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The HSM.
    pub hsm: SourceName,
    /// The run.
    pub run: RunId,
    /// The actor that requested it.
    pub by: Actor,
    /// When the job was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// When the service began, according to the service.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub started: Option<OffsetDateTime>,
    /// When the job ended, according to the service if it said so.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// The service's name for the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// `Succeeded` or `Failed`; an HSM is never backed up in part.
    pub verdict: Verdict,
    /// The folder that it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// Whether the service did not say how the operation ended: the answer to its start was lost, another party started
    /// it, or the service no longer reported it. The folder was found, fits the time, and had stopped growing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// How the folder was found, if the service did not name it. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl HsmBackup {
    /// The time of the state that it holds.
    pub fn taken(&self) -> OffsetDateTime {
        let folder = self.folder.as_ref().and_then(|folder| folder.time);
        folder.or(self.started).unwrap_or(self.opened)
    }

    /// Whether the state that it holds is younger than `age`.
    pub fn is_young(&self, age: Duration, now: OffsetDateTime) -> bool {
        now - self.taken() < age
    }

    /// How many seconds after its occurrence it was opened, if it was late.
    pub fn late(&self) -> Option<u32> {
        self.run.late(self.opened)
    }

    /// How long it took: the operation itself if its start is known, else the whole job.
    pub fn duration(&self) -> Duration {
        self.ended - self.started.unwrap_or(self.opened)
    }

    /// Whether it can be restored.
    pub fn is_good(&self) -> bool {
        self.verdict == Verdict::Succeeded && self.folder.is_some()
    }

    /// Whether a folder is its own. A failed operation may have left a partial one, which looks like any other.
    pub fn may_have_left(&self, path: &str, time: OffsetDateTime) -> bool {
        let began = self.started.unwrap_or(self.opened) - SKEW;
        let failed = self.verdict != Verdict::Succeeded && self.job.is_some();
        self.folder.as_ref().is_some_and(|folder| folder.path == path)
            || failed && (began..=self.ended + SKEW).contains(&time)
    }

    /// The backup with the newest state among those that can be restored and, if `by` is given, had ended by then.
    ///
    /// A job may wait for hours before it begins, so the last one opened need not hold the newest state.
    pub fn newest_good(found: &[Self], by: Option<OffsetDateTime>) -> Option<&Self> {
        let good = found.iter().filter(|of| of.is_good() && by.is_none_or(|by| of.ended <= by));
        good.max_by_key(|of| of.taken())
    }

    /// The range of times as of which an HSM with these backups can be restored.
    pub fn points(found: &[Self]) -> Option<Points> {
        Points::of(found.iter().filter(|of| of.is_good()).map(|of| of.ended))
    }

    /// Whether no backup opened before the last of `found`, newest first, can hold a newer state than the newest one in
    /// `found`.
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
    const HOUR: Duration = Duration::HOUR;

    fn folder(path: &str, time: Option<OffsetDateTime>) -> Folder {
        Folder { path: path.into(), uri: None, time, blobs: 1, bytes: 1, written: None, sum: None }
    }

    /// A backup opened now, begun after one minute and ended after two, with a folder of a time between these.
    fn succeeded() -> HsmBackup {
        HsmBackup {
            v: BACKUP_FORMAT,
            hsm: "hsm-a".parse().unwrap(),
            run: RunId::nightly(NOW),
            by: Actor::TIMER,
            opened: NOW,
            started: Some(NOW + Duration::MINUTE),
            ended: NOW + Duration::minutes(2),
            job: Some("j".into()),
            verdict: Verdict::Succeeded,
            folder: Some(folder("own", Some(NOW + Duration::seconds(90)))),
            found: false,
            note: None,
            failure: None,
        }
    }

    fn failed() -> HsmBackup {
        HsmBackup { verdict: Verdict::Failed, folder: None, ..succeeded() }
    }

    /// A good backup of a state of some time, which took a minute.
    fn good(opened: OffsetDateTime, taken: OffsetDateTime) -> HsmBackup {
        let folder = Some(folder("f", Some(taken)));
        HsmBackup { opened, started: Some(taken), ended: taken + Duration::MINUTE, folder, ..succeeded() }
    }

    #[test]
    fn a_state_is_as_old_as_the_folder_says_or_the_service_or_the_job() {
        let whole = succeeded();
        let untimed = HsmBackup { folder: Some(folder("own", None)), ..succeeded() };
        let unwatched = HsmBackup { started: None, ..untimed.clone() };
        for (record, taken) in [(&whole, 90), (&untimed, 60), (&unwatched, 0)] {
            assert_eq!(record.taken(), NOW + Duration::seconds(taken));
            assert!(record.is_young(HOUR, record.taken() + HOUR - Duration::SECOND));
            assert!(!record.is_young(HOUR, record.taken() + HOUR), "as old as that is not younger");
        }
        assert_eq!(whole.duration(), Duration::MINUTE);
        assert_eq!(unwatched.duration(), Duration::minutes(2), "all of it where nothing says when it began");
    }

    #[test]
    fn only_what_succeeded_and_left_a_folder_can_be_restored() {
        let table = [
            (succeeded(), true),
            (HsmBackup { folder: None, ..succeeded() }, false),
            (HsmBackup { verdict: Verdict::Failed, ..succeeded() }, false),
            (failed(), false),
        ];
        for (record, expected) in table {
            assert_eq!(record.is_good(), expected, "{record:?}");
            assert_eq!(HsmBackup::newest_good(&[record], None).is_some(), expected);
        }
    }

    #[test]
    fn the_newest_state_wins_not_the_newest_run() {
        let waited = good(NOW, NOW + HOUR);
        let later = good(NOW + Duration::MINUTE, NOW + Duration::minutes(2));
        let found = [later.clone(), waited.clone(), good(NOW - HOUR, NOW - HOUR)];
        assert_eq!(HsmBackup::newest_good(&found, None), Some(&waited));
        let by = |time| HsmBackup::newest_good(&found, Some(time));
        assert_eq!(by(waited.ended), Some(&waited));
        assert_eq!(by(waited.ended - Duration::SECOND), Some(&later), "it had not ended by then");
        assert_eq!(by(NOW - HOUR), None);
    }

    #[test]
    fn older_records_are_read_until_none_of_them_can_have_waited_for_a_newer_state() {
        let newest = good(NOW, NOW);
        let among = |opened, by| HsmBackup::newest_is_among(&[newest.clone(), good(opened, opened)], by);
        assert!(among(NOW - OPEN_FOR, None));
        assert!(!among(NOW - OPEN_FOR + Duration::SECOND, None));
        assert!(!among(NOW - OPEN_FOR, Some(NOW)), "the one that had ended by then may not be the newest");
        assert!(!HsmBackup::newest_is_among(&[], None), "of none there is no newest");
    }

    #[test]
    fn a_folder_is_its_own_by_name_or_as_what_a_failed_operation_left() {
        let (other, minutes) = ("mhsm-hsm-a-2026112202000000", Duration::minutes);
        let never_began = HsmBackup { job: None, ..failed() };
        let unwatched = HsmBackup { started: None, ..failed() };
        let table = [
            (succeeded(), "own", minutes(600), true),
            (succeeded(), other, minutes(1), false),
            (failed(), other, minutes(1), true),
            (failed(), other, minutes(1) - SKEW, true),
            (failed(), other, minutes(1) - SKEW - Duration::SECOND, false),
            (failed(), other, minutes(2) + SKEW, true),
            (failed(), other, minutes(2) + SKEW + Duration::SECOND, false),
            (unwatched, other, -SKEW, true),
            (never_began, other, minutes(1), false),
        ];
        for (record, path, after, expected) in table {
            assert_eq!(record.may_have_left(path, NOW + after), expected, "{path} {after} {record:?}");
        }
    }

    #[test]
    fn a_folder_is_whole_when_it_has_stopped_growing_and_holds_something() {
        let listings = |blobs: &[u32]| {
            let listing =
                |seen, blobs: &u32| Some(Seen::again(seen, Folder { blobs: *blobs, ..folder("f", None) }));
            blobs.iter().fold(None, listing).unwrap()
        };
        let of = |blobs| [blobs; Seen::WHOLE_AFTER as usize];
        let table = [
            (of(3).to_vec(), true),
            (of(3)[1..].to_vec(), false),
            ([&of(3)[1..], &[4]].concat(), false),
            ([&[2, 3, 2], &of(3)[..]].concat(), true),
            (of(0).to_vec(), false),
        ];
        for (blobs, expected) in table {
            assert_eq!(listings(&blobs).is_whole(), expected, "{blobs:?}");
        }
    }
}
