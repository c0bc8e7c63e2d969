//! Restoring into a vault, and what stands around it: soft-deleted objects, recover, purge.

use std::sync::Arc;

use azure_core::http::Url;
use azure_security_keyvault_certificates::models::RestoreCertificateParameters;
use azure_security_keyvault_keys::models::RestoreKeyParameters;
use azure_security_keyvault_secrets::models::RestoreSecretParameters;
use futures::{Stream, stream::BoxStream};

use super::{
    VaultClient,
    pages::{Item, decode, raw},
};
use crate::{
    azure::{
        error::{Meaning, ServiceError},
        limiter::Limiter,
    },
    domain::{
        blob::BackupBlob,
        object::{ObjectId, ObjectKind, ObjectName},
    },
};

/// The pace of restores into one vault, by kind.
///
/// Key Vault does not say which limit a restore counts against. It makes objects, so it is held to the
/// limits for creating them, which are far below those for everything else (documentation, "Azure Key
/// Vault service limits": secrets 300, keys 10 to 20 in ten seconds).
#[derive(Clone, Debug)]
pub struct RestorePace {
    secrets: Arc<Limiter>,
    keys: Arc<Limiter>,
    certificates: Arc<Limiter>,
}

impl RestorePace {
    /// Restores in ten seconds: secrets, keys, certificates.
    pub fn new([secrets, keys, certificates]: [u32; 3]) -> Self {
        let steady = |restores: u32| Limiter::steady(f64::from(restores.max(1)) / 10.0);
        Self { secrets: steady(secrets), keys: steady(keys), certificates: steady(certificates) }
    }

    async fn turn(&self, kind: ObjectKind) {
        match kind {
            ObjectKind::Secret => self.secrets.turn().await,
            ObjectKind::Key => self.keys.turn().await,
            ObjectKind::Certificate => self.certificates.turn().await,
        }
    }
}

/// A soft-deleted object, as a vault's list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Which object.
    pub id: ObjectId,
    /// Whether it may be purged: purge protection is off.
    pub purgeable: bool,
}

impl VaultClient {
    /// Restores a backup under the name that it has. Waits for its turn.
    ///
    /// A name that is taken, live or soft-deleted, is refused with 409; so is a request that is sent again
    /// after a lost answer, and the caller has to look.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn restore(&self, id: &ObjectId, blob: BackupBlob) -> Result<(), ServiceError> {
        let restored = self.restore_blob(id.kind, blob).await;
        restored.map(drop).map_err(|error| self.error("restore", id, "into", &error))
    }

    /// Restores a backup of which only the kind is known, and returns the name that it has, if the service
    /// says it. Else as [`VaultClient::restore`].
    ///
    /// # Errors
    /// As the service answers.
    pub async fn restore_unnamed(
        &self,
        kind: ObjectKind,
        blob: BackupBlob,
    ) -> Result<Option<ObjectName>, ServiceError> {
        let restored = self.restore_blob(kind, blob).await;
        let restored = restored.map_err(|error| {
            ServiceError::of(format!("restore a {kind} into vault {}", self.url.name()), &error)
        })?;
        Ok(restored.and_then(|id| id.path_segments()?.nth(1)?.parse().ok()))
    }

    /// Restores, and returns the identifier of the newest version.
    async fn restore_blob(&self, kind: ObjectKind, blob: BackupBlob) -> azure_core::Result<Option<Url>> {
        self.restores.turn(kind).await;
        let bytes = Some(blob.into_bytes());
        let id = match kind {
            ObjectKind::Secret => {
                let content = RestoreSecretParameters { secret_backup: bytes }.try_into()?;
                self.secrets.restore_secret(content, None).await?.into_model()?.id
            }
            ObjectKind::Key => {
                let content = RestoreKeyParameters { key_backup: bytes }.try_into()?;
                self.keys.restore_key(content, None).await?.into_model()?.key.and_then(|key| key.kid)
            }
            ObjectKind::Certificate => {
                let content = RestoreCertificateParameters { certificate_backup: bytes }.try_into()?;
                self.certificates.restore_certificate(content, None).await?.into_model()?.id
            }
        };
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// Every soft-deleted object of a kind, page by page. A page may be empty with more to come.
    pub fn list_deleted(
        &self,
        kind: ObjectKind,
    ) -> impl Stream<Item = Result<Vec<Deleted>, ServiceError>> + use<> {
        let what = format!("list the deleted {kind}s of vault {}", self.url.name());
        let pages: azure_core::Result<BoxStream<'static, _>> = match kind {
            ObjectKind::Secret => {
                self.secrets.list_deleted_secret_properties(None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Key => {
                self.keys.list_deleted_key_properties(None).map(|pager| raw(pager.into_pages()))
            }
            ObjectKind::Certificate => self
                .certificates
                .list_deleted_certificate_properties(None)
                .map(|pager| raw(pager.into_pages())),
        };
        decode(what, pages, move |item: Item| {
            let purgeable = item.purgeable();
            Ok(Deleted { id: item.listed(kind)?.id, purgeable })
        })
    }

    /// Begins to recover a soft-deleted object as it was. It is usable some seconds later.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn recover(&self, id: &ObjectId) -> Result<(), ServiceError> {
        let name = id.name.as_str();
        let recovered = match id.kind {
            ObjectKind::Secret => self.secrets.recover_deleted_secret(name, None).await.map(drop),
            ObjectKind::Key => self.keys.recover_deleted_key(name, None).await.map(drop),
            ObjectKind::Certificate => {
                self.certificates.recover_deleted_certificate(name, None).await.map(drop)
            }
        };
        recovered.map_err(|error| self.error("recover", id, "in", &error))
    }

    /// Begins to purge a soft-deleted object, for good. Its name is free up to some minutes later.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn purge(&self, id: &ObjectId) -> Result<(), ServiceError> {
        let name = id.name.as_str();
        let purged = match id.kind {
            ObjectKind::Secret => self.secrets.purge_deleted_secret(name, None).await.map(drop),
            ObjectKind::Key => self.keys.purge_deleted_key(name, None).await.map(drop),
            ObjectKind::Certificate => {
                self.certificates.purge_deleted_certificate(name, None).await.map(drop)
            }
        };
        purged.map_err(|error| self.error("purge", id, "in", &error))
    }

    /// Whether the identity may purge objects of a kind, found out on a name that nobody can have: a purge of
    /// it is refused with 403 where the right is missing, and with 404 where it is there.
    ///
    /// # Errors
    /// As the service answers, for any other reason.
    pub async fn may_purge(&self, kind: ObjectKind) -> Result<bool, ServiceError> {
        let name = format!("purge-probe-{:032x}", fastrand::u128(..));
        let name = name.parse().map_err(|_| ServiceError::nonsense("purge", "Name", "no name"))?;
        match self.purge(&ObjectId::new(kind, name)).await {
            Ok(()) => Ok(true),
            Err(error) if error.meaning == Meaning::NotFound => Ok(true),
            Err(error) if error.meaning == Meaning::Forbidden => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn error(&self, verb: &str, id: &ObjectId, preposition: &str, error: &azure_core::Error) -> ServiceError {
        ServiceError::of(format!("{verb} {id} {preposition} vault {}", self.url.name()), error)
    }
}
