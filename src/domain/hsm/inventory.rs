//! The blobs in a backup's folder, one by one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::digest::Digest;

/// The version of the stored form that this program writes.
pub const INVENTORY_FORMAT: u32 = 1;

/// The most blobs of a folder that are listed one by one. Of a larger folder only number and size are known.
const MOST: usize = 10_000;

/// How many differences are named.
const NAMED: usize = 5;

/// The blobs in the folder of a backup, in the order of their names. About ninety bytes each as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// [`INVENTORY_FORMAT`] of the program that wrote it.
    pub v: u32,
    blobs: Vec<FolderBlob>,
}

/// A blob in a folder, by what neither a copy of it nor write protection changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderBlob {
    /// Its name below the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The MD5 that storage has of it, in hexadecimal. Storage has one of what was written in one request, and of anything
    /// else only what its writer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// When it was last written. Not stored: a copy has another time.
    #[serde(skip)]
    pub written: Option<OffsetDateTime>,
}

/// How the blobs in a folder differ from those that the backup left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Each difference in words, in the order of names.
    all: Vec<String>,
    /// Whether a blob is missing, or smaller.
    pub is_less: bool,
}

impl Inventory {
    /// The blobs of a folder; `None` if there are too many to list them.
    pub fn of(mut blobs: Vec<FolderBlob>) -> Option<Self> {
        blobs.sort_by(|a, b| a.name.cmp(&b.name));
        (blobs.len() <= MOST).then_some(Self { v: INVENTORY_FORMAT, blobs })
    }

    /// The blobs, in the order of their names.
    pub fn blobs(&self) -> &[FolderBlob] {
        &self.blobs
    }

    /// Their total size.
    pub fn bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.bytes).sum()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// The digest of names, sizes and MD5s.
    pub fn digest(&self) -> Digest {
        let fields = |blob: &FolderBlob| {
            let md5 = blob.md5.clone().unwrap_or_default();
            [blob.name.clone().into_bytes(), blob.bytes.to_be_bytes().to_vec(), md5.into_bytes()]
        };
        let fields: Vec<Vec<u8>> = self.blobs.iter().flat_map(fields).collect();
        Digest::of_fields(fields.iter().map(Vec::as_slice))
    }

    /// How the blobs that are there `now` differ from these. One that was written after `written` was written again. An MD5
    /// counts only where both have one.
    pub fn differences(&self, now: &Self, written: Option<OffsetDateTime>) -> Differences {
        let mut found = Differences::default();
        let mut there = now.blobs.iter().peekable();
        for then in &self.blobs {
            while let Some(added) = there.next_if(|blob| blob.name < then.name) {
                found.all.push(format!("{} was added", added.name));
            }
            let blob = there.next_if(|blob| blob.name == then.name);
            found.is_less |= blob.is_none_or(|blob| blob.bytes < then.bytes);
            match blob {
                Some(blob) => found.all.extend(difference(then, blob, written)),
                None => found.all.push(format!("{} is missing", then.name)),
            }
        }
        found.all.extend(there.map(|added| format!("{} was added", added.name)));
        found
    }
}

