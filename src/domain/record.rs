//! Records as they are stored: JSON in ASCII, which a blob's metadata can hold.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The most bytes of a record, with room for its name. A blob's metadata holds 8 KiB in all.
pub const RECORD_LIMIT: usize = 8 * 1024 - 64;

/// The format of a record: the part that records of all formats have.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Format {
    v: u64,
}

impl Format {
    /// The format's number, if the program that wrote it is newer than one that knows formats up to `known`.
    pub fn newer_than(self, known: u32) -> Option<u64> {
        Some(self.v).filter(|v| *v > known.into())
    }
}

/// Serializes a value as a record.
///
/// # Errors
/// If the value cannot be JSON.
pub fn record(value: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    if json.bytes().all(|byte| is_plain(byte.into())) {
        return Ok(json);
    }
    let mut record = String::with_capacity(json.len() * 2);
    let mut units = [0; 2];
    for c in json.chars() {
        if is_plain(c) {
            record.push(c);
        } else {
            record.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    Ok(record)
}

/// Whether a header can hold the character as it is. JSON itself escapes the control characters below the space.
fn is_plain(c: char) -> bool {
    c.is_ascii() && c != '\u{7f}'
}

/// Cuts a text to at most this many bytes in a record, on a character boundary.
pub fn cut(mut text: String, bytes: usize) -> String {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += match c {
            '"' | '\\' => 2,
            ' '..='~' => 1,
            c => 6 * c.len_utf16(),
        };
        taken > bytes
    });
    if let Some((end, _)) = end {
        text.truncate(end);
    }
    text
}

/// A number of objects, as records have it.
pub fn count(objects: usize) -> u32 {
    u32::try_from(objects).unwrap_or(u32::MAX)
}

/// A time without the fraction of its second, as records have it.
pub fn whole_second(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_ascii_and_reads_back() {
        let text = "Schlüssel 鍵 🔑 \"quoted\"\r\n\u{7f}";
        let stored = record(&text).unwrap();
        assert!(stored.bytes().all(|b| (b' '..=b'~').contains(&b)), "{stored}");
        assert_eq!(serde_json::from_str::<String>(&stored).unwrap(), text);
    }

    #[test]
    fn a_format_is_newer_only_above_the_known_one() {
        for (json, newer) in [
            (r#"{"v":1}"#, None),
            (r#"{"v":2,"more":[]}"#, None),
            (r#"{"v":3}"#, Some(3)),
            (r#"{"v":4294967298}"#, Some(4_294_967_298)),
        ] {
            let format: Format = serde_json::from_str(json).unwrap();
            assert_eq!(format.newer_than(2), newer, "{json}");
        }
        assert!(serde_json::from_str::<Format>("{}").is_err());
    }

    #[test]
    fn a_record_leaves_room_for_its_name_in_a_blobs_metadata() {
        assert_eq!(RECORD_LIMIT, 8128);
    }

    #[test]
    fn what_is_plain_is_stored_as_it_is_and_the_rest_escaped() {
        for (text, stored) in
            [("a b~", "a b~"), ("é", r"\u00e9"), ("🔑", r"\ud83d\udd11"), ("\u{7f}", r"\u007f")]
        {
            assert_eq!(record(&text).unwrap(), format!("\"{stored}\""));
        }
    }

    #[test]
    fn a_text_is_cut_to_what_it_takes_as_a_record() {
        for text in ["plain text", "~ ~", "\"\\\"\\", "Schlüssel", "鍵🔑鍵🔑", "\u{1}\u{7f}\u{1f}"] {
            // The bytes of each character, from the record of the text without it and with it.
            let taken = |part: &str| record(&part).unwrap().len() - 2;
            for bytes in 0..40 {
                let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
                let end = ends.filter(|end| taken(&text[..*end]) <= bytes).max().unwrap_or(0);
                assert_eq!(cut(text.to_owned(), bytes), text[..end], "{text} {bytes}");
            }
        }
    }

    #[test]
    fn what_json_escapes_in_fewer_bytes_is_cut_as_if_it_took_six() {
        assert_eq!(cut("\r\n".into(), 11), "\r");
    }
}
