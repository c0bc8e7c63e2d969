//! The copy of an HSM's backup that is write-once, and what has to be copied.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{HsmBackup, Inventory};
use crate::domain::{digest::Digest, run::RunId, source::SourceName};

/// The version of the stored form that this program writes.
pub const COPY_FORMAT: u32 = 1;

/// What became of the copy of a backup's folder. Written once, after the copy was compared with the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmCopy {
    /// [`COPY_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The HSM.
    pub hsm: SourceName,
    /// The run that left the backup.
    pub run: RunId,
    /// The path of the folder, as the record of the backup has it.
    pub folder: String,
    /// When this was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What became of it.
    #[serde(flatten)]
    pub end: CopyEnd,
}

/// What became of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum CopyEnd {
    /// It is whole.
    Copied {
        /// How many blobs it has.
        blobs: u32,
        /// Their total size.
        bytes: u64,
        /// The digest of its [`Inventory`].
        sum: Digest,
    },
    /// It cannot be made, and no later pass can.
    NotCopied {
        /// Why.
        why: NotCopied,
    },
}

/// Why the folder of a backup can never be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum NotCopied {
    /// One of its blobs has more bytes than storage takes in one request.
    TooLarge {
        /// The name of the blob below the folder.
        blob: String,
        /// Its size.
        bytes: u64,
    },
    /// It has more blobs than are listed one by one.
    TooMany {
        /// How many.
        blobs: u32,
    },
}

impl NotCopied {
    /// It in words, to follow "not copied:".
    pub fn text(&self) -> String {
        match self {
            Self::TooLarge { blob, bytes } => {
                format!(
                    "too large: {blob} has {bytes} bytes, and storage takes at most 5000 MiB in one request"
                )
            }
            Self::TooMany { blobs } => format!("too many blobs: {blobs}"),
        }
    }
}

impl HsmCopy {
    /// Why there can be no copy, in words.
    pub fn why_not(&self) -> Option<String> {
        match &self.end {
            CopyEnd::Copied { .. } => None,
            CopyEnd::NotCopied { why } => Some(why.text()),
        }
    }

    /// Whether it is a whole copy.
    pub const fn is_copied(&self) -> bool {
        matches!(self.end, CopyEnd::Copied { .. })
    }
}

/// How long after its end a backup may be without a copy.
const COPIED_WITHIN: Duration = Duration::DAY;

/// What is known of the copies of an HSM's backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// The time of the state in the newest backup that has a whole copy.
    pub newest: Option<OffsetDateTime>,
    /// The backups that should have a copy and have none that is as new.
    pub missing: Option<Missing>,
}

/// Backups without a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The time of the state in the oldest of them.
    pub since: OffsetDateTime,
    /// Why the newest of them can have none, if so.
    pub why: Option<String>,
}

impl Copies {
    /// What the records of backups and copies say at `now`. A backup whose end is younger than a day may still be copied.
    pub fn of(backups: &[HsmBackup], copies: &[HsmCopy], now: OffsetDateTime) -> Self {
        let end_of = |backup: &HsmBackup| copies.iter().find(|copy| copy.run == backup.run);
        let good = || backups.iter().filter(|backup| backup.is_good());
        let whole = good().filter(|backup| end_of(backup).is_some_and(HsmCopy::is_copied));
        let newest = whole.map(HsmBackup::taken).max();
        let lacks = |backup: &&HsmBackup| {
            now - backup.ended > COPIED_WITHIN && newest.is_none_or(|newest| backup.taken() > newest)
        };
        let missing = || good().filter(lacks);
        let why = missing().max_by_key(|backup| backup.taken()).and_then(end_of).and_then(HsmCopy::why_not);
        let missing = missing().map(HsmBackup::taken).min().map(|since| Missing { since, why });
        Self { newest, missing }
    }
}

