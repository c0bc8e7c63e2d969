//! Versions of the service's interface.

use super::error::Error;

/// A version of the service's interface.
///
/// The versions differ little here: 7.5 lets the HSM use a managed identity, 7.6 adds the checks before a backup and
/// a restore (API specification; both recorded).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(parse_err_ty = Error, parse_err_fn = not_known)]
#[non_exhaustive]
pub enum ServiceVersion {
    /// `7.2`, the first with backups.
    #[strum(serialize = "7.2")]
    V7_2,
    /// `7.3`.
    #[strum(serialize = "7.3")]
    V7_3,
    /// `7.4`.
    #[strum(serialize = "7.4")]
    V7_4,
    /// `7.5`, the first with managed identities.
    #[strum(serialize = "7.5")]
    V7_5,
    /// `7.6`, the first with checks before a backup and a restore.
    #[strum(serialize = "7.6")]
    V7_6,
    /// `2025-07-01`.
    #[default]
    #[strum(serialize = "2025-07-01")]
    V2025_07_01,
}

impl ServiceVersion {
    /// The version as requests contain it.
    pub fn as_str(self) -> &'static str {
        self.into()
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

fn not_known(_: &str) -> Error {
    Error::NotSent("not a known version of the service".to_owned())
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn versions_are_ordered_by_what_they_bring() {
        let names = ["7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"];
        assert!(ServiceVersion::VARIANTS.iter().map(|version| version.as_str()).eq(names));
        for version in ServiceVersion::VARIANTS {
            assert_eq!(version.as_str().parse::<ServiceVersion>().ok(), Some(*version));
        }
        assert!(!ServiceVersion::V7_4.has_managed_identity() && ServiceVersion::V7_5.has_managed_identity());
        assert!(!ServiceVersion::V7_5.has_checks() && ServiceVersion::default().has_checks());
        assert!("8.0".parse::<ServiceVersion>().is_err());
    }
}
