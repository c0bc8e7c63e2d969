//! What the folder of a backup holds now, beside what the record of the backup says of it.

use serde::{Deserialize, Serialize};

use super::Folder;

/// What a look at a folder found, against the record of its backup. Sizes and numbers alone: what is in the blobs only an HSM
/// can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How the two compare.
    pub state: ContentsState,
    /// How many blobs there are now.
    pub blobs: u32,
    /// How large they are.
    pub bytes: u64,
    /// How many the backup left, by its record.
    pub recorded_blobs: u32,
    /// How large they were.
    pub recorded_bytes: u64,
    /// Why it was not seen, in the code of whoever refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How what is there compares with what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentsState {
    /// As many blobs of as many bytes, none written since.
    AsRecorded,
    /// More than was recorded, or something was written since.
    Changed,
    /// Less than was recorded: something is missing, or was cut.
    Incomplete,
    /// Nothing is there.
    Gone,
    /// Something is there; the record says no sizes to compare it with.
    NotRecorded,
    /// This program may not look.
    NotSeen,
}

impl Contents {
    /// Compares what was `found`, if anything was, with the record.
    pub fn of(recorded: &Folder, found: Option<&Folder>) -> Self {
        let (blobs, bytes) = found.map_or((0, 0), |found| (found.blobs, found.bytes));
        let is_later = || {
            let written = found.and_then(|found| found.written);
            recorded.written.zip(written).is_some_and(|(recorded, written)| written > recorded)
        };
        let state = if blobs == 0 {
            ContentsState::Gone
        } else if recorded.blobs == 0 || recorded.bytes == 0 {
            ContentsState::NotRecorded
        } else if blobs < recorded.blobs || bytes < recorded.bytes {
            ContentsState::Incomplete
        } else if blobs > recorded.blobs || bytes > recorded.bytes || is_later() {
            ContentsState::Changed
        } else {
            ContentsState::AsRecorded
        };
        let (recorded_blobs, recorded_bytes) = (recorded.blobs, recorded.bytes);
        Self { state, blobs, bytes, recorded_blobs, recorded_bytes, refused: None }
    }

    /// A folder that this program may not look at, which says nothing of what the HSM may read.
    pub fn not_seen(recorded: &Folder, code: &str) -> Self {
        let of = Self::of(recorded, None);
        Self { state: ContentsState::NotSeen, refused: Some(code.to_owned()), ..of }
    }

    /// What was found, for a reader.
    pub fn text(&self) -> String {
        let Self { blobs, bytes, recorded_blobs, recorded_bytes, .. } = self;
        let (now, then) = (sized(*blobs, *bytes), sized(*recorded_blobs, *recorded_bytes));
        match self.state {
            ContentsState::AsRecorded => {
                format!("The folder holds what the backup left by its record: {now}.")
            }
            ContentsState::Changed => format!(
                "The folder is not as the backup left it: it holds {now}, by the record {then}, or something was written \
                 since. What the service makes of it is not known."
            ),
            ContentsState::Incomplete => format!(
                "The folder holds less than the backup left: {now}, by the record {then}. Something is missing or was cut."
            ),
            ContentsState::Gone => {
                format!("The container holds nothing of the folder; by the record the backup left {then}.")
            }
            ContentsState::NotRecorded => format!(
                "The folder holds {now}. The record does not say how large the backup was, so it is not known whether \
                 something is missing."
            ),
            ContentsState::NotSeen => format!(
                "The folder could not be looked at ({}), so it is not known whether something is missing.",
                self.refused.as_deref().unwrap_or("no reason was given")
            ),
        }
    }
}

/// What there is, in words.
pub(super) fn sized(blobs: u32, bytes: u64) -> String {
    let (s, of) = (if blobs == 1 { "" } else { "s" }, if bytes == 1 { "" } else { "s" });
    format!("{blobs} blob{s} of {bytes} byte{of}")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn folder(blobs: u32, bytes: u64) -> Folder {
        let written = Some(datetime!(2026-11-22 02:00 UTC));
        Folder { path: "f".into(), uri: None, time: None, blobs, bytes, written }
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
}
