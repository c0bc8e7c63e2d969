//! Versions of the service's interface.

use std::{fmt, str::FromStr};

use super::error::Error;

/// A version of the service's interface.
///
/// The versions differ little here: 7.5 lets the HSM use a managed identity, 7.6 adds the checks before a backup and
/// a restore (API specification; both recorded).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ServiceVersion {
    /// `7.2`, the first with backups.
    V7_2,
    /// `7.3`.
    V7_3,
    /// `7.4`.
    V7_4,
    /// `7.5`, the first with managed identities.
    V7_5,
    /// `7.6`, the first with checks before a backup and a restore.
    V7_6,
    /// `2025-07-01`.
    #[default]
    V2025_07_01,
}

impl ServiceVersion {
    /// Every known version, oldest first.
    pub const ALL: [Self; 6] =
        [Self::V7_2, Self::V7_3, Self::V7_4, Self::V7_5, Self::V7_6, Self::V2025_07_01];

    /// The version as requests contain it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V7_2 => "7.2",
            Self::V7_3 => "7.3",
            Self::V7_4 => "7.4",
            Self::V7_5 => "7.5",
            Self::V7_6 => "7.6",
            Self::V2025_07_01 => "2025-07-01",
        }
    }

    /// Whether the HSM can use a managed identity for storage.
    pub fn has_managed_identity(self) -> bool {
        self >= Self::V7_5
    }

    /// Whether there are checks before a backup and a restore.
    pub fn has_checks(self) -> bool {
        self >= Self::V7_6
    }

    pub(super) fn must_have_checks(self) -> Result<(), Error> {
        let text = || format!("service version {self} has no check before a backup or a restore");
        if self.has_checks() { Ok(()) } else { Err(Error::NotSent(text())) }
    }
}

impl fmt::Display for ServiceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServiceVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|version| version.as_str() == text);
        known.ok_or_else(|| Error::NotSent("not a known version of the service".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_what_they_bring() {
        for version in ServiceVersion::ALL {
            assert_eq!(version.as_str().parse::<ServiceVersion>().ok(), Some(version));
        }
        assert!(!ServiceVersion::V7_4.has_managed_identity() && ServiceVersion::V7_5.has_managed_identity());
        assert!(!ServiceVersion::V7_5.has_checks() && ServiceVersion::default().has_checks());
        assert!("8.0".parse::<ServiceVersion>().is_err());
    }
}
