//! Why an object is not restored.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::object::{ObjectId, ObjectKind, ObjectName};

/// Why an object is not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Reason {
    /// The target holds it as the backup has it.
    AlreadyThere,
    /// The target holds an object of that name.
    Live,
    /// The target holds a soft-deleted object of that name.
    SoftDeleted,
    /// The target holds a soft-deleted object of that name that cannot be purged.
    PurgeProtected,
    /// The target holds a soft-deleted object of that name, and the identity that restores may not purge.
    MayNotPurge,
    /// A purge was requested without spelling out the object.
    NotSpelledOut,
    /// The target holds a plain key of that name, and a certificate brings a key of its own.
    LiveKey,
    /// The target holds a plain secret of that name, and a certificate brings a secret of its own.
    LiveSecret,
    /// The target holds a soft-deleted plain key of that name.
    SoftDeletedKey,
    /// The target holds a soft-deleted plain secret of that name.
    SoftDeletedSecret,
    /// The target holds a certificate of that name, to which the name's key and secret belong too.
    LiveCertificate,
    /// The target holds a soft-deleted certificate of that name, which keeps the name's key and secret too.
    SoftDeletedCertificate,
    /// The backup is from another tenant, by what the vault itself said then and the target says now.
    OtherTenant,
    /// The backup is from another subscription or geography, by the settings then and now.
    OtherPlace,
    /// It belongs to a certificate, whose backup contains it.
    Managed,
    /// It belongs to a certificate that is selected as well.
    WithCertificate,
    /// The vault manages it, and Key Vault does not back it up.
    VaultManaged,
    /// An object of another kind had the name at that time, and a vault cannot have both.
    Superseded,
    /// There is no backup of it, or none that old.
    NoBackup,
    /// The source has it, but no backup of it ever succeeded.
    NeverBackedUp,
    /// It is spelled out, but the rest of the selection leaves it out.
    NotSelected,
    /// Its backup's record does not hold all of its tags, so a selection by tag may or may not mean it.
    TagsUnknown,
    /// There is no backup of that kind under that name, but one of another kind.
    OtherKind,
    /// Its backup is not what was recorded.
    Damaged,
    /// The container no longer holds its backup.
    BackupGone,
    /// Its backup has an unknown form, and something would be purged in favour of it.
    UnknownForm,
    /// It was gone from the source at that time, and was not requested specifically.
    Gone,
}

