//! Names of objects. A value of these types can stand in a URL and in a blob name.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// What is wrong with the name of an object or a source, a URL or a kind. The text says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `secret`, `key` or `certificate`.
    #[error("`{0}` is not a kind of object: expected secret, key or certificate")]
    Kind(String),
    /// Not an object name.
    #[error("`{0}` is not an object name: expected 1 to 127 letters, digits and hyphens")]
    Object(String),
    /// Not the name of a source.
    #[error(
        "`{0}` is not the name of a vault or Managed HSM: expected 3 to 24 letters, digits and hyphens, starting with a letter"
    )]
    Source(String),
    /// Not the URL of a source.
    #[error(
        "`{0}` is not the URL of a vault or Managed HSM: expected https://NAME.vault.azure.net or \
         https://NAME.managedhsm.azure.net, or the same with the domains of another cloud"
    )]
    SourceUrl(String),
    /// Not the URL of a vault.
    #[error(
        "`{0}` is not a vault URL: expected https://NAME.vault.azure.net (or .usgovcloudapi.net, .azure.cn)"
    )]
    VaultUrl(String),
    /// Not the URL of a Managed HSM.
    #[error(
        "`{0}` is not the URL of a Managed HSM: expected https://NAME.managedhsm.azure.net (or .usgovcloudapi.net, .azure.cn)"
    )]
    HsmUrl(String),
}

/// Cuts what a stranger sent before it is repeated in an error or a log line.
pub(super) fn quoted(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The three kinds of object that a vault holds.
///
/// The order is the one in which blob storage lists them.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = NameError, parse_err_fn = not_a_kind)]
pub enum ObjectKind {
    /// A certificate; its backup contains the key and the secret that belong to it.
    Certificate,
    /// A key.
    Key,
    /// A secret.
    Secret,
}

impl ObjectKind {
    /// Every kind, in order.
    pub const ALL: [Self; 3] = [Self::Certificate, Self::Key, Self::Secret];

    /// The kind's name in the singular, as it stands in blob names and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn not_a_kind(text: &str) -> NameError {
    NameError::Kind(quoted(text))
}

/// The name of an object: 1 to 127 ASCII letters, digits and hyphens.
///
/// Key Vault keeps the case a name was created with but does not tell names apart by it; neither do
/// comparisons here.
///
/// Names of up to 24 characters, which is most of them, are kept without an allocation of their own:
/// thousands of small ones among the buffers of list pages would keep the memory of those pages in use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(CompactString);

impl ObjectName {
    /// The name as the vault shows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in a blob name: in lower case, so that two spellings are one object.
    pub fn folded(&self) -> Cow<'_, str> {
        if self.0.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(self.0.as_str().to_ascii_lowercase())
        } else {
            Cow::Borrowed(&self.0)
        }
    }
}

impl FromStr for ObjectName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal =
            (1..=127).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if legal { Ok(Self(text.into())) } else { Err(NameError::Object(quoted(text))) }
    }
}

impl TryFrom<String> for ObjectName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0.into_string()
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ObjectName {}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Ordered by folded names, each with the `/` that follows the name in a blob name.
impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> Ordering {
        fn folded(name: &str) -> impl Iterator<Item = u8> {
            name.bytes().map(|b| b.to_ascii_lowercase()).chain([b'/'])
        }
        folded(&self.0).cmp(folded(&other.0))
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One object of a vault: its kind and its name.
///
/// Ordered as blob storage lists `KIND/NAME/…`, which lets a run's plan, its results and the previous
/// manifest be merged as streams.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// Secret, key or certificate.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
}

impl ObjectId {
    /// Puts the two parts together.
    pub fn new(kind: ObjectKind, name: ObjectName) -> Self {
        Self { kind, name }
    }

    /// What it is ordered by.
    pub fn key(&self) -> (ObjectKind, &ObjectName) {
        (self.kind, &self.name)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ObjectName {
        text.parse().unwrap()
    }

    #[test]
    fn a_kind_is_one_word_everywhere() {
        for (kind, word) in ObjectKind::ALL.into_iter().zip(["certificate", "key", "secret"]) {
            assert_eq!((kind.as_str(), kind.to_string().as_str()), (word, word));
            assert_eq!(word.parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), word);
        }
        assert_eq!("keys".parse::<ObjectKind>(), Err(NameError::Kind("keys".into())));
    }

    #[test]
    fn what_a_stranger_sent_is_cut_before_it_is_repeated() {
        assert_eq!(quoted("a\r\nb\u{1b}[31m"), "ab[31m");
        assert_eq!(quoted(&"ü".repeat(81)), "ü".repeat(80));
    }

    #[test]
    fn case_does_not_tell_names_apart_and_is_kept() {
        let (shown, other) = (name("DB-Pass"), name("db-pass"));
        assert_eq!(shown, other);
        assert_eq!(shown.cmp(&other), Ordering::Equal);
        assert_ne!(shown, name("db-pas"));
        assert_eq!((shown.as_str(), &*shown.folded()), ("DB-Pass", "db-pass"));
        assert_eq!((shown.to_string(), format!("{shown:?}")), ("DB-Pass".into(), "DB-Pass".into()));
        assert_eq!((String::from(shown), &*other.folded()), ("DB-Pass".into(), "db-pass"));
    }

    #[test]
    fn an_object_is_shown_with_its_kind() {
        assert_eq!(ObjectId::new(ObjectKind::Key, name("DB")).to_string(), "key DB");
    }

    #[test]
    fn names_that_could_change_a_url_are_refused() {
        for bad in ["", ".", "..", "a/b", "a_b", "a?b", "a%2Fb", "a b", "é", "a#", &"x".repeat(128)] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
        assert!("x".repeat(127).parse::<ObjectName>().is_ok());
    }

    #[test]
    fn order_is_the_order_of_blob_names() {
        let mut names = ["a0", "a", "A-b", "a-", "b", "ab"].map(|n| n.parse::<ObjectName>().unwrap());
        names.sort();
        let mut paths = names.clone().map(|n| format!("{}/", n.folded()));
        paths.sort();
        assert_eq!(names.map(|n| format!("{}/", n.folded())), paths);
    }
}
