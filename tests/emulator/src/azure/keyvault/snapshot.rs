//! All that is live in a vault, to compare it with another.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{
    backup::BackedUpVersion,
    object::{Attributes, Kind, Store, Version},
};

/// A live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotObject {
    /// Whether it belongs to a certificate.
    pub managed: bool,
    /// All versions with their ids, attributes, tags and material, oldest first.
    pub versions: Vec<BackedUpVersion>,
}

/// The live objects of a vault. Two vaults which hold the same have equal ones.
///
/// Times are cut to whole seconds, as backups and answers have them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// By kind and by name as it was first written.
    pub objects: BTreeMap<(Kind, String), SnapshotObject>,
}

impl Snapshot {
    pub(crate) fn of(store: &Store) -> Self {
        let of_kind = |kind| {
            store.all(kind).map(move |object| {
                let versions = object.versions().iter().map(version).collect();
                ((kind, object.name.clone()), SnapshotObject { managed: object.managed, versions })
            })
        };
        Self { objects: Kind::ALL.into_iter().flat_map(of_kind).collect() }
    }

    /// An object.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&SnapshotObject> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// In what another vault differs, a line for each object and nothing of what it keeps safe.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let missing = self.objects.iter().filter_map(|(id, object)| {
            let what = match other.objects.get(id) {
                None => "is missing",
                Some(found) if found == object => return None,
                Some(found) if found.versions.len() != object.versions.len() => "has other versions",
                Some(_) => "differs",
            };
            Some((id, what))
        });
        let more =
            other.objects.keys().filter(|id| !self.objects.contains_key(id)).map(|id| (id, "is too much"));
        missing.chain(more).map(|((kind, name), what)| format!("{} {name} {what}", kind.noun())).collect()
    }
}

fn version(version: &Version) -> BackedUpVersion {
    let whole = |at: OffsetDateTime| at.replace_nanosecond(0).unwrap_or(at);
    let attributes = &version.attributes;
    BackedUpVersion {
        id: version.id.clone(),
        attributes: Attributes {
            not_before: attributes.not_before.map(whole),
            expires: attributes.expires.map(whole),
            created: whole(attributes.created),
            updated: whole(attributes.updated),
            ..attributes.clone()
        },
        material: version.material.clone(),
    }
}