/// The names of the blobs of a folder that its copy lacks.
///
/// # Errors
/// What is among the copy's blobs and is not the copy of one: nothing that is there can be changed, so no copy can be made.
pub fn blobs_to_copy(folder: &Inventory, copy: &Inventory) -> Result<Vec<String>, String> {
    let lacks = |name: &str| copy.blobs().binary_search_by(|blob| blob.name.as_str().cmp(name)).is_err();
    let (missing, there): (Vec<_>, Vec<_>) =
        folder.blobs().iter().cloned().partition(|blob| lacks(&blob.name));
    let differences = Inventory::of(there).map(|there| there.differences(copy, None));
    match differences {
        Some(found) if !found.is_empty() => Err(found.text()),
        _ => Ok(missing.into_iter().map(|blob| blob.name).collect()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::inventory::tests::inventory, *};
    use crate::domain::samples::hsm_backup;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    #[test]
    fn what_is_missing_is_copied_and_what_differs_ends_it() {
        let folder = inventory(&[("head", 9, "aa"), ("keys/0", 20, "bb"), ("keys/1", 30, "")]);
        let head = ("head", 9, "aa");
        for (there, expected) in [
            (vec![], Ok("head keys/0 keys/1")),
            (vec![head], Ok("keys/0 keys/1")),
            (vec![("keys/1", 30, "cc")], Ok("head keys/0")),
            (vec![head, ("keys/0", 20, "bb"), ("keys/1", 30, "")], Ok("")),
            (vec![head, ("keys/0", 20, "")], Ok("keys/1")),
            (vec![("head", 8, "aa")], Err("head has 8 bytes instead of 9")),
            (vec![("head", 9, "ab")], Err("head has another MD5")),
            (vec![head, ("other", 1, "")], Err("other was added")),
        ] {
            let missing = blobs_to_copy(&folder, &inventory(&there)).map(|missing| missing.join(" "));
            assert_eq!(missing, expected.map(str::to_owned).map_err(str::to_owned), "{there:?}");
        }
    }

    #[test]
    fn a_backup_may_be_without_a_copy_for_a_day() {
        const DAY: Duration = Duration::DAY;
        let backup = |days: i64| {
            let taken = NOW - DAY * i32::try_from(days).unwrap();
            HsmBackup { ended: taken, run: RunId::nightly(taken), ..hsm_backup(taken) }
        };
        let copy = |days: i64, end: CopyEnd| HsmCopy {
            v: COPY_FORMAT,
            hsm: "hsm-a".parse().unwrap(),
            run: backup(days).run,
            folder: "f".into(),
            at: NOW,
            end,
        };
        let copied = |days| copy(days, CopyEnd::Copied { blobs: 1, bytes: 1, sum: inventory(&[]).digest() });
        let too_large = || NotCopied::TooMany { blobs: 10_001 };
        let never = |days| copy(days, CopyEnd::NotCopied { why: too_large() });
        let at = |days: i64| backup(days).taken();
        let failed = HsmBackup { folder: None, ..backup(5) };
        for (backups, copies, newest, missing) in [
            (vec![], vec![], None, None),
            (vec![backup(0)], vec![], None, None),
            (vec![backup(1)], vec![], None, None),
            (vec![backup(0), backup(2)], vec![], None, Some((2, None))),
            (vec![backup(0), backup(2), backup(3)], vec![], None, Some((3, None))),
            (vec![backup(2)], vec![copied(2)], Some(2), None),
            (vec![backup(0), backup(2), backup(3)], vec![copied(2)], Some(2), None),
            (vec![backup(0), backup(2)], vec![copied(0)], Some(0), None),
            (vec![backup(2), backup(3)], vec![copied(3)], Some(3), Some((2, None))),
            (vec![backup(2)], vec![never(2)], None, Some((2, Some(too_large().text())))),
            (vec![backup(2), backup(3)], vec![never(3)], None, Some((3, None))),
            (vec![failed], vec![], None, None),
            (vec![backup(0)], vec![copied(9)], None, None),
        ] {
            let missing = missing.map(|(since, why)| Missing { since: at(since), why });
            let expected = Copies { newest: newest.map(at), missing };
            assert_eq!(Copies::of(&backups, &copies, NOW), expected, "{backups:?} {copies:?}");
        }
        let late = HsmBackup { ended: NOW - DAY - Duration::SECOND, ..backup(1) };
        assert!(Copies::of(&[late], &[], NOW).missing.is_some(), "a second more than a day");
    }

    #[test]
    fn why_there_is_no_copy_is_told_in_words() {
        let large = NotCopied::TooLarge { blob: "keys/0".into(), bytes: 5_242_880_001 };
        assert_eq!(
            large.text(),
            "too large: keys/0 has 5242880001 bytes, and storage takes at most 5000 MiB in one request"
        );
        assert_eq!(NotCopied::TooMany { blobs: 10_001 }.text(), "too many blobs: 10001");
    }
}
