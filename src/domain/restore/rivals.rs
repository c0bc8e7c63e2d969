//! Decides between a certificate and a plain key or secret of the same name: a vault never has both.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::domain::{
    manifest::{Line, ObjectStatus},
    object::{ObjectId, ObjectKind, ObjectName},
};

/// How certain a line is that its object has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The object was gone.
    Gone,
    /// It is not known whether the object was gone or there.
    Unknown,
    /// It was there.
    There,
}

/// An object's claim to its name. The greater of two claims wins: the object that was there, then the newer backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    standing: Standing,
    taken: Option<OffsetDateTime>,
    /// Whether the restore takes the object.
    wanted: bool,
    /// Whether the request spells it out.
    named: bool,
}

impl Claim {
    /// The claim of a line; `None` if its name belongs to another object.
    pub(super) fn of(line: &Line, wanted: bool, named: bool) -> Option<Self> {
        let standing = match line.status {
            ObjectStatus::BackedUp | ObjectStatus::Unchanged | ObjectStatus::Failed => Standing::There,
            ObjectStatus::Disappeared | ObjectStatus::Carried => Standing::Unknown,
            ObjectStatus::Gone => Standing::Gone,
            ObjectStatus::Managed | ObjectStatus::VaultManaged | ObjectStatus::Former => return None,
        };
        Some(Self { standing, taken: line.entry.as_ref().map(|entry| entry.taken), wanted, named })
    }

    fn beats(self, other: Self) -> bool {
        (self.standing, self.taken) > (other.standing, other.taken)
    }

    /// Whether the object is excluded because of a greater claim. An object that is gone and spelled out is wanted in
    /// any case, unless both are wanted.
    fn yields_to(self, greater: Self) -> bool {
        let in_any_case = self.named && self.standing == Standing::Gone && !greater.wanted;
        self.wanted && !in_any_case
    }
}

/// The certificates read from an index so far, and those that have lost their names.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    certificates: BTreeMap<ObjectName, Claim>,
    beaten: BTreeSet<ObjectName>,
}

impl Rivals {
    /// Adds the claim of a line; certificates come first. Returns whether the claim yields to an earlier one.
    pub(super) fn yields(&mut self, id: &ObjectId, claim: Claim) -> bool {
        if id.kind == ObjectKind::Certificate {
            self.certificates.insert(id.name.clone(), claim);
            return false;
        }
        let Some(&certificate) = self.certificates.get(&id.name) else { return false };
        if claim.beats(certificate) {
            if certificate.yields_to(claim) {
                self.beaten.insert(id.name.clone());
            }
            return false;
        }
        claim.yields_to(certificate)
    }

    /// Whether the restore takes the certificate of a name.
    pub(super) fn takes_certificate(&self, name: &ObjectName) -> bool {
        self.certificates.get(name).is_some_and(|certificate| certificate.wanted)
    }

