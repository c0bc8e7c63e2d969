//! One vault and its settings.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    access::Access,
    answer::owner,
    backup::{self, BackedUp, BackupError, BackupForm},
    life::{Refusal, company},
    making::{BEFORE, subject_of},
    material,
    object::{Attributes, Kind, Material, Store, Version},
    spec::{KeySpec, Properties},
};
use crate::azure::{hosts::Cloud, identity::TENANT};

/// Where a vault is and to whom it belongs. Backups can be restored only where tenant, subscription and geography are
/// the same.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// The region, as headers and errors name it.
    pub region: String,
    /// The geography of the region.
    pub geography: String,
    /// The subscription.
    pub subscription: String,
    /// The tenant, as the challenge names it.
    pub tenant: String,
    /// The id of the service's key that wraps backups. The same for a whole geography unless it is set.
    pub wrapping_kid: Option<String>,
    /// The form of its backups. The recorded one at first.
    pub backup_form: BackupForm,
    /// For how many days deleted objects can be recovered; 7 to 90.
    pub recoverable_days: u8,
    /// Whether deleted objects can not be purged.
    pub purge_protection: bool,
    /// Whether a restore makes the oldest of several versions the current one. False at first. That the service can
    /// is inferred: 3 of 540 recorded restores answered with a version that was not seen before.
    pub oldest_current: bool,
    /// What callers may do. Everything when left out.
    pub access: Option<Access>,
    /// What single callers may do, by what their identity is called. Those that are not named may do what `access` says.
    pub callers: BTreeMap<String, Access>,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            region: "westeurope".into(),
            geography: "europe".into(),
            subscription: "33333333-cccc-4ccc-8ccc-333333333333".into(),
            tenant: TENANT.into(),
            wrapping_kid: None,
            backup_form: BackupForm::default(),
            recoverable_days: 90,
            purge_protection: false,
            oldest_current: false,
            access: None,
            callers: BTreeMap::new(),
        }
    }
}

impl VaultOptions {
    /// The key id that stands in backups of this vault.
    pub fn kid(&self) -> String {
        self.wrapping_kid.clone().unwrap_or_else(|| {
            let digest = Sha256::digest(format!("wrapping key of {}", self.geography));
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&digest[..16]);
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
        })
    }

    pub(crate) fn recovery_level(&self) -> &'static str {
        match (self.recoverable_days < 90, self.purge_protection) {
            (true, true) => "CustomizedRecoverable",
            (true, false) => "CustomizedRecoverable+Purgeable",
            (false, true) => "Recoverable",
            (false, false) => "Recoverable+Purgeable",
        }
    }
}

/// What keys lie in.
#[derive(Debug)]
pub(crate) enum Flavour {
    /// A vault.
    Vault,
    /// A Managed HSM, whose backups can be restored wherever the security domain is the same.
    Hsm { security_domain: RwLock<String> },
}

/// A vault, or the keys of a Managed HSM.
#[derive(Debug)]
pub(crate) struct Vault {
    /// The full host name.
    pub(crate) host: String,
    /// The first part of the host name.
    pub(crate) name: String,
    pub(crate) cloud: Cloud,
    pub(crate) flavour: Flavour,
    pub(crate) options: RwLock<VaultOptions>,
    pub(crate) store: RwLock<Store>,
    /// When the requests of the last second came.
    window: Window,
    /// When the restores of the last ten seconds came, by kind.
    restores: [Window; 3],
}

impl Vault {
    pub(crate) fn new(host: &str, name: &str, cloud: Cloud) -> Self {
        Self::with_flavour(host, name, cloud, Flavour::Vault)
    }

