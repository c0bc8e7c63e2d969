//! The rooms of records, as they are copied into the second place.

use super::{ACKNOWLEDGED, AUDIT, HSMS};

/// A room of records that is copied after the backups: each names only what was written before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
pub enum Room {
    /// What an HSM's backups left, and their copies.
    Hsms,
    /// What people decided, and what follows from it.
    Decisions,
    /// What verifications found, and the records of days.
    Findings,
    /// The audit trail.
    Trail,
}

impl Room {
    /// The prefixes of the room, in the order in which they are copied.
    pub(in crate::catalogue) const fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Hsms => &["hsm-copies/", HSMS],
            Self::Decisions => &[ACKNOWLEDGED, "attestations/", "holds/", "retention/"],
            Self::Findings => &["verifications/", "drills/", "evidence/"],
            Self::Trail => &[AUDIT],
        }
    }
}

/// Whether a name is that of a second copy of a manifest, which is copied with its vault.
pub(in crate::catalogue) fn is_copy(name: &str) -> bool {
    name.starts_with("retention/copies/")
}
