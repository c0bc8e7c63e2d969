//! The objects of a plan.

use serde::{Deserialize, Serialize};

use super::{
    digest::Fingerprint,
    object::{ObjectId, ObjectKind, ObjectName},
    run::RunId,
};

/// What happens to a listed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Backed up: there is no backup of it yet.
    New,
    /// Backed up: it changed since its last backup.
    Changed,
    /// Backed up: it changed so shortly before its last backup that a later change may not show.
    Unsettled,
    /// Backed up: the last run should have, and could not, or has a backup of a form that is not known.
    Missed,
    /// Backed up although nothing shows a change, because listing does not show changes of older versions.
    FullPass,
    /// Backed up because a request names this very object.
    Asked,
    /// Skipped: nothing changed since its last backup.
    Unchanged,
    /// Skipped: it belongs to a certificate, whose backup contains it. The service refuses its backup.
    Managed,
    /// Skipped: managed by the vault, and by none of its certificates, such as a token of a managed storage
    /// account. The service refuses its backup, and no other backup contains it.
    VaultManaged,
}

impl Decision {
    /// Whether the object is backed up.
    pub fn backs_up(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Managed | Self::VaultManaged)
    }
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// What happens to it.
    pub decision: Decision,
    /// The run of the newest backup under its name so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
    /// What the list showed of it, if it is backed up: which of its versions is current shows nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Fingerprint>,
}

impl Planned {
    /// An object without an earlier backup, of which nothing was shown.
    pub fn new(ObjectId { kind, name }: ObjectId, decision: Decision) -> Self {
        Self { kind, name, decision, previous: None, shown: None }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }

    /// Its place in the order of [`ObjectId`].
    pub fn key(&self) -> (ObjectKind, &ObjectName) {
        (self.kind, &self.name)
    }
}

/// Brings the objects of a plan into order, and keeps one of those that are there several times.
pub fn put_in_order(objects: &mut Vec<Planned>) {
    objects.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    objects.dedup_by(|a, b| a.key() == b.key());
}

/// Finds, among objects in order, what is managed and has no certificate of its name.
pub fn tell_managers_apart(objects: &mut [Planned]) {
    let certificates = objects.partition_point(|of| of.kind == ObjectKind::Certificate);
    let (certificates, others) = objects.split_at_mut(certificates);
    for other in others.iter_mut().filter(|of| of.decision == Decision::Managed) {
        if certificates.binary_search_by(|of| of.name.cmp(&other.name)).is_err() {
            other.decision = Decision::VaultManaged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(kind: ObjectKind, name: &str, decision: Decision) -> Planned {
        Planned::new(ObjectId::new(kind, name.parse().unwrap()), decision)
    }

    #[test]
    fn objects_are_in_the_order_of_blob_names_and_each_is_there_once() {
        use ObjectKind::{Certificate, Key, Secret};
        let listed =
            [(Secret, "b"), (Key, "b"), (Secret, "A"), (Certificate, "c"), (Key, "B"), (Secret, "a")];
        let mut objects = listed.map(|(kind, name)| planned(kind, name, Decision::New)).to_vec();
        put_in_order(&mut objects);
        let expected = [(Certificate, "c"), (Key, "b"), (Secret, "a"), (Secret, "b")];
        assert_eq!(objects, expected.map(|(kind, name)| planned(kind, name, Decision::New)));
    }

    #[test]
    fn what_is_managed_belongs_to_the_certificate_of_its_name_or_to_the_vault() {
        use Decision::{Changed, Managed, New, VaultManaged};
        use ObjectKind::{Certificate, Key, Secret};
        let listed = [
            (Certificate, "TLS", New),
            (Key, "tls", Managed),
            (Key, "sas", Managed),
            (Secret, "tls", Managed),
            (Secret, "own", Changed),
            (Secret, "sas", Managed),
        ];
        let mut objects = listed.map(|(kind, name, decision)| planned(kind, name, decision)).to_vec();
        put_in_order(&mut objects);
        tell_managers_apart(&mut objects);
        let told = |kind, name: &str| {
            let id = ObjectId::new(kind, name.parse().unwrap());
            objects.iter().find(|of| of.id() == id).unwrap().decision
        };
        assert_eq!((told(Key, "tls"), told(Secret, "tls")), (Managed, Managed), "case does not count");
        assert_eq!((told(Key, "sas"), told(Secret, "sas")), (VaultManaged, VaultManaged));
        assert_eq!((told(Certificate, "tls"), told(Secret, "own")), (New, Changed));
    }
}
