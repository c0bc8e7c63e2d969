//! Certificates that are being made.
//!
//! `create` begins it, and `pending` shows it; both were recorded, as was what a certificate shows of itself
//! meanwhile. Until the first version is there a certificate is not in its list, unless pending ones are asked
//! for, while its key is in that of the keys. One whose issuer is not `Self` waits for ever, since nobody merges here.
//! What becomes of a certificate whose making is cancelled or deleted is inferred.

use time::{Duration, OffsetDateTime};

use super::{
    error,
    life::Refusal,
    object::{Attributes, Kind, Material, Store, Version},
    spec::CertificateSpec,
    vault::{self, Vault},
};
use crate::azure::reply::Reply;

pub(crate) mod rest;

/// The making of one version of a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Making {
    /// The id of the request, and of the version that comes of it.
    pub(crate) request: String,
    pub(crate) issuer: String,
    pub(crate) cancelled: bool,
    pub(crate) done: bool,
    /// When it ends by itself.
    until: Option<OffsetDateTime>,
    version: Version,
}

impl Making {
    /// Whether it has come to its end by a moment.
    pub(crate) fn due(&self) -> Option<OffsetDateTime> {
        self.until.filter(|_| !self.done && !self.cancelled)
    }
}

/// Why nothing is made.
pub(crate) enum Hindrance {
    /// Something else holds the name.
    Refused(Refusal),
    /// Another version is being made.
    InProgress,
}

impl Hindrance {
    fn reply(&self, vault: &Vault, name: &str) -> Reply {
        match self {
            Self::Refused(refusal) => refusal.reply(
                vault,
                Kind::Certificate,
                name,
                crate::azure::operation::Operation::CreateCertificate,
            ),
            Self::InProgress => error::making_in_progress(),
        }
    }
}

impl Vault {
    /// Begins to make a certificate, or another version of one.
    pub(crate) fn begin_certificate(
        &self,
        name: &str,
        spec: CertificateSpec,
        issuer: &str,
        now: OffsetDateTime,
        takes: std::time::Duration,
    ) -> Result<(), Hindrance> {
        let mut store = self.store.write();
        if let Some(departed) = store.departed(Kind::Certificate, name) {
            return Err(Hindrance::Refused(departed.stage.into()));
        }
        let known = store.get(Kind::Certificate, name);
        if known.and_then(|object| object.making.as_ref()).is_some_and(|making| !making.done) {
            return Err(Hindrance::InProgress);
        }
        let is_new = known.is_none();
        let (material, properties) = spec.into_parts();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let attributes = vault::certificate_times(properties.attributes(now));
        let version = Version { id: id.clone(), attributes, material };
        if is_new {
            let switched_off = Attributes { enabled: false, ..version.attributes.clone() };
            let unfinished = Version { attributes: switched_off.clone(), ..version.clone() };
            store.add_version(Kind::Certificate, name, false, unfinished);
            let key = vault::key_of_certificate(&id, &switched_off);
            store.add_version(Kind::Key, name, true, key);
        }
        let until = issuer.eq_ignore_ascii_case("Self").then(|| now + takes);
        let making =
            Making { request: id, issuer: issuer.to_owned(), cancelled: false, done: false, until, version };
        store.set_making(name, making);
        Ok(())
    }
}

impl Store {
    /// Ends the makings whose time has come.
    pub(crate) fn end_makings(&mut self, now: OffsetDateTime) {
        let due: Vec<_> = self
            .all(Kind::Certificate)
            .filter(|object| object.making.as_ref().and_then(Making::due).is_some_and(|due| due <= now))
            .map(|object| object.name.clone())
            .collect();
        for name in due {
            self.end_making(&name);
        }
    }

    fn end_making(&mut self, name: &str) {
        let Some(object) = self.get_mut(Kind::Certificate, name) else { return };
        let Some(making) = object.making.as_mut() else { return };
        making.done = true;
        let version = making.version.clone();
        let was_unfinished = object.newest().id == version.id;
        if was_unfinished {
            if let Some(unfinished) = object.version_mut(Some(&version.id)) {
                unfinished.attributes = version.attributes.clone();
            }
            self.mirror(name, &version.id, &version.attributes);
        } else {
            self.add_version(
                Kind::Key,
                name,
                true,
                vault::key_of_certificate(&version.id, &version.attributes),
            );
            self.add_version(Kind::Certificate, name, false, version.clone());
        }
        if let Some(secret) = vault::secret_of_certificate(&version) {
            self.add_version(Kind::Secret, name, true, secret);
        }
    }
}

/// For how long a certificate is good before it was made: the clocks of its users may be late.
pub(crate) const BEFORE: Duration = Duration::minutes(10);

/// Whether a version of a certificate is not there yet.
pub(crate) fn is_unfinished(making: Option<&Making>, version: &Version) -> bool {
    making.is_some_and(|making| !making.done && making.request == version.id)
}

/// The subject and the content type of a certificate.
pub(crate) fn subject_of(material: &Material) -> Option<(&str, &str)> {
    match material {
        Material::Certificate { subject, content_type } => Some((subject, content_type)),
        _ => None,
    }
}