/// How a blob differs, in words.
fn difference(then: &FolderBlob, now: &FolderBlob, written: Option<OffsetDateTime>) -> Option<String> {
    let name = &then.name;
    let is_later = || written.zip(now.written).is_some_and(|(written, of)| of > written);
    let has_other_sum = || then.md5.as_ref().zip(now.md5.as_ref()).is_some_and(|(then, now)| then != now);
    if now.bytes != then.bytes {
        Some(format!("{name} has {} bytes instead of {}", now.bytes, then.bytes))
    } else if has_other_sum() {
        Some(format!("{name} has another MD5"))
    } else {
        is_later().then(|| format!("{name} was written again"))
    }
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first of them, and how many more there are.
    pub fn text(&self) -> String {
        let named = self.all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        match self.all.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named}, and {more} more"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::datetime;

    use super::*;

    const THEN: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    /// An inventory of blobs with names, sizes and MD5s.
    pub(in crate::domain::hsm) fn inventory(blobs: &[(&str, u64, &str)]) -> Inventory {
        let blob = |&(name, bytes, md5): &(&str, u64, &str)| FolderBlob {
            name: name.to_owned(),
            bytes,
            md5: Some(md5.to_owned()).filter(|md5| !md5.is_empty()),
            written: Some(THEN),
        };
        Inventory::of(blobs.iter().map(blob).collect()).unwrap()
    }

    #[test]
    fn each_difference_is_named_and_what_is_the_same_is_none() {
        let then = inventory(&[("head", 9, "aa"), ("one", 20, "bb"), ("two", 30, "")]);
        let head = ("head", 9, "aa");
        for (now, expected, is_less) in [
            (vec![head, ("one", 20, "bb"), ("two", 30, "")], "", false),
            (vec![("two", 30, ""), ("one", 20, "bb"), head], "", false),
            (vec![head, ("one", 20, ""), ("two", 30, "cc")], "", false),
            (vec![head, ("two", 30, "")], "one is missing", true),
            (vec![head, ("one", 20, "bb")], "two is missing", true),
            (vec![head, ("one", 20, "bc"), ("two", 30, "")], "one has another MD5", false),
            (vec![head, ("one", 19, "bc"), ("two", 30, "")], "one has 19 bytes instead of 20", true),
            (vec![head, ("one", 21, "bb"), ("two", 30, "")], "one has 21 bytes instead of 20", false),
            (vec![head, ("one", 20, "bb"), ("oo", 1, ""), ("two", 30, "")], "oo was added", false),
            (vec![head, ("one", 20, "bb"), ("two", 30, ""), ("x", 1, "")], "x was added", false),
            (vec![head, ("uno", 20, "bb"), ("two", 30, "")], "one is missing, uno was added", true),
            (vec![], "head is missing, one is missing, two is missing", true),
        ] {
            let mut now = now;
            now.sort_unstable();
            let found = then.differences(&inventory(&now), Some(THEN));
            assert_eq!((found.text(), found.is_less), (expected.to_owned(), is_less), "{now:?}");
            assert_eq!(found.is_empty(), expected.is_empty());
        }
        let again = then.differences(&then, Some(THEN - time::Duration::SECOND));
        assert_eq!(again.text(), "head was written again, one was written again, two was written again");
        assert!(then.differences(&then, None).is_empty());
    }

    #[test]
    fn of_many_differences_some_are_named() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let then = inventory(&names.map(|name| (name, 1, "")));
        let found = then.differences(&inventory(&[]), None);
        assert_eq!(
            found.text(),
            "a is missing, b is missing, c is missing, d is missing, e is missing, and 2 more"
        );
    }

    #[test]
    fn the_digest_is_of_names_sizes_and_sums_in_any_order() {
        let of = |blobs: &[(&str, u64, &str)]| inventory(blobs).digest();
        let whole = of(&[("a", 1, "aa"), ("b", 2, "")]);
        assert_eq!(whole, of(&[("b", 2, ""), ("a", 1, "aa")]));
        for other in [
            [("a", 1, "ab"), ("b", 2, "")],
            [("a", 1, ""), ("b", 2, "aa")],
            [("a", 2, "aa"), ("b", 1, "")],
            [("a", 1, "aa"), ("c", 2, "")],
        ] {
            assert_ne!(whole, of(&other), "{other:?}");
        }
    }

    #[test]
    fn a_folder_of_too_many_blobs_has_no_inventory() {
        let blob = FolderBlob { name: "a".into(), bytes: 1, md5: None, written: None };
        assert!(Inventory::of(vec![blob.clone(); MOST]).is_some());
        assert!(Inventory::of(vec![blob; MOST + 1]).is_none());
    }
}