impl Reason {
    /// The reason's stable name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What stands in the way, and how to solve it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AlreadyThere => "the target has it as the backup has it; there is nothing to do",
            Self::Live => {
                "the target has an object of that name, and Key Vault does not restore over one; delete and purge \
                 it first, or restore into another vault"
            }
            Self::SoftDeleted => {
                "the target has a soft-deleted object of that name; recover it (recoverDeleted), or purge it and \
                 restore the backup (purgeDeleted)"
            }
            Self::PurgeProtected => {
                "the target has a soft-deleted object of that name, and purge protection keeps it until its retention \
                 ends; recover it (recoverDeleted), or restore into another vault"
            }
            Self::MayNotPurge => {
                "the target has a soft-deleted object of that name, and this app's identity may not purge; have a person \
                 with that right purge it, or give the identity the right for the time being"
            }
            Self::NotSpelledOut => "a purge is permanent: name the object itself to have it purged",
            Self::LiveKey => {
                "the target has a key of that name, and a certificate brings a key of its own; delete and purge that key \
                 first, or restore into another vault"
            }
            Self::LiveSecret => {
                "the target has a secret of that name, and a certificate brings a secret of its own; delete and purge \
                 that secret first, or restore into another vault"
            }
            Self::SoftDeletedKey => {
                "the target has a soft-deleted key of that name, and a certificate brings a key of its own; purge that \
                 key by hand, or, where purge protection keeps it, wait for the end of its retention or restore into \
                 another vault"
            }
            Self::SoftDeletedSecret => {
                "the target has a soft-deleted secret of that name, and a certificate brings a secret of its own; purge \
                 that secret by hand, or, where purge protection keeps it, wait for the end of its retention or restore \
                 into another vault"
            }
            Self::LiveCertificate => {
                "the target has a certificate of that name, to which the key and the secret of the name belong; delete \
                 and purge that certificate first, or restore into another vault"
            }
            Self::SoftDeletedCertificate => {
                "the target has a soft-deleted certificate of that name, which keeps the name for its key and its secret; \
                 nothing is done to a certificate for another object: recover it (recoverDeleted, naming the certificate), \
                 or purge it by hand, or restore into another vault"
            }
            Self::OtherTenant => {
                "its backup was taken in another tenant than the target's, by what the vault itself said then and the \
                 target says now, and Key Vault does not open it there; choose a vault of that tenant, or a later backup"
            }
            Self::OtherPlace => {
                "its backup was taken in another subscription or geography than the target's, by KEYVAULT_BACKUP_PLACES \
                 then and now, and can be restored only where it was taken; choose a vault there, or, if the setting is \
                 wrong, request it anyway (otherPlace): then the service decides"
            }
            Self::Managed => "it belongs to the certificate of that name; restore or recover the certificate",
            Self::WithCertificate => "it comes with the certificate of that name, which is selected, too",
            Self::VaultManaged => "the vault manages it, and Key Vault does not back it up",
            Self::Superseded => {
                "an object of another kind had the name by then: a certificate is a key and a secret of its name, too, and \
                 a vault cannot have it beside a plain one; choose an earlier time (at) to restore this one"
            }
            Self::NoBackup => {
                "there is no backup of it; check its kind and its name against what the source has (list objects)"
            }
            Self::NeverBackedUp => {
                "no backup of it ever succeeded, so it cannot be restored; the report of the newest run says why"
            }
            Self::NotSelected => {
                "it is named, but the kinds, the name pattern or the tags of the same request leave it out; request the \
                 named objects alone"
            }
            Self::TagsUnknown => {
                "it has more tags than the record of its backup holds, so it is not known whether it has the \
                 requested ones; to restore it, name it and request no tags"
            }
            Self::OtherKind => {
                "there is no backup of it, but one of another kind under that name; name that kind"
            }
            Self::Gone => {
                "it was gone from the vault by then; name it, request gone objects, or choose an earlier time (at)"
            }
            Self::BackupGone => {
                "the container no longer holds its backup: a rule about the age of blobs or a person deleted it; take the \
                 newest older one (onDamaged: older) or choose another one (at; the object's history lists them), undelete the blob if the account keeps deleted ones, \
                 and back up the object again"
            }
            Self::UnknownForm => {
                "its backup has a form that this program does not know, and nothing is purged in favour of such a backup; \
                 recover the soft-deleted object (recoverDeleted), restore into another vault to see whether the service \
                 takes the backup, choose an earlier one (at), or install the newest version"
            }
            Self::Damaged => {
                "its backup is damaged and would not be accepted; take the newest older one that is whole (onDamaged: older), or \
                 choose one (at), and find out who changed it"
            }
        }
    }
}

impl Reason {
    /// Whether the object's name is taken in the target.
    pub(super) const fn is_taken(self) -> bool {
        matches!(
            self,
            Self::Live
                | Self::SoftDeleted
                | Self::PurgeProtected
                | Self::MayNotPurge
                | Self::LiveKey
                | Self::LiveSecret
                | Self::SoftDeletedKey
                | Self::SoftDeletedSecret
                | Self::LiveCertificate
                | Self::SoftDeletedCertificate
        )
    }
}

/// An object that is not restored, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// Why it is not restored.
    pub reason: Reason,
    /// Whether it is skipped, as requested, instead of being in the way.
    pub skipped: bool,
}

