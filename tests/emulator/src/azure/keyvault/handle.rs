//! A vault in the hands of a test.

use std::sync::Arc;

use parking_lot::RwLockReadGuard;
use time::OffsetDateTime;

use super::{
    access::Access,
    answer::state,
    backup::{self, BackedUp, BackupError},
    life::{Refusal, bin::Stage},
    object::{Attributes, Kind, Store},
    snapshot::Snapshot,
    spec::{CertificateSpec, KeySpec, SecretSpec},
    vault::{Vault, VaultOptions},
};
use crate::azure::{World, knobs::Delays};

/// A vault: fills it, changes it and looks into it without REST.
#[derive(Clone)]
pub struct VaultHandle {
    pub(crate) world: Arc<World>,
    pub(crate) vault: Arc<Vault>,
}

impl VaultHandle {
    /// `https://{name}.vault.azure.net`, without a slash at its end.
    pub fn url(&self) -> String {
        self.vault.url()
    }

    /// The settings.
    pub fn options(&self) -> VaultOptions {
        self.vault.options.read().clone()
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(&mut VaultOptions)) {
        change(&mut self.vault.options.write());
    }

    /// Says what one caller may do, by what its identity is called.
    pub fn give(&self, identity: &str, access: Access) {
        self.configure(|options| drop(options.callers.insert(identity.to_owned(), access)));
    }

    /// Adds a version of a secret and gives its id. A deleted secret of that name is forgotten.
    pub fn put_secret(&self, name: &str, spec: SecretSpec) -> String {
        let (material, properties) = spec.into_parts();
        self.vault.add(Kind::Secret, name, material, properties, self.world.clock.now())
    }

    /// Adds a version of a key and gives its id. A deleted key of that name is forgotten.
    pub fn put_key(&self, name: &str, spec: KeySpec) -> String {
        let (material, properties) = spec.into_parts();
        self.vault.add(Kind::Key, name, material, properties, self.world.clock.now())
    }

    /// Adds a version of a certificate, and of the key and the secret which it manages, and gives their id.
    pub fn put_certificate(&self, name: &str, spec: CertificateSpec) -> String {
        let (material, properties) = spec.into_parts();
        self.vault.add(Kind::Certificate, name, material, properties, self.world.clock.now())
    }

    /// Begins to make a certificate, signed by itself, as a client does. Says whether that is possible.
    pub fn make_certificate(&self, name: &str, spec: CertificateSpec) -> bool {
        let (now, delays) = self.now();
        self.vault.begin_certificate(name, spec, "Self", now, delays.creation).is_ok()
    }

    /// Changes attributes and tags of the newest version and sets `updated` to now, unless the change itself
    /// sets it. Says whether there is such an object.
    pub fn update(&self, kind: Kind, name: &str, change: impl FnOnce(&mut Attributes)) -> bool {
        self.change(kind, name, None, change)
    }

    fn change(
        &self,
        kind: Kind,
        name: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut Attributes),
    ) -> bool {
        self.now();
        let mut store = self.vault.store.write();
        let Some(version) = store.get_mut(kind, name).and_then(|object| object.version_mut(version)) else {
            return false;
        };
        let before = version.attributes.updated;
        change(&mut version.attributes);
        if version.attributes.updated == before {
            version.attributes.updated = self.world.clock.now();
        }
        if kind == Kind::Certificate {
            let (id, attributes) = (version.id.clone(), version.attributes.clone());
            store.mirror(name, &id, &attributes);
        }
        true
    }

    /// Makes an object disappear at once and for good. A certificate takes its key and its secret with it.
    pub fn remove(&self, kind: Kind, name: &str) -> bool {
        let mut store = self.vault.store.write();
        if kind == Kind::Certificate {
            store.remove(Kind::Key, name);
            store.remove(Kind::Secret, name);
        }
        store.remove(kind, name).is_some()
    }

    /// Deletes an object as a client does. A certificate takes its key and its secret with it.
    pub fn delete(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let (now, delays) = self.now();
        self.vault.delete(kind, name, now, delays).map(drop)
    }

    /// Recovers a deleted object as a client does.
    pub fn recover(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let (now, delays) = self.now();
        self.vault.recover(kind, name, now, delays).map(drop)
    }

    /// Purges a deleted object as a client does.
    pub fn purge(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let (now, delays) = self.now();
        self.vault.purge(kind, name, now, delays)
    }

    /// Restores a backup blob (the raw bytes) as a client does, whatever its kind. Gives kind and name.
    pub fn restore(&self, blob: &[u8]) -> Result<(Kind, String), Refusal> {
        self.now();
        self.vault.restore(blob, None).map(|(kind, object)| (kind, object.name))
    }

    /// The names of all deleted objects of a kind which could be recovered now, in the order of the service's
    /// list. Managed keys and secrets are among them.
    pub fn deleted(&self, kind: Kind) -> Vec<String> {
        let store = self.store();
        let shown = store.departed_after(kind, "").filter(|departed| departed.stage == Stage::Deleted);
        shown.map(|departed| departed.object.name.clone()).collect()
    }

    /// A backup blob of a live object, as a client gets it.
    pub fn backup(&self, kind: Kind, name: &str) -> Option<Vec<u8>> {
        let store = self.store();
        let object = store.get(kind, name).filter(|object| !object.managed)?;
        self.vault.seal(&state(&self.vault, &store, kind, object)).ok()
    }

    /// All that is live, to compare it with another vault or another moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.store())
    }

    /// The present moment, after all that time has done until then.
    fn now(&self) -> (OffsetDateTime, Delays) {
        let now = self.world.clock.now();
        self.vault.settle(now);
        (now, self.world.knobs.delays())
    }

    fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.now();
        self.vault.store.read()
    }

    /// The names of all objects of a kind, in the order of the service's list. Managed keys and secrets are
    /// among them.
    pub fn objects(&self, kind: Kind) -> Vec<String> {
        self.store().all(kind).map(|object| object.name.clone()).collect()
    }

    /// How many objects of a kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        self.store().len(kind)
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.len(kind) == 0)
    }

    /// The ids of all versions of an object, oldest first.
    pub fn versions(&self, kind: Kind, name: &str) -> Vec<String> {
        let store = self.store();
        let versions = store
            .get(kind, name)
            .map(|object| object.versions().iter().map(|version| version.id.clone()).collect());
        versions.unwrap_or_default()
    }

    /// The attributes and tags of the newest version.
    pub fn attributes(&self, kind: Kind, name: &str) -> Option<Attributes> {
        self.store().get(kind, name).map(|object| object.newest().attributes.clone())
    }

    /// What is in a backup blob (the raw bytes, not their base64url form).
    pub fn open_backup(blob: &[u8]) -> Result<BackedUp, BackupError> {
        backup::open(blob).map(|(state, _)| state)
    }
}
