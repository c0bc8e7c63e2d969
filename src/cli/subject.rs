//! What a command is about: a vault or an HSM, and objects.

use clap::Args;

use super::Failed;
use crate::{
    config::named,
    domain::{
        object::{ObjectId, ObjectKind, ObjectName},
        source::Source,
    },
};

/// A vault by its name or URL.
#[derive(Clone, Debug, Args)]
pub struct VaultArg {
    /// The vault: its name, or its URL `https://NAME.vault.azure.net`
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::vault)]
    pub vault: Source,
}

/// A vault by its name or URL, or a Managed HSM for those of its keys that are backed up one by one.
#[derive(Clone, Debug, Args)]
pub struct SourceArg {
    /// The vault: its name, or its URL `https://NAME.vault.azure.net`; or a Managed HSM, for the keys of
    /// `KEYVAULT_BACKUP_HSM_KEYS`
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = named::source)]
    pub vault: Source,
}

impl SourceArg {
    /// Refuses kinds that the source cannot hold.
    ///
    /// # Errors
    /// If the source is an HSM and `kinds` has another kind than keys.
    pub fn may_hold(&self, kinds: impl IntoIterator<Item = ObjectKind>) -> Result<(), Failed> {
        let other = kinds.into_iter().find(|kind| *kind != ObjectKind::Key);
        match other {
            Some(kind) if self.vault.is_hsm() => Err(Failed::new(
                format!("HSM {} holds keys and no {kind}s", self.vault.name()),
                "name a key with --key, keys with --name, or take all of them",
            )),
            _ => Ok(()),
        }
    }
}

/// A vault by its name or URL, for commands that refuse a Managed HSM.
#[derive(Clone, Debug, Args)]
pub struct PlainVaultArg {
    /// The vault: its name, or its URL `https://NAME.vault.azure.net`
    #[arg(long, value_name = "VAULT", alias = "vault-name", value_parser = no_hsm)]
    pub vault: Source,
}

/// Parses a vault's name or URL. An HSM's is refused with a message of its own.
pub(super) fn no_hsm(text: &str) -> Result<Source, String> {
    match named::source(text) {
        Ok(source) if source.is_hsm() => Err("it is a Managed HSM, for which losses and failures can be neither acknowledged nor accepted: see its \
             backups with `hsm status`, and remove a key that cannot be backed up from KEYVAULT_BACKUP_HSM_KEYS"
            .to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

/// One object or several, by kind and name.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// A secret's name; may be repeated
    #[arg(long, value_name = "NAME")]
    secret: Vec<ObjectName>,
    /// A key's name; may be repeated
    #[arg(long, value_name = "NAME")]
    key: Vec<ObjectName>,
    /// A certificate's name; may be repeated
    #[arg(long, value_name = "NAME")]
    certificate: Vec<ObjectName>,
}

impl ObjectArgs {
    /// The objects, in the order of kinds.
    pub fn objects(&self) -> Vec<ObjectId> {
        let of =
            |kind, names: &[ObjectName]| names.iter().map(|name| ObjectId::new(kind, name.clone())).collect();
        let kinds: [Vec<_>; 3] = [
            of(ObjectKind::Certificate, &self.certificate),
            of(ObjectKind::Key, &self.key),
            of(ObjectKind::Secret, &self.secret),
        ];
        kinds.concat()
    }

    /// The only object.
    ///
    /// # Errors
    /// If there are none or several.
    pub fn one(&self) -> Result<ObjectId, Failed> {
        let mut objects = self.objects();
        match (objects.pop(), objects.is_empty()) {
            (Some(object), true) => Ok(object),
            _ => Err(Failed::new(
                "this command is about one object, and the arguments do not name exactly one",
                "name one object, with --secret, --key or --certificate",
            )),
        }
    }
}
