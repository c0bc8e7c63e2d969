//! Compares what a backup's folder holds now with the record of the backup.

use serde::{Deserialize, Serialize};

use super::{Folder, Inventory};

/// What a folder holds, compared with the record of its backup: what a listing shows. The blobs can be read only by an HSM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How the two compare.
    pub state: ContentsState,
    /// How many blobs there are now.
    pub blobs: u32,
    /// Their total size.
    pub bytes: u64,
    /// How many blobs the backup left, according to its record.
    pub recorded_blobs: u32,
    /// Their total size, according to the record.
    pub recorded_bytes: u64,
    /// The error code, if the folder could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Which blobs differ, if the record has their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// How the folder compares with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentsState {
    /// As many blobs of as many bytes, none written since; if the record has them, of the same names, sizes and MD5s.
    AsRecorded,
    /// More than was recorded, or something was written since.
    Changed,
    /// Less than was recorded: something is missing, or was cut.
    Incomplete,
    /// The folder is empty or does not exist.
    Gone,
    /// The folder holds something, but the record has no sizes to compare it with.
    NotRecorded,
    /// This program may not read the folder.
    NotSeen,
}

impl ContentsState {
    /// Whether the folder's blobs, one by one, say what differs.
    pub const fn is_told_by_blobs(self) -> bool {
        matches!(self, Self::Changed | Self::Incomplete)
    }
}

impl Contents {
    /// Compares `found`, the folder's contents if there are any, with the record.
    pub fn of(recorded: &Folder, found: Option<&Folder>) -> Self {
        let (blobs, bytes) = found.map_or((0, 0), |found| (found.blobs, found.bytes));
        let is_later = || {
            let written = found.and_then(|found| found.written);
            recorded.written.zip(written).is_some_and(|(recorded, written)| written > recorded)
        };
        let has_other_sum = || {
            let sum = found.and_then(|found| found.sum);
            recorded.sum.zip(sum).is_some_and(|(recorded, sum)| recorded != sum)
        };
        let state = if blobs == 0 {
            ContentsState::Gone
        } else if recorded.blobs == 0 || recorded.bytes == 0 {
            ContentsState::NotRecorded
        } else if blobs < recorded.blobs || bytes < recorded.bytes {
            ContentsState::Incomplete
        } else if blobs > recorded.blobs || bytes > recorded.bytes || is_later() || has_other_sum() {
            ContentsState::Changed
        } else {
            ContentsState::AsRecorded
        };
        let (recorded_blobs, recorded_bytes) = (recorded.blobs, recorded.bytes);
        Self { state, blobs, bytes, recorded_blobs, recorded_bytes, refused: None, differs: None }
    }

    /// The result with the blobs that differ, once the record's inventory was read. One that does not have the digest in
    /// the record says nothing.
    #[must_use]
    pub fn with_differences(self, recorded: &Folder, then: &Inventory, now: &Inventory) -> Self {
        if recorded.sum != Some(then.digest()) || !self.state.is_told_by_blobs() {
            return self;
        }
        let found = then.differences(now, recorded.written);
        let state = if found.is_empty() {
            ContentsState::AsRecorded
        } else if found.is_less {
            ContentsState::Incomplete
        } else {
            ContentsState::Changed
        };
        Self { state, differs: Some(found.text()).filter(|text| !text.is_empty()), ..self }
    }

    /// A folder that this program may not read, which says nothing about what the HSM may read.
    pub fn not_seen(recorded: &Folder, code: &str) -> Self {
        let of = Self::of(recorded, None);
        Self { state: ContentsState::NotSeen, refused: Some(code.to_owned()), ..of }
    }

    /// Describes the result for a reader.
    pub fn text(&self) -> String {
        let Self { blobs, bytes, recorded_blobs, recorded_bytes, .. } = self;
        let (now, then) = (sized(*blobs, *bytes), sized(*recorded_blobs, *recorded_bytes));
        let differs = self.differs.as_ref().map(|differs| format!(" {differs}.")).unwrap_or_default();
        match self.state {
            ContentsState::AsRecorded => {
                format!("The folder holds what the backup left by its record: {now}.")
            }
            ContentsState::Changed => format!(
                "The folder is not as the backup left it: it holds {now}, by the record {then}, or something was written \
                 since.{differs} What the service makes of it is not known."
            ),
            ContentsState::Incomplete => format!(
                "The folder holds less than the backup left: {now}, by the record {then}. Something is missing or was cut.{differs}"
            ),
            ContentsState::Gone => {
                format!("The container holds nothing of the folder; by the record the backup left {then}.")
            }
            ContentsState::NotRecorded => format!(
                "The folder holds {now}. The record does not say how large the backup was, so it is not known whether \
                 something is missing."
            ),
            ContentsState::NotSeen => format!(
                "The folder could not be read ({}), so it is not known whether something is missing.",
                self.refused.as_deref().unwrap_or("no reason was given")
            ),
        }
    }
}

