//! What planning knows about source and target.

use std::collections::BTreeMap;

use super::Reason;
use crate::domain::{
    digest::Fingerprint,
    entry::Entry,
    location::{Apart, Location},
    object::{ObjectId, ObjectKind},
};

/// What the target holds under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// An object in use, with its fingerprint in the list.
    Live(Fingerprint),
    /// The key or secret of a certificate in use.
    Managed,
    /// A soft-deleted object.
    Deleted {
        /// Whether it may be purged: purge protection is off.
        purgeable: bool,
    },
    /// The key or secret of a soft-deleted certificate, which is recovered and purged only with the certificate.
    DeletedManaged,
}

/// What planning needs to know about source and target.
#[derive(Debug)]
pub struct World<'a> {
    /// Where the source is now, according to the settings: stands in for what an entry does not record.
    pub source: &'a Location,
    /// Where the target is.
    pub target: &'a Location,
    /// What the target holds, by object.
    pub held: &'a BTreeMap<ObjectId, Held>,
    /// The objects whose backup in the index is not usable.
    pub unusable: &'a BTreeMap<ObjectId, Unusable>,
}

/// A backup that is not usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Why.
    pub reason: Reason,
    /// The newest older backup that is not known to be unusable, if one was asked for and is there.
    pub older: Option<Box<Entry>>,
}

impl World<'_> {
    /// How the target's location is known to differ from that of an entry's vault at the backup.
    pub(super) fn apart(&self, entry: &Entry) -> Option<Apart> {
        // The settings for the source may be newer than the entry, but are better than nothing. The source's present
        // tenant is not used: a backup that does not record its own may be from any tenant.
        let settings = Location { tenant: None, ..self.source.clone() };
        entry.location.or(&settings).apart(self.target)
    }

    /// Why the name is taken by an object of another kind, if it is.
    ///
    /// A certificate is also a key and a secret of its name, in use and soft-deleted. So a vault has no certificate
    /// beside a plain key or secret of that name; a plain key and a plain secret may share theirs.
    pub(super) fn other_kind(&self, id: &ObjectId) -> Option<Reason> {
        let held = |kind| self.held.get(&ObjectId::new(kind, id.name.clone()));
        match (id.kind, held(ObjectKind::Certificate)) {
            (ObjectKind::Certificate, Some(_)) => None,
            (ObjectKind::Certificate, None) => {
                let plain = [ObjectKind::Key, ObjectKind::Secret].map(|kind| Some(plain(kind, *held(kind)?)));
                let in_use = |reason: &Reason| matches!(reason, Reason::LiveKey | Reason::LiveSecret);
                plain.into_iter().flatten().min_by_key(|reason| !in_use(reason))
            }
            (_, Some(Held::Live(_) | Held::Managed)) => Some(Reason::LiveCertificate),
            (_, Some(Held::Deleted { .. } | Held::DeletedManaged)) => Some(Reason::SoftDeletedCertificate),
            // An identity that may not list soft-deleted certificates does not know the certificate.
            (kind, None) => {
                (held(kind) == Some(&Held::DeletedManaged)).then_some(Reason::SoftDeletedCertificate)
            }
        }
    }
}

/// Why a key or secret stands in the way of a certificate that the target does not have.
fn plain(kind: ObjectKind, held: Held) -> Reason {
    match (kind, held) {
        (_, Held::DeletedManaged) => Reason::SoftDeletedCertificate,
        (ObjectKind::Key, Held::Deleted { .. }) => Reason::SoftDeletedKey,
        (_, Held::Deleted { .. }) => Reason::SoftDeletedSecret,
        (ObjectKind::Key, Held::Live(_) | Held::Managed) => Reason::LiveKey,
        (_, Held::Live(_) | Held::Managed) => Reason::LiveSecret,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_a_plain_key_or_secret_exclude_each_other() {
        use ObjectKind::{Certificate, Key, Secret};
        let id = |kind| ObjectId::new(kind, "tls".parse().unwrap());
        let (live, deleted) = (Held::Live(Fingerprint::of(b"a")), Held::Deleted { purgeable: true });
        let managed = [(Key, Held::Managed), (Secret, Held::Managed)];
        let gone = [(Key, Held::DeletedManaged), (Secret, Held::DeletedManaged)];
        let with = |of: Held, others: [(ObjectKind, Held); 2]| vec![(Certificate, of), others[0], others[1]];
        for (kind, held, reason) in [
            (Certificate, vec![], None),
            (Certificate, with(live, managed), None),
            (Certificate, with(deleted, gone), None),
            (Certificate, vec![(Key, live)], Some(Reason::LiveKey)),
            (Certificate, vec![(Secret, live)], Some(Reason::LiveSecret)),
            (Certificate, vec![(Secret, Held::Managed)], Some(Reason::LiveSecret)),
            (Certificate, vec![(Key, deleted)], Some(Reason::SoftDeletedKey)),
            (Certificate, vec![(Secret, deleted)], Some(Reason::SoftDeletedSecret)),
            (Certificate, vec![(Key, deleted), (Secret, live)], Some(Reason::LiveSecret)),
            (Certificate, gone.to_vec(), Some(Reason::SoftDeletedCertificate)),
            (Secret, with(live, managed), Some(Reason::LiveCertificate)),
            (Key, with(deleted, gone), Some(Reason::SoftDeletedCertificate)),
            (Secret, gone.to_vec(), Some(Reason::SoftDeletedCertificate)),
            (Secret, vec![(Key, live), (Secret, deleted)], None),
            (Key, vec![(Secret, deleted)], None),
            (Secret, vec![(Secret, Held::Managed)], None),
        ] {
            let held: BTreeMap<_, _> = held.into_iter().map(|(kind, held)| (id(kind), held)).collect();
            let location = Location::default();
            let world =
                World { source: &location, target: &location, held: &held, unusable: &BTreeMap::new() };
            assert_eq!(world.other_kind(&id(kind)), reason, "{kind} into {held:?}");
        }
    }
}