impl Excluded {
    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }

    /// Whether it keeps a restore from succeeding.
    pub const fn is_failure(&self) -> bool {
        match self.reason {
            Reason::AlreadyThere => false,
            Reason::NeverBackedUp => true,
            _ => !self.skipped,
        }
    }

    /// What stands in the way, and how to solve it. `at` is the requested time; `None` for the newest backups.
    pub const fn why(&self, at: Option<OffsetDateTime>) -> &'static str {
        match (self.reason, at) {
            (Reason::NoBackup, Some(_)) => {
                "there is no backup of it as of that time; see its recovery points for when there is one"
            }
            (reason, _) => reason.text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_or_never_had_a_backup_keeps_a_restore_from_succeeding() {
        for (reason, skipped, expected) in [
            (Reason::AlreadyThere, true, false),
            (Reason::AlreadyThere, false, false),
            (Reason::NeverBackedUp, true, true),
            (Reason::Live, false, true),
            (Reason::Live, true, false),
            (Reason::Gone, true, false),
        ] {
            let (kind, name) = (ObjectKind::Secret, "db".parse().unwrap());
            let left = Excluded { kind, name, reason, skipped };
            assert_eq!(left.is_failure(), expected, "{reason:?} {skipped}");
        }
    }

    #[test]
    fn of_a_time_is_spoken_where_one_was_asked_for() {
        let (kind, name) = (ObjectKind::Secret, "db".parse().unwrap());
        let left = Excluded { kind, name, reason: Reason::NoBackup, skipped: false };
        let then = left.why(Some(OffsetDateTime::UNIX_EPOCH));
        assert!(then.contains("as of that time; see its recovery points"), "{then}");
        let newest = left.why(None);
        assert!(!newest.contains("time") && newest.contains("check its kind and its name"), "{newest}");
    }

    #[test]
    fn what_is_not_restored_has_a_name_for_programs_and_a_way_out_for_people() {
        for (reason, way_out) in [
            (Reason::AlreadyThere, "nothing to do"),
            (Reason::Live, "delete and purge it first"),
            (Reason::SoftDeleted, "recover it (recoverDeleted), or purge it"),
            (Reason::PurgeProtected, "recover it (recoverDeleted), or restore into another vault"),
            (Reason::MayNotPurge, "have a person with that right purge it"),
            (Reason::NotSpelledOut, "name the object itself"),
            (Reason::LiveKey, "delete and purge that key"),
            (Reason::LiveSecret, "delete and purge that secret"),
            (Reason::SoftDeletedKey, "purge that key by hand"),
            (Reason::SoftDeletedSecret, "purge that secret by hand"),
            (Reason::LiveCertificate, "delete and purge that certificate"),
            (Reason::SoftDeletedCertificate, "recover it (recoverDeleted, naming the certificate)"),
            (Reason::OtherTenant, "choose a vault of that tenant"),
            (Reason::OtherPlace, "choose a vault there, or, if the setting is wrong"),
            (Reason::Managed, "restore or recover the certificate"),
            (Reason::WithCertificate, "comes with the certificate"),
            (Reason::VaultManaged, "does not back it up"),
            (Reason::Superseded, "choose an earlier time (at)"),
            (Reason::NoBackup, "check its kind and its name"),
            (Reason::NeverBackedUp, "the report of the newest run says why"),
            (Reason::NotSelected, "request the named objects alone"),
            (Reason::TagsUnknown, "name it and request no tags"),
            (Reason::OtherKind, "name that kind"),
            (Reason::Damaged, "take the newest older one that is whole (onDamaged: older)"),
            (Reason::BackupGone, "take the newest older one (onDamaged: older)"),
            (Reason::UnknownForm, "recover the soft-deleted object (recoverDeleted)"),
            (Reason::Gone, "request gone objects"),
        ] {
            assert!(reason.text().contains(way_out), "{}", reason.text());
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name(), "stored and said in one way");
        }
    }
}