/// Number and size of blobs, in words.
pub(super) fn sized(blobs: u32, bytes: u64) -> String {
    let (s, of) = (if blobs == 1 { "" } else { "s" }, if bytes == 1 { "" } else { "s" });
    format!("{blobs} blob{s} of {bytes} byte{of}")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::inventory::tests::inventory, *};

    fn folder(blobs: u32, bytes: u64) -> Folder {
        let written = Some(datetime!(2026-11-22 02:00 UTC));
        Folder { path: "f".into(), uri: None, time: None, blobs, bytes, written, sum: None }
    }

    #[test]
    fn what_is_there_is_held_against_the_record() {
        use ContentsState::{AsRecorded, Changed, Gone, Incomplete, NotRecorded};
        let later = Folder { written: Some(datetime!(2026-11-22 03:00 UTC)), ..folder(3, 30) };
        let undated = Folder { written: None, ..folder(3, 30) };
        for (recorded, found, expected, says) in [
            (folder(3, 30), Some(folder(3, 30)), AsRecorded, "3 blobs of 30 bytes"),
            (folder(3, 30), Some(undated.clone()), AsRecorded, "by its record"),
            (undated, Some(folder(3, 30)), AsRecorded, "by its record"),
            (folder(3, 30), Some(later), Changed, "written since"),
            (folder(3, 30), Some(folder(4, 30)), Changed, "4 blobs of 30 bytes, by the record 3"),
            (folder(3, 30), Some(folder(3, 31)), Changed, "not as the backup left it"),
            (folder(3, 30), Some(folder(2, 30)), Incomplete, "2 blobs of 30 bytes, by the record 3"),
            (folder(3, 30), Some(folder(4, 29)), Incomplete, "missing or was cut"),
            (folder(3, 30), Some(folder(1, 1)), Incomplete, "1 blob of 1 byte,"),
            (folder(3, 30), None, Gone, "holds nothing"),
            (folder(3, 30), Some(folder(0, 0)), Gone, "holds nothing"),
            (folder(0, 0), Some(folder(2, 20)), NotRecorded, "does not say how large"),
            (folder(0, 0), None, Gone, "holds nothing"),
        ] {
            let contents = Contents::of(&recorded, found.as_ref());
            assert_eq!(contents.state, expected, "{contents:?}");
            assert!(contents.text().contains(says), "{}", contents.text());
        }
        let unseen = Contents::not_seen(&folder(3, 30), "AuthorizationFailure");
        assert!(unseen.state == ContentsState::NotSeen && unseen.text().contains("(AuthorizationFailure)"));
    }

    #[test]
    fn the_blobs_of_a_record_say_which_of_them_differ() {
        use ContentsState::{AsRecorded, Changed, Gone, Incomplete};
        let then = inventory(&[("head", 10, "aa"), ("one", 20, "bb")]);
        let recorded = Folder { sum: Some(then.digest()), ..folder(2, 30) };
        for (now, expected, says) in [
            (vec![("head", 10, "aa"), ("one", 20, "bb")], AsRecorded, "by its record: 2 blobs of 30 bytes."),
            (vec![("head", 10, "aa"), ("one", 20, "")], AsRecorded, "by its record"),
            (vec![("head", 10, "aa"), ("one", 20, "cc")], Changed, "since. one has another MD5. What"),
            (vec![("head", 10, "aa"), ("uno", 20, "bb")], Incomplete, "cut. one is missing, uno was added."),
            (vec![("head", 11, "aa"), ("one", 19, "bb")], Incomplete, "one has 19 bytes instead of 20."),
            (vec![("one", 20, "bb")], Incomplete, "head is missing."),
            (vec![], Gone, "holds nothing"),
        ] {
            let bytes = now.iter().map(|(_, bytes, _)| bytes).sum();
            let now = inventory(&now);
            let blobs = u32::try_from(now.len()).unwrap();
            let found = Folder { sum: Some(now.digest()), ..folder(blobs, bytes) };
            let contents = Contents::of(&recorded, Some(&found));
            let told = contents.clone().with_differences(&recorded, &then, &now);
            assert!(told.state == expected && told.text().contains(says), "{}", told.text());
            let other = inventory(&[("other", 1, "")]);
            assert_eq!(contents.clone().with_differences(&recorded, &other, &now), contents, "not its own");
            let older = Folder { sum: None, ..recorded.clone() };
            if expected == Changed {
                assert_eq!(Contents::of(&older, Some(&found)).state, AsRecorded, "its record has no sum");
            }
        }
    }
}
