//! Whether a vault may be drilled in, from what it holds.

use std::collections::BTreeSet;

use super::Why;
use crate::domain::object::{ObjectId, ObjectKind};

/// The name of the secret that declares a drill vault. A person makes it there; the program never writes it.
pub const MARKER: &str = "keyvault-backup-drill-vault";

/// What the lists of a vault show, live and soft-deleted. What belongs to a certificate is not among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether the marker is there and enabled.
    pub marker: bool,
    /// Whether what is deleted there may be purged, as far as the marker and the soft-deleted objects show.
    pub purgeable: bool,
    /// What is live, without the marker.
    pub live: BTreeSet<ObjectId>,
    /// What is soft-deleted.
    pub deleted: BTreeSet<ObjectId>,
}

/// Why a vault may not be drilled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It does not have the marker.
    NoMarker,
    /// It has purge protection, so nothing can be cleaned up there.
    PurgeProtected,
    /// It holds something that no drill has on record.
    NotEmpty(Vec<ObjectId>),
}

impl Seen {
    /// Whether a name is the marker's.
    pub fn is_marker(id: &ObjectId) -> bool {
        id.kind == ObjectKind::Secret && id.name.folded() == MARKER
    }

    /// What of the recorded names is still there.
    pub fn still_there(&self, recorded: &[ObjectId]) -> Vec<ObjectId> {
        recorded.iter().filter(|id| self.live.contains(id) || self.deleted.contains(id)).cloned().collect()
    }

    /// Whether the vault may be drilled in: it is declared, what a drill leaves can be purged, and it is empty but for the
    /// names that a drill has on record.
    ///
    /// # Errors
    /// The first reason why it may not.
    pub fn fit(&self, recorded: &[ObjectId]) -> Result<(), Unfit> {
        if !self.marker {
            return Err(Unfit::NoMarker);
        }
        let others = self.live.union(&self.deleted).filter(|id| !recorded.contains(id));
        let others: Vec<ObjectId> = others.cloned().collect();
        match (others.is_empty(), self.purgeable) {
            (false, _) => Err(Unfit::NotEmpty(others)),
            (true, false) => Err(Unfit::PurgeProtected),
            (true, true) => Ok(()),
        }
    }
}

impl Unfit {
    /// As a record says it.
    pub fn why(&self) -> Why {
        match self {
            Self::NoMarker => Why::new(
                "no-marker",
                format!(
                    "the vault does not have the enabled secret `{MARKER}`, which a person makes to declare a drill vault: \
                     nothing was written there"
                ),
            ),
            Self::PurgeProtected => Why::new(
                "purge-protected",
                "the vault has purge protection, so that what a drill restores could not be removed: nothing was written \
                 there",
            ),
            Self::NotEmpty(others) => {
                let first: Vec<_> = others.iter().take(3).map(ToString::to_string).collect();
                let more = if others.len() > 3 { " and others" } else { "" };
                Why::new(
                    "not-empty",
                    format!(
                        "the vault holds, in use or soft-deleted, what no drill has on record: {}{more}; nothing was written \
                         or deleted there",
                        first.join(", ")
                    ),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::of_kind;

    #[test]
    fn only_a_declared_empty_vault_without_purge_protection_is_fit() {
        let (db, key) = (of_kind(ObjectKind::Secret, "db"), of_kind(ObjectKind::Key, "db"));
        let empty = Seen { marker: true, purgeable: true, ..Seen::default() };
        let with = |live: &[&ObjectId], deleted: &[&ObjectId]| Seen {
            live: live.iter().copied().cloned().collect(),
            deleted: deleted.iter().copied().cloned().collect(),
            ..empty.clone()
        };
        let not_empty = |ids: &[&ObjectId]| Err(Unfit::NotEmpty(ids.iter().copied().cloned().collect()));
        for (seen, recorded, expected) in [
            (empty.clone(), &[][..], Ok(())),
            (Seen { marker: false, ..empty.clone() }, &[], Err(Unfit::NoMarker)),
            (Seen { purgeable: false, ..empty.clone() }, &[], Err(Unfit::PurgeProtected)),
            (with(&[&db], &[]), &[], not_empty(&[&db])),
            (with(&[], &[&db]), &[], not_empty(&[&db])),
            (with(&[&db], &[&key]), std::slice::from_ref(&db), not_empty(&[&key])),
            (with(&[&db], &[&key]), &[db.clone(), key.clone()], Ok(())),
            (Seen { marker: false, ..with(&[&db], &[]) }, std::slice::from_ref(&db), Err(Unfit::NoMarker)),
        ] {
            assert_eq!(seen.fit(recorded), expected, "{seen:?} {recorded:?}");
        }
        assert_eq!(with(&[&db], &[]).still_there(&[key.clone(), db.clone()]), std::slice::from_ref(&db));
        assert_eq!(with(&[], &[&key]).still_there(&[key.clone(), db]), [key]);
    }

    #[test]
    fn the_marker_is_a_secret_of_its_name_in_any_case_of_letters() {
        for (kind, name, expected) in [
            (ObjectKind::Secret, MARKER, true),
            (ObjectKind::Secret, "KeyVault-Backup-Drill-Vault", true),
            (ObjectKind::Key, MARKER, false),
            (ObjectKind::Secret, "db", false),
        ] {
            assert_eq!(Seen::is_marker(&of_kind(kind, name)), expected, "{kind} {name}");
        }
    }
}
