//! Records in a blob's metadata.

use serde::Serialize;

use super::container::Metadata;

/// A record as metadata: JSON in ASCII, which is what a header can hold.
///
/// # Errors
/// When the value cannot be JSON.
pub fn record(key: &str, value: &impl Serialize) -> serde_json::Result<Metadata> {
    Ok([(key.to_owned(), ascii(serde_json::to_string(value)?))].into())
}

fn ascii(json: String) -> String {
    if json.is_ascii() {
        return json;
    }
    let mut ascii = String::with_capacity(json.len() * 2);
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            ascii.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_ascii_and_reads_back() {
        let text = "Schlüssel 鍵 🔑 \"quoted\"\r\n";
        let stored = &record("key", &text).unwrap()["key"];
        assert!(stored.bytes().all(|b| (b' '..=b'~').contains(&b)), "{stored}");
        assert_eq!(serde_json::from_str::<String>(stored).unwrap(), text);
    }
}
