//! One vault's data plane: list, list versions, back up; [`restore`] has the operations of a restore.

pub mod drill;
mod pages;
mod probe;
pub mod restore;
mod seen;

use std::sync::Arc;

use azure_core::http::{RawResponse, Response, headers::HeaderName};
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use futures::{Stream, TryStreamExt as _, pin_mut, stream::BoxStream};

use self::{
    pages::{Item, decode, raw},
    restore::RestorePace,
    seen::Seen,
};
use super::{
    Connection,
    error::{Asked, Operation, ServiceError},
    limiter::{Limiter, Paced},
};
use crate::domain::{
    blob::BackupBlob,
    digest::Fingerprint,
    object::{ObjectId, ObjectKind},
    source::Source,
    versions::{Attributes, Listed, VersionId},
};

const REGION: HeaderName = HeaderName::from_static("x-ms-keyvault-region");

/// A client of the objects of one source: of a vault's, or of an HSM's keys. Cheap to clone; its clones share connections, tokens and pace.
#[derive(Clone)]
pub struct VaultClient {
    source: Source,
    secrets: Arc<SecretClient>,
    keys: Arc<KeyClient>,
    certificates: Arc<CertificateClient>,
    limiter: Arc<Limiter>,
    restores: RestorePace,
    seen: Arc<Seen>,
}

/// A backup as the vault returned it.
#[derive(Debug)]
pub struct Handed {
    /// The bytes.
    pub blob: BackupBlob,
    /// The Azure region that answered.
    pub region: Option<String>,
}

impl VaultClient {
    /// A client that sends the vault at most `ceiling` requests per second.
    ///
    /// # Errors
    /// When the official client refuses the URL.
    pub fn new(
        source: &Source,
        connection: &Connection,
        ceiling: u32,
        restores: RestorePace,
    ) -> azure_core::Result<Self> {
        let limiter = Limiter::new(ceiling);
        let endpoint = source.to_string();
        let seen = Arc::new(Seen::default());
        let options =
            || connection.client_options(vec![Arc::new(Paced(Arc::clone(&limiter))), Arc::clone(&seen) as _]);
        let version = || connection.api_version.clone();
        let credential = || Arc::clone(&connection.credential);
        let secrets = SecretClientOptions {
            api_version: version(),
            client_options: options(),
            ..SecretClientOptions::default()
        };
        let keys = KeyClientOptions {
            api_version: version(),
            client_options: options(),
            ..KeyClientOptions::default()
        };
        let certificates = CertificateClientOptions {
            api_version: version(),
            client_options: options(),
            ..CertificateClientOptions::default()
        };
        Ok(Self {
            source: source.clone(),
            secrets: Arc::new(SecretClient::new(&endpoint, credential(), Some(secrets))?),
            keys: Arc::new(KeyClient::new(&endpoint, credential(), Some(keys))?),
            certificates: Arc::new(CertificateClient::new(&endpoint, credential(), Some(certificates))?),
            limiter,
            restores,
            seen,
        })
    }

    /// The source, with its address.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The pace at which this process calls the vault.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Every object of a kind, page by page, to the last page. A page has at most 25 objects.
    ///
    /// The stream ends after its first error. A page that refers to another host than the vault's is an
    /// error: the transport does not call it.
    pub fn list(&self, kind: ObjectKind) -> impl Stream<Item = Result<Vec<Listed>, ServiceError>> + use<> {
        let (asked, pages) = self.live(kind);
        decode(asked, pages, move |item: Item| item.listed(kind))
    }

    /// The pages of a kind's list.
    fn live(
        &self,
        kind: ObjectKind,
    ) -> (Asked, azure_core::Result<BoxStream<'static, azure_core::Result<RawResponse>>>) {
        let asked =
            Asked::vault(Operation::List, format!("list the {kind}s of vault {}", self.source.name()));
        let pages = match kind {
            ObjectKind::Secret => {
                self.secrets.list_secret_properties(None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Key => self.keys.list_key_properties(None).map(|pager| raw(pager.into_pages())),
            ObjectKind::Certificate => {
                self.certificates.list_certificate_properties(None).map(|pager| raw(pager.into_pages()))
            }
        };
        (asked, pages)
    }

    /// Every version of an object.
    ///
    /// # Errors
    /// As the service answers. For an object that is gone it answers 200 with an empty list, or 404.
    pub async fn versions(&self, id: &ObjectId) -> Result<Vec<(VersionId, Attributes)>, ServiceError> {
        let what = format!("list the versions of {id} in vault {}", self.source.name());
        let asked = Asked::vault(Operation::Read, what);
        let name = id.name.as_str();
        let pages: azure_core::Result<BoxStream<'static, _>> = match id.kind {
            ObjectKind::Secret => {
                self.secrets.list_secret_properties_versions(name, None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Key => {
                self.keys.list_key_properties_versions(name, None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Certificate => self
                .certificates
                .list_certificate_properties_versions(name, None)
                .map(|pager| raw(pager.into_pages())),
        };
        decode(asked, pages, Item::version).try_concat().await
    }

    /// The fingerprint of one object in the vault's list, which shows its current version. `None` if it is not in the
    /// list.
    ///
    /// Reads pages up to the object's: every shorter way needs the right to read values.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn shown(&self, id: &ObjectId) -> Result<Option<Fingerprint>, ServiceError> {
        let pages = self.list(id.kind);
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            if let Some(listed) = page.into_iter().find(|listed| listed.id == *id) {
                return Ok(Some(listed.fingerprint));
            }
        }
        Ok(None)
    }

    /// The backup of an object with all its versions. Reads only: safe to send again.
    ///
    /// # Errors
    /// As the service answers; also if the answer has no blob.
    pub async fn backup(&self, id: &ObjectId) -> Result<Handed, ServiceError> {
        let asked =
            || Asked::vault(Operation::BackUp, format!("back up {id} in vault {}", self.source.name()));
        let name = id.name.as_str();
        let (blob, region) = match id.kind {
            ObjectKind::Secret => self.secrets.backup_secret(name, None).await.and_then(|answer| {
                let region = region(&answer);
                Ok((answer.into_model()?.value, region))
            }),
            ObjectKind::Key => self.keys.backup_key(name, None).await.and_then(|answer| {
                let region = region(&answer);
                Ok((answer.into_model()?.value, region))
            }),
            ObjectKind::Certificate => {
                self.certificates.backup_certificate(name, None).await.and_then(|answer| {
                    let region = region(&answer);
                    Ok((answer.into_model()?.value, region))
                })
            }
        }
        .map_err(|error| ServiceError::of(asked(), &error))?;
        let blob =
            blob.ok_or_else(|| ServiceError::nonsense(asked(), "BadAnswer", "the answer holds no backup"))?;
        Ok(Handed { blob: blob.into(), region })
    }
}

fn region<T, F>(answer: &Response<T, F>) -> Option<String> {
    answer.headers().get_optional_string(&REGION)
}