    pub(crate) fn with_flavour(host: &str, name: &str, cloud: Cloud, flavour: Flavour) -> Self {
        Self {
            host: host.to_owned(),
            name: name.to_owned(),
            cloud,
            flavour,
            options: RwLock::default(),
            store: RwLock::default(),
            window: Window::default(),
            restores: Default::default(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.host)
    }

    pub(crate) fn is_hsm(&self) -> bool {
        matches!(self.flavour, Flavour::Hsm { .. })
    }

    /// Makes the backup of an object.
    pub(crate) fn seal(&self, state: &BackedUp) -> Result<Vec<u8>, BackupError> {
        match &self.flavour {
            Flavour::Vault => backup::seal(state, &owner(self), self.options.read().backup_form),
            Flavour::Hsm { security_domain } => backup::hsm::seal(state, &security_domain.read()),
        }
    }

    /// Reads a backup that belongs here.
    pub(crate) fn open(&self, blob: &[u8]) -> Result<BackedUp, BackupError> {
        match &self.flavour {
            Flavour::Vault => {
                let (state, of) = backup::open(blob)?;
                if of == owner(self) { Ok(state) } else { Err(BackupError::Foreign) }
            }
            Flavour::Hsm { security_domain } => backup::hsm::open(blob, &security_domain.read()),
        }
    }

    /// Adds a version, and the object if it is new. Gives the id of the version. What holds the name against it is
    /// forgotten: a deleted object, or one of a kind that excludes this one.
    pub(crate) fn add(
        &self,
        kind: Kind,
        name: &str,
        material: Material,
        properties: Properties,
        now: OffsetDateTime,
    ) -> String {
        let mut store = self.store.write();
        make_room(&mut store, kind, name);
        add_version(&mut store, kind, name, material, properties.attributes(now))
    }

    /// Adds a version as a client does: not to a name that a deleted object holds, nor to what a certificate brought.
    pub(crate) fn create(
        &self,
        kind: Kind,
        name: &str,
        material: Material,
        properties: Properties,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let mut store = self.store.write();
        if let Some(departed) = store.departed(kind, name) {
            return Err(departed.stage.into());
        }
        if store.get(kind, name).is_some_and(|object| object.managed) {
            return Err(Refusal::Managed);
        }
        add_version(&mut store, kind, name, material, properties.attributes(now));
        Ok(())
    }

    /// Counts a request in if the last second had fewer than `limit`.
    pub(crate) fn admit(&self, now: OffsetDateTime, limit: usize) -> bool {
        self.window.admit(now, Duration::SECOND, limit)
    }

    /// Counts a restore in if the last ten seconds had fewer than `limit` of its kind.
    pub(crate) fn admit_restore(&self, kind: Kind, now: OffsetDateTime, limit: usize) -> bool {
        self.restores[kind.index()].admit(now, Duration::seconds(10), limit)
    }
}

/// Forgets what holds a name against a kind: a certificate and a plain key or secret exclude each other.
fn make_room(store: &mut Store, kind: Kind, name: &str) {
    let of_certificate = store.get(kind, name).is_some_and(|object| object.managed);
    let of_deleted = store.departed(kind, name).is_some_and(|departed| departed.object.managed);
    for &held in company(if of_certificate || of_deleted { Kind::Certificate } else { kind }) {
        store.forget(held, name);
        let plain = held != kind && store.get(held, name).is_some_and(|object| !object.managed);
        if of_certificate || plain {
            store.remove(held, name);
        }
    }
}

/// Adds a version and, with one of a certificate, those of its key and its secret. Gives their id.
fn add_version(
    store: &mut Store,
    kind: Kind,
    name: &str,
    material: Material,
    attributes: Attributes,
) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let attributes = if kind == Kind::Certificate { certificate_times(attributes) } else { attributes };
    let version = Version { id: id.clone(), attributes, material };
    if let Some(secret) = secret_of_certificate(&version) {
        store.add_version(Kind::Secret, name, true, secret);
        store.add_version(Kind::Key, name, true, key_of_certificate(&id, &version.attributes));
    }
    store.add_version(kind, name, false, version);
    id
}

/// A certificate always has its times (recorded): from ten minutes before it was made, for twelve months.
pub(crate) fn certificate_times(attributes: Attributes) -> Attributes {
    let created = attributes.created;
    let year_on = created.replace_year(created.year() + 1).unwrap_or(created + Duration::days(365));
    Attributes {
        not_before: attributes.not_before.or(Some(created - BEFORE)),
        expires: attributes.expires.or(Some(year_on)),
        ..attributes
    }
}

/// The key of a version of a certificate, with the operations that the certificate's key usage allows:
/// signatures and wrapping keys.
pub(crate) fn key_of_certificate(id: &str, attributes: &Attributes) -> Version {
    let operations = ["sign", "verify", "wrapKey", "unwrapKey"].map(String::from).to_vec();
    let (material, _) = KeySpec { operations, ..KeySpec::default() }.into_parts();
    Version { id: id.to_owned(), attributes: attributes.clone(), material }
}

/// The secret of a version, if that is one of a certificate.
pub(crate) fn secret_of_certificate(version: &Version) -> Option<Version> {
    let (_, content_type) = subject_of(&version.material)?;
    let value = material::pkcs12(&version.id);
    let material = Material::Secret { value, content_type: Some(content_type.to_owned()) };
    Some(Version { material, ..version.clone() })
}

/// When the latest requests of some sort came.
#[derive(Debug, Default)]
struct Window(Mutex<VecDeque<OffsetDateTime>>);

impl Window {
    /// Counts a request in if the span before it had fewer than `limit`.
    fn admit(&self, now: OffsetDateTime, span: Duration, limit: usize) -> bool {
        let mut window = self.0.lock();
        while window.front().is_some_and(|at| now - *at >= span) {
            window.pop_front();
        }
        if window.len() >= limit {
            return false;
        }
        window.push_back(now);
        true
    }
}
