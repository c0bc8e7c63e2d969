//! Versions of stored blobs, as storage names them.

use serde::{Deserialize, Serialize};

use super::digest::Hash;

/// Tells the containers of an installation apart: a version of a blob says nothing in a copy of its container.
pub type ContainerMark = Hash<4>;

/// The version in which a blob was listed. An account without versions lists none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVersion {
    /// The container.
    #[serde(rename = "in")]
    pub container: ContainerMark,
    /// The version's identifier, which is a time.
    pub version: String,
}

impl StoredVersion {
    /// Whether both are versions of one container, and not the same one.
    pub fn is_replaced_by(&self, other: &Self) -> bool {
        self.container == other.container && self.version != other.version
    }
}

/// A version of a blob in six bytes: thousands of them are held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMark(Hash<6>);

impl VersionMark {
    /// The mark of an identifier.
    pub fn of(version: &str) -> Self {
        Self(Hash::of(version.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_version_of_the_same_container_replaces_one() {
        let of = |container: &str, version: &str| StoredVersion {
            container: Hash::of(container.as_bytes()),
            version: version.to_owned(),
        };
        let stored = of("backups", "2026-11-30T01:02:03.1234567Z");
        for (other, expected) in [
            (of("backups", "2026-11-30T01:02:03.1234567Z"), false),
            (of("backups", "2026-11-30T01:02:03.1234568Z"), true),
            (of("copies", "2026-11-30T01:02:03.1234568Z"), false),
        ] {
            assert_eq!(stored.is_replaced_by(&other), expected, "{other:?}");
        }
        let read = r#"{"in":"9d0d4d1a","version":"2026-11-30T01:02:03.1234567Z","later":1}"#;
        let read: StoredVersion = serde_json::from_str(read).unwrap();
        assert_eq!(VersionMark::of(&read.version), VersionMark::of(&stored.version));
        assert_ne!(VersionMark::of("2026-11-30T01:02:03.1234568Z"), VersionMark::of(&stored.version));
    }
}
