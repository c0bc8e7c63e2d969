//! An object's tags, as far as the record of its backup holds them.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

/// The most bytes that tags unpack to. Key Vault takes 15 tags of 512 and 256 characters, each at most six bytes of
/// JSON.
const UNPACKED_LIMIT: usize = 128 * 1024;

/// The tags of an object's current version at its backup.
///
/// A blob's metadata has room for about 8 KiB, and the tags may have more. A record packs them if they do not fit as
/// they are; if they do not fit packed either, the longest are left out and the record says so. Records of older
/// programs hold no tags in that case, and do not say so. In memory and in a manifest, tags are never packed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Tags {
    #[serde(rename = "tags", skip_serializing_if = "BTreeMap::is_empty")]
    known: BTreeMap<String, String>,
    #[serde(rename = "tags_incomplete", skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

/// Tags as they are read.
#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    packed_tags: Option<String>,
    #[serde(default)]
    tags_incomplete: bool,
}

/// A value whose tags are packed.
#[derive(Serialize)]
pub(super) struct Packed<T> {
    /// The value without the packed tags.
    #[serde(flatten)]
    pub(super) value: T,
    /// Its tags: JSON, deflated, in base64.
    pub(super) packed_tags: String,
}

impl Tags {
    /// The known tags. There may be more.
    pub fn known(&self) -> &BTreeMap<String, String> {
        &self.known
    }

    /// Whether all wanted tags are among them; `None` if the known ones do not show it.
    pub fn include(&self, wanted: &BTreeMap<String, String>) -> Option<bool> {
        let mut told = Some(true);
        for (key, value) in wanted {
            match self.known.get(key) {
                Some(known) if known == value => {}
                None if self.incomplete => told = None,
                _ => return Some(false),
            }
        }
        told
    }

    /// Leaves out the longest tag. Returns whether there was one.
    pub(super) fn leave_longest(&mut self) -> bool {
        let longest = self.known.iter().max_by_key(|(key, value)| key.len() + value.len());
        let Some(longest) = longest.map(|(key, _)| key.clone()) else { return false };
        self.known.remove(&longest);
        self.incomplete = true;
        true
    }

    /// The packed tags, and what is stored beside them. `None` if they could not be read back.
    pub(super) fn packed(&self) -> serde_json::Result<Option<(String, Self)>> {
        let json = serde_json::to_vec(&self.known)?;
        let rest = Self { known: BTreeMap::new(), ..*self };
        let pack = || {
            let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
            deflated.write_all(&json)?;
            deflated.finish()
        };
        let packed = pack().map_err(serde_json::Error::io)?;
        Ok((json.len() <= UNPACKED_LIMIT).then(|| (STANDARD_NO_PAD.encode(packed), rest)))
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(known: BTreeMap<String, String>) -> Self {
        Self { known, incomplete: false }
    }
}

impl TryFrom<Stored> for Tags {
    type Error = io::Error;

    fn try_from(stored: Stored) -> io::Result<Self> {
        let known = stored.packed_tags.as_deref().map_or(Ok(stored.tags), unpack)?;
        Ok(Self { known, incomplete: stored.tags_incomplete })
    }
}

fn unpack(packed: &str) -> io::Result<BTreeMap<String, String>> {
    let damaged = |why: &str| io::Error::other(format!("its packed tags are damaged: {why}"));
    let deflated = STANDARD_NO_PAD.decode(packed).map_err(|error| damaged(&error.to_string()))?;
    let mut json = Vec::new();
    let mut unpacked = DeflateDecoder::new(deflated.as_slice()).take(UNPACKED_LIMIT as u64 + 1);
    match unpacked.read_to_end(&mut json) {
        Err(error) => Err(damaged(&error.to_string())),
        Ok(bytes) if bytes > UNPACKED_LIMIT => Err(damaged("they have no end")),
        Ok(_) => serde_json::from_slice(&json).map_err(|error| damaged(&error.to_string())),
    }
}

#[cfg(test)]
impl Tags {
    /// Tags of which only these are known.
    pub(super) fn part(known: BTreeMap<String, String>) -> Self {
        Self { known, incomplete: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> BTreeMap<String, String> {
        let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        text.split_whitespace().filter_map(pair).collect()
    }

    #[test]
    fn what_is_known_of_tags_tells_or_does_not() {
        // Known tags, wanted tags, and the answer: if there are no others, and if there may be more.
        let table = [
            ("", "", Some(true), Some(true)),
            ("", "a=1", Some(false), None),
            ("a=1", "a=1", Some(true), Some(true)),
            ("a=1", "a=2", Some(false), Some(false)),
            ("a=1 b=1", "a=1 b=1", Some(true), Some(true)),
            ("a=1", "a=1 b=1", Some(false), None),
            ("b=1", "a=1 b=2", Some(false), Some(false)),
            ("a=1", "a=2 b=1", Some(false), Some(false)),
        ];
        for (known, wanted, whole, part) in table {
            let (all, some) = (Tags::from(of(known)), Tags::part(of(known)));
            assert_eq!(
                (all.include(&of(wanted)), some.include(&of(wanted))),
                (whole, part),
                "{known}, {wanted}"
            );
        }
    }

    #[test]
    fn the_longest_is_left_out_and_that_is_said() {
        let mut tags = Tags::from(of("a=12345 bcdef=12 g=1"));
        for known in ["a=12345 g=1", "g=1", ""] {
            assert!(tags.leave_longest());
            assert_eq!(tags, Tags::part(of(known)));
        }
        assert!(!tags.leave_longest());
    }

    fn read(stored: &serde_json::Value) -> Result<Tags, String> {
        serde_json::from_value(stored.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_packed_unpacks_to_so_much_and_no_more() {
        // Two quotation marks for each text, a colon, and the brackets.
        for (bytes, whole) in [(UNPACKED_LIMIT, true), (UNPACKED_LIMIT + 1, false)] {
            let long = Tags::from(BTreeMap::from([("a".to_owned(), "b".repeat(bytes - 8))]));
            assert_eq!(long.packed().unwrap().is_some(), whole, "{bytes}");
        }
        for (bytes, end) in
            [(UNPACKED_LIMIT, "EOF"), (UNPACKED_LIMIT + 1, "no end"), (UNPACKED_LIMIT * 64, "no end")]
        {
            let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
            io::copy(&mut io::repeat(b' ').take(bytes as u64), &mut deflated).unwrap();
            let packed = STANDARD_NO_PAD.encode(deflated.finish().unwrap());
            let error = read(&serde_json::json!({ "packed_tags": packed })).unwrap_err();
            assert!(error.contains("packed tags are damaged") && error.contains(end), "{bytes}: {error}");
        }
    }

    #[test]
    fn packed_tags_that_are_damaged_are_no_tags() {
        let (packed, rest) = Tags::from(of("a=1")).packed().unwrap().unwrap();
        assert_eq!(read(&serde_json::json!({ "packed_tags": packed })), Ok(Tags::from(of("a=1"))));
        assert_eq!(rest, Tags::default());
        for damaged in ["!", "", &packed[..packed.len() - 4], "AAAA"] {
            assert!(read(&serde_json::json!({ "packed_tags": damaged })).is_err(), "{damaged}");
        }
    }
}