    /// Whether an object is a certificate that yields to a key or a secret of its name.
    pub(super) fn has_beaten(&self, id: &ObjectId) -> bool {
        id.kind == ObjectKind::Certificate && self.beaten.contains(&id.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        location::Location,
        restore::{
            Action, Held, OnConflict, OnDamaged, Reason, Request, RestorePlan, Selection, World, plan_restore,
        },
        samples::{self, NIGHT, of_kind},
    };

    /// The line of an object, with a backup from this many nights ago.
    fn line(kind: ObjectKind, status: ObjectStatus, nights: Option<i64>) -> Line {
        let entry =
            nights.map(|nights| samples::entry(&of_kind(kind, "tls"), NIGHT - time::Duration::days(nights)));
        Line::new(of_kind(kind, "tls"), status, entry)
    }

    fn planned(lines: &[Line], selection: Selection, held: &[(ObjectKind, Held)]) -> RestorePlan {
        let request = Request {
            source: "kv-a".parse().unwrap(),
            target: "kv-b".parse().unwrap(),
            at: None,
            first_version: false,
            selection,
            on_conflict: OnConflict::RecoverDeleted,
            on_damaged: OnDamaged::default(),
            other_place: false,
        };
        let held = held.iter().map(|(kind, held)| (of_kind(*kind, "tls"), *held));
        let (location, held) = (Location::default(), held.collect::<BTreeMap<_, _>>());
        let world = World { source: &location, target: &location, held: &held, unusable: &BTreeMap::new() };
        plan_restore(&request, lines.iter().cloned().map(Ok::<_, ()>), &world).unwrap()
    }

    /// The kinds that a plan restores, and those that it leaves with the reason; those in the way have an exclamation mark.
    fn summary(plan: &RestorePlan) -> String {
        let steps = plan.steps.iter().map(|step| step.kind.to_string());
        let left = plan.excluded.iter().map(|left| {
            format!("{}: {}{}", left.kind, left.reason.name(), if left.skipped { "" } else { "!" })
        });
        steps.chain(left).collect::<Vec<_>>().join(", ")
    }

    use ObjectKind::{Certificate, Key, Secret};
    use ObjectStatus::{
        BackedUp, Carried, Disappeared, Failed, Former, Gone, Managed, Unchanged, VaultManaged,
    };

    #[test]
    fn of_a_certificate_and_a_plain_object_of_its_name_one_is_restored() {
        for (certificate, other, expected) in [
            // An object that is there wins over one that was, whichever backup is newer.
            ((BackedUp, Some(3)), (Gone, Some(0)), "certificate, secret: superseded"),
            ((Unchanged, Some(3)), (Carried, Some(0)), "certificate, secret: superseded"),
            ((Unchanged, Some(3)), (Disappeared, Some(0)), "certificate, secret: superseded"),
            ((Gone, Some(0)), (Unchanged, Some(3)), "secret, certificate: superseded"),
            ((Carried, Some(0)), (BackedUp, Some(3)), "secret, certificate: superseded"),
            // Also without a backup.
            ((Failed, None), (Gone, Some(0)), "certificate: never-backed-up, secret: superseded"),
            ((Gone, Some(0)), (Failed, None), "secret: never-backed-up, certificate: superseded"),
            // Of two that are gone, or two that are there, the newer backup wins.
            ((Gone, Some(0)), (Gone, Some(3)), "certificate, secret: superseded"),
            ((Gone, Some(3)), (Gone, Some(0)), "secret, certificate: superseded"),
            ((Gone, Some(3)), (Gone, Some(3)), "certificate, secret: superseded"),
            ((Unchanged, Some(3)), (BackedUp, Some(0)), "secret, certificate: superseded"),
            // A part of the certificate claims nothing, whatever its line carries.
            ((BackedUp, Some(0)), (Managed, None), "certificate"),
            ((BackedUp, Some(3)), (Managed, Some(0)), "certificate"),
            ((Failed, None), (Managed, Some(0)), "certificate: never-backed-up"),
            ((Gone, Some(3)), (VaultManaged, Some(0)), "certificate"),
            ((Gone, Some(3)), (Former, Some(0)), "certificate"),
        ] {
            let lines = [line(Certificate, certificate.0, certificate.1), line(Secret, other.0, other.1)];
            let everything = Selection { gone: true, ..Selection::default() };
            let plan = planned(&lines, everything, &[]);
            assert_eq!(summary(&plan), expected, "{certificate:?} {other:?}");
            let pattern =
                Selection { gone: true, pattern: Some("t*".parse().unwrap()), ..Selection::default() };
            assert_eq!(summary(&planned(&lines, pattern, &[])), expected, "{certificate:?} {other:?}");
        }
    }

    #[test]
    fn a_plain_key_and_a_plain_secret_share_a_name() {
        let lines = [line(Key, BackedUp, Some(0)), line(Secret, Unchanged, Some(9))];
        assert_eq!(summary(&planned(&lines, Selection::default(), &[])), "key, secret");
    }

    #[test]
    fn what_is_spelled_out_or_selected_alone_does_not_take_the_name_of_what_is_there() {
        let named = |kinds: &[ObjectKind]| Selection {
            objects: kinds.iter().map(|kind| of_kind(*kind, "tls")).collect(),
            ..Selection::default()
        };
        let kinds = |kind| Selection { kinds: vec![kind], ..Selection::default() };
        let there = [line(Certificate, BackedUp, Some(0)), line(Secret, Carried, Some(3))];
        let gone = [line(Certificate, Gone, Some(0)), line(Secret, BackedUp, Some(3))];
        let managed = [line(Certificate, BackedUp, Some(0)), line(Secret, Managed, Some(3))];
        for (lines, selection, expected) in [
            (&there, kinds(Secret), "secret: superseded"),
            (&there, named(&[Secret]), "secret: superseded!"),
            (&there, named(&[Certificate, Secret]), "certificate, secret: superseded!"),
            (&gone, kinds(Certificate), "certificate: gone"),
            (&gone, named(&[Certificate]), "certificate"),
            (&gone, named(&[Certificate, Secret]), "secret, certificate: superseded!"),
            (&managed, kinds(Secret), ""),
            (&managed, named(&[Secret]), "secret: managed!"),
            (&managed, named(&[Certificate, Secret]), "certificate, secret: with-certificate"),
            (&managed, named(&[Key]), "key: other-kind!"),
        ] {
            assert_eq!(summary(&planned(lines, selection.clone(), &[])), expected, "{selection:?}");
        }
        let former = [line(Secret, Former, Some(3))];
        assert_eq!(summary(&planned(&former, named(&[Secret]), &[])), "secret: managed!");
        let vault = [line(Key, VaultManaged, Some(3)), line(Secret, VaultManaged, None)];
        assert_eq!(
            summary(&planned(&vault, named(&[Key, Secret]), &[])),
            "key: vault-managed!, secret: vault-managed!"
        );
    }

    #[test]
    fn nothing_is_done_to_a_certificate_for_another_object() {
        let deleted = [
            (Certificate, Held::Deleted { purgeable: true }),
            (Key, Held::DeletedManaged),
            (Secret, Held::DeletedManaged),
        ];
        let secret = [line(Secret, BackedUp, Some(0))];
        let plan = planned(&secret, Selection::default(), &deleted);
        assert_eq!(summary(&plan), "secret: soft-deleted-certificate!");
        let certificate = [line(Certificate, BackedUp, Some(0)), line(Secret, Managed, None)];
        let plan = planned(&certificate, Selection::default(), &deleted);
        assert_eq!((plan.steps[0].action, summary(&plan).as_str()), (Action::Recover, "certificate"));
        let plan = planned(&certificate, Selection::default(), &[(Key, Held::Managed)]);
        assert_eq!(plan.excluded[0].reason, Reason::LiveKey);
    }
}
