//! The form of a backup: whether this program knows it.
//!
//! A backup is opened by the service alone; this program keeps it, and stores every complete answer. Its form is judged
//! but is not a condition for storing it. Whether a backup of an unknown form is whole cannot be determined here, so
//! this is said wherever the backup is shown, the object stays due, and nothing is purged in favour of that backup.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};

/// The longest tag that is shown, in characters. The service's tags have about forty.
const TAG_LIMIT: usize = 64;

/// The most names of a header that are shown, and the longest of them. The service's headers have three.
const NAMES_LIMIT: usize = 8;
const NAME_LIMIT: usize = 32;

/// The most bytes of a decoded JWE header. The service's headers have about a hundred.
pub(super) const HEADER_LIMIT: usize = 2 * 1024;

/// The form of a backup, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Form {
    /// Judged, and whole as far as can be determined without the service.
    Known(BlobFacts),
    /// Could not be judged.
    Unknown(Clear),
}

/// The clear part of a backup of a known form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFacts {
    /// The service's wrapping key. Two blobs with one `kid` come from one security world.
    pub kid: String,
    /// How the content key is wrapped, such as `RSA-OAEP-256`.
    pub alg: String,
    /// How the content is encrypted, such as `A256CBC-HS512`.
    pub enc: String,
}

/// What may be shown of a backup of an unknown form: the parts that name the form, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clear {
    /// The tag at the start, if its text names the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The names in the JWE header, if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header: Vec<String>,
}

impl Form {
    /// The wrapping key, if the form is known.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Self::Known(facts) => Some(&facts.kid),
            Self::Unknown(_) => None,
        }
    }

    /// What may be shown of the form, if it is unknown.
    pub fn unknown(&self) -> Option<&Clear> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(clear) => Some(clear),
        }
    }
}

impl Clear {
    /// What may be shown of these bytes: a tag that names the service or its vault, and the names in a JWE header after
    /// the tag or at the start. Anything else might be part of the protected content.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let tagged = split_tag(bytes).filter(|(tag, _)| names_a_form(tag));
        let (tag, jwe) = tagged.map_or((None, bytes), |(tag, jwe)| (Some(tag), jwe));
        let tag = tag.map(|tag| String::from_utf8_lossy(tag).into_owned());
        Self { tag, header: header_names(jwe).unwrap_or_default() }
    }
}

impl fmt::Display for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "tag {tag}")?,
            None => f.write_str("no tag that names a form")?,
        }
        match self.header.as_slice() {
            [] => f.write_str(", no header that can be read"),
            [name] => write!(f, ", header name {name}"),
            names => write!(f, ", header names {}", names.join(", ")),
        }
    }
}

/// Splits a tag, with its length byte, from the bytes that follow it.
pub(super) fn split_tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(length.into())
}

fn names_a_form(tag: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let lower = tag.to_ascii_lowercase();
    let says = |name: &[u8]| lower.windows(name.len()).any(|part| part == name);
    tag.len() <= TAG_LIMIT && tag.iter().all(word) && (says(b"keyvault") || says(b"microsoft"))
}

/// The names in the header of a JWE, sorted.
fn header_names(jwe: &[u8]) -> Option<Vec<String>> {
    let header = jwe.split(|byte| *byte == b'.').next().filter(|header| header.len() < jwe.len())?;
    if header.len() > HEADER_LIMIT * 4 / 3 + 2 {
        return None;
    }
    let header = BASE64URL.decode(header).ok()?;
    let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header).ok()?;
    let word = |name: &String| {
        (1..=NAME_LIMIT).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_#".contains(&byte))
    };
    Some(header.into_keys().filter(word).take(NAMES_LIMIT).collect())
}

/// A form as stored in an entry. A known form is written as before unknown forms existed; for an unknown one the
/// strings are empty, so that an older program can still read the entry.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    kid: String,
    alg: String,
    enc: String,
    #[serde(default, skip_serializing_if = "Named::is_known")]
    form: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    #[default]
    Known,
    Unknown,
}

