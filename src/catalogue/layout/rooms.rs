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

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::catalogue::layout::{SECOND, VAULTS};

    /// The page above all names has one line for each form of them.
    #[test]
    fn whatever_the_first_place_keeps_is_copied_with_a_vault_or_in_a_room() {
        let page = include_str!("../layout.rs");
        let lines = page.lines().filter_map(|line| line.strip_prefix("//! "));
        let names: Vec<_> = lines.filter(|line| line.contains('/') && line.contains("   ")).collect();
        // How far the second place is says nothing there, and a probe says nothing after its day.
        let stays = [SECOND, "preflight/"];
        let rooms = Room::VARIANTS.iter().flat_map(|room| room.prefixes());
        let known: Vec<_> = rooms.copied().chain([VAULTS]).chain(stays).collect();
        let unknown: Vec<_> =
            names.iter().filter(|name| !known.iter().any(|prefix| name.starts_with(prefix))).collect();
        assert!(names.len() > 20 && unknown.is_empty(), "{unknown:?}");
    }
}
