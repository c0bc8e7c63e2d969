//! Restoring into a vault, and the operations around it: list soft-deleted objects, recover, purge.

use std::sync::Arc;

use azure_core::http::Url;
use azure_security_keyvault_certificates::models::RestoreCertificateParameters;
use azure_security_keyvault_keys::models::RestoreKeyParameters;
use azure_security_keyvault_secrets::models::RestoreSecretParameters;
use futures::{Stream, stream::BoxStream};
use tokio::sync::watch;

use super::{
    VaultClient,
    pages::{Item, decode, raw},
};
use crate::{
    azure::{
        error::{Asked, Meaning, Operation, ServiceError},
        limiter::Limiter,
    },
    domain::{
        blob::BackupBlob,
        object::{ObjectId, ObjectKind, ObjectName},
        restore::Pace,
        versions::{Listed, VersionId},
    },
};

/// What holds restores into one vault to their pace.
#[derive(Clone, Debug)]
pub struct RestorePace {
    secrets: Arc<Limiter>,
    keys: Arc<Limiter>,
    certificates: Arc<Limiter>,
    pace: Pace,
    stopped: Arc<watch::Sender<bool>>,
}

impl RestorePace {
    /// Holds restores to this pace.
    pub fn new(pace: Pace) -> Self {
        let steady = |kind| Limiter::steady(f64::from(pace.in_ten_seconds(kind)) / 10.0);
        Self {
            secrets: steady(ObjectKind::Secret),
            keys: steady(ObjectKind::Key),
            certificates: steady(ObjectKind::Certificate),
            pace,
            stopped: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Waits for a restore's turn. `false` if restores were stopped before it came.
    async fn turn(&self, kind: ObjectKind) -> bool {
        let limiter = match kind {
            ObjectKind::Secret => &self.secrets,
            ObjectKind::Key => &self.keys,
            ObjectKind::Certificate => &self.certificates,
        };
        let mut stopped = self.stopped.subscribe();
        let stopped = stopped.wait_for(|stopped| *stopped);
        tokio::select! {
            biased;
            _ = stopped => false,
            () = limiter.turn() => true,
        }
    }
}

/// A soft-deleted object, as a vault's list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The object.
    pub id: ObjectId,
    /// Whether it may be purged, because purge protection is off.
    pub purgeable: bool,
    /// Whether it belongs to a certificate: then it is recovered and purged only with the certificate.
    pub managed: bool,
}

impl VaultClient {
    /// The pace of restores.
    pub fn restore_pace(&self) -> &Pace {
        &self.restores.pace
    }

    /// Stops sending restores: those that wait for their turn end with [`Meaning::Stopped`].
    pub fn stop_restores(&self) {
        self.restores.stopped.send_replace(true);
    }

    /// Restores a backup under its own name, and returns the current version, if the service names it. Waits for its
    /// turn.
    ///
    /// A name that is taken, live or soft-deleted, is refused with 409. So is a request that is sent again after a lost
    /// answer, so the caller has to read the object to distinguish the two.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn restore(&self, id: &ObjectId, blob: BackupBlob) -> Result<Option<VersionId>, ServiceError> {
        if !self.restores.turn(id.kind).await {
            let what = format!("restore {id} into vault {}", self.source.name());
            return Err(ServiceError::stopped(Asked::vault(Operation::Restore, what)));
        }
        let restored = self.restore_blob(id.kind, blob).await;
        let restored = restored.map_err(|error| self.error(Operation::Restore, id, &error))?;
        Ok(restored.and_then(|id| id.path_segments()?.nth(2)?.parse().ok()))
    }

    /// Restores a backup of which only the kind is known, and returns its name, if the service names it. Otherwise as
    /// [`VaultClient::restore`].
    ///
    /// # Errors
    /// As the service answers.
    pub async fn restore_unnamed(
        &self,
        kind: ObjectKind,
        blob: BackupBlob,
    ) -> Result<Option<ObjectName>, ServiceError> {
        let what = || format!("restore a {kind} into vault {}", self.source.name());
        let asked = || Asked::vault(Operation::Restore, what());
        if !self.restores.turn(kind).await {
            return Err(ServiceError::stopped(asked()));
        }
        let restored = self.restore_blob(kind, blob).await;
        let restored = restored.map_err(|error| ServiceError::of(asked(), &error))?;
        Ok(restored.and_then(|id| id.path_segments()?.nth(1)?.parse().ok()))
    }

    /// Restores, and returns the identifier of the current version.
    async fn restore_blob(&self, kind: ObjectKind, blob: BackupBlob) -> azure_core::Result<Option<Url>> {
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
        let what = format!("list the deleted {kind}s of vault {}", self.source.name());
        let asked = Asked::vault(Operation::List, what);
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
        decode(asked, pages, move |item: Item| {
            let purgeable = item.purgeable();
            let Listed { id, managed, .. } = item.listed(kind)?;
            Ok(Deleted { id, purgeable, managed })
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
        recovered.map_err(|error| self.error(Operation::Recover, id, &error))
    }

    /// Begins to delete a live object, with all its versions: of a certificate, its key and its secret too. Some seconds to
    /// minutes later it is among the soft-deleted objects; until then the service answers 409 to a purge.
    ///
    /// # Errors
    /// As the service answers: 404 for an object that is not live, whether or not it is soft-deleted.
    pub async fn delete(&self, id: &ObjectId) -> Result<(), ServiceError> {
        let name = id.name.as_str();
        let deleted = match id.kind {
            ObjectKind::Secret => self.secrets.delete_secret(name, None).await.map(drop),
            ObjectKind::Key => self.keys.delete_key(name, None).await.map(drop),
            ObjectKind::Certificate => self.certificates.delete_certificate(name, None).await.map(drop),
        };
        deleted.map_err(|error| self.error(Operation::Delete, id, &error))
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
        purged.map_err(|error| self.error(Operation::Purge, id, &error))
    }

    /// Whether the identity may purge objects of a kind. Tries to purge a name that cannot exist: the service answers
    /// 403 without the right, and 404 with it.
    ///
    /// # Errors
    /// As the service answers, for any other reason.
    pub async fn may_purge(&self, kind: ObjectKind) -> Result<bool, ServiceError> {
        let name = format!("purge-probe-{:032x}", fastrand::u128(..));
        let name = name.parse().map_err(|_| {
            ServiceError::nonsense(Asked::vault(Operation::Purge, "purge"), "Name", "no name")
        })?;
        match self.purge(&ObjectId::new(kind, name)).await {
            Ok(()) => Ok(true),
            Err(error) if error.meaning == Meaning::NotFound => Ok(true),
            Err(error) if matches!(error.meaning, Meaning::Denied | Meaning::Forbidden) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn error(&self, operation: Operation, id: &ObjectId, error: &azure_core::Error) -> ServiceError {
        let (verb, preposition) = match operation {
            Operation::Recover => ("recover", "in"),
            Operation::Purge => ("purge", "in"),
            Operation::Delete => ("delete", "in"),
            _ => ("restore", "into"),
        };
        let what = format!("{verb} {id} {preposition} vault {}", self.source.name());
        ServiceError::of(Asked::vault(operation, what), error)
    }
}