impl Named {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    fn is_known(&self) -> bool {
        *self == Self::Known
    }
}

impl From<Stored> for Form {
    fn from(stored: Stored) -> Self {
        let Stored { kid, alg, enc, form, clear } = stored;
        match form {
            Named::Known => Self::Known(BlobFacts { kid, alg, enc }),
            Named::Unknown => Self::Unknown(clear.unwrap_or_default()),
        }
    }
}

impl From<Form> for Stored {
    fn from(form: Form) -> Self {
        match form {
            Form::Known(BlobFacts { kid, alg, enc }) => {
                Self { kid, alg, enc, form: Named::Known, clear: None }
            }
            Form::Unknown(clear) => {
                let [kid, alg, enc] = [(); 3].map(|()| String::new());
                Self { kid, alg, enc, form: Named::Unknown, clear: Some(clear) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(tag: &str, header: &str) -> Vec<u8> {
        let length = u8::try_from(tag.len()).unwrap();
        [&[length], tag.as_bytes(), BASE64URL.encode(header).as_bytes(), b".more"].concat()
    }

    #[test]
    fn of_an_unknown_form_what_names_it_is_shown_and_nothing_else() {
        let known = "AzureKeyVaultSecretBackupV2.microsoft.com";
        let named = "tag AzureKeyVaultSecretBackupV2.microsoft.com";
        let jwe = format!("{}.rest", BASE64URL.encode(r#"{"enc":"x","alg":"y"}"#));
        let many = (0..20).map(|number| format!(r#""n{number:02}":1"#)).collect::<Vec<_>>().join(",");
        let eight = (0..8).map(|number| format!("n{number:02}")).collect::<Vec<_>>().join(", ");
        for (bytes, expected) in [
            (blob(known, r#"{"ver":2,"alg":"x"}"#), format!("{named}, header names alg, ver")),
            (blob(known, r#"{"zip":{"deep":"DEF"}}"#), format!("{named}, header name zip")),
            (blob(known, r#"{"a name with spaces":1}"#), format!("{named}, no header that can be read")),
            (blob(known, &format!("{{{many}}}")), format!("{named}, header names {eight}")),
            (blob(known, "plain"), format!("{named}, no header that can be read")),
            (jwe.into_bytes(), "no tag that names a form, header names alg, enc".to_owned()),
            // What may be a secret behind its length.
            (blob("hunter2", "{}"), "no tag that names a form, no header that can be read".to_owned()),
            (
                blob("my microsoft password", "{}"),
                "no tag that names a form, no header that can be read".to_owned(),
            ),
            (b"\x03".to_vec(), "no tag that names a form, no header that can be read".to_owned()),
        ] {
            assert_eq!(Clear::of(&bytes).to_string(), expected);
        }
        let long = format!("microsoft{}", "x".repeat(TAG_LIMIT));
        assert_eq!(Clear::of(&blob(&long, "{}")), Clear::default());
    }

    #[test]
    fn a_known_form_is_written_as_before_there_were_others_and_an_unknown_one_says_so() {
        let known = r#"{"kid":"k","alg":"RSA-OAEP-256","enc":"A256CBC-HS512"}"#;
        let unknown =
            r#"{"kid":"","alg":"","enc":"","form":"unknown","clear":{"tag":"KeyVaultV2","header":["alg"]}}"#;
        for text in [known, unknown] {
            let form: Form = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&form).unwrap(), text);
            assert_eq!(form.unknown().is_some(), text == unknown);
            assert_eq!(form.kid(), (text == known).then_some("k"));
        }
        let bare: Form =
            serde_json::from_str(&unknown.replace(r#","clear":{"tag":"KeyVaultV2","header":["alg"]}"#, ""))
                .unwrap();
        assert_eq!(bare, Form::Unknown(Clear::default()));
    }
}
