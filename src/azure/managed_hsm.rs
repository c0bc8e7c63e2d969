//! Administration of Azure Managed HSM: full backup, full restore, restore of one key, and the checks
//! before them.
//!
//! The official Rust clients lack these operations. This module depends on `azure_core` and on no other module
//! of this program.
//!
//! A backup or a restore is a job of the HSM: a start is answered with a job id, and the job is polled until it
//! has ended. There is no list of jobs and no way to cancel one, so the job id should be kept somewhere durable
//! before the first poll.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # use azure_core::{credentials::TokenCredential, http::Url};
//! # async fn example(credential: Arc<dyn TokenCredential>) -> Result<(), Box<dyn std::error::Error>> {
//! use keyvault_backup::azure::managed_hsm::{
//!     BackupDestination, ManagedHsmClient, ManagedHsmClientOptions, StorageAuth,
//! };
//!
//! let endpoint: Url = "https://contoso.managedhsm.azure.net".parse()?;
//! let client = ManagedHsmClient::new(endpoint, credential, ManagedHsmClientOptions::default())?;
//! let container: Url = "https://contosobackups.blob.core.windows.net/hsm".parse()?;
//! let started = client.begin_backup(&BackupDestination::new(container, StorageAuth::ManagedIdentity)).await?;
//! let folder = loop {
//!     tokio::time::sleep(started.retry_after.unwrap_or(Duration::from_secs(10))).await;
//!     let job = client.backup_status(&started.job_id).await?;
//!     if job.status.has_ended() {
//!         break job.folder_uri;
//!     }
//! };
//! # Ok(())
//! # }
//! ```
//!
//! # A start is sent once
//!
//! A start that is sent twice begins two jobs, or meets `409` from its own first copy. So the client never resends a
//! start that may have begun a job: its pipeline has no retry, and it never takes part in authentication. The client
//! learns from the HSM which token it wants with a request that has no token, no body and no effect, and only then
//! sends the start, with its token. The answer is final, except for a `401`, which means that nothing has begun: if the
//! credential has another token than the refused one, the start is sent once more with it. A lost answer is
//! [`StartError::AnswerLost`]: the job may be running. [`Refusal::retry_after`] is how long the HSM asks to wait;
//! waiting is left to the caller.
//!
//! Polls and the checks before a backup or a restore change nothing. They are retried as the client options
//! say, and once more with a new token after a `401`.
//!
//! # What the HSM may do to storage
//!
//! The HSM itself reads and writes the container, as a user-assigned managed identity that is attached to it
//! ([`StorageAuth::ManagedIdentity`], service versions from 7.5) or with a [`SasToken`]. The token is never
//! printed, and anything like it is removed from the service's texts.

mod auth;
mod error;
mod folder;
mod send;
mod status;
mod storage;
mod version;
mod wire;

use std::{fmt, sync::Arc};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Method, Url},
};

pub use self::{
    auth::AUDIENCES,
    error::{Error, Refusal, StartError},
    folder::FolderName,
    status::{KeyRestoreCounts, OperationState, OperationStatus, ServiceFailure, Started},
    storage::{BackupDestination, RestoreSource, SasToken, StorageAuth},
    version::ServiceVersion,
};
use self::{send::Sender, wire::Storage};

/// Options of a [`ManagedHsmClient`].
#[derive(Clone, Debug, Default)]
pub struct ManagedHsmClientOptions {
    /// Transport, retry and policies. The retry is for polls and checks; starts have none. A policy or a
    /// transport that sends a request again by itself would break the promise that a start is sent once.
    /// The transport must have time-outs: the client has none.
    pub client_options: ClientOptions,
    /// The version of the service's interface.
    pub api_version: ServiceVersion,
    /// Tokens that the service may repeat in texts about jobs which another process started with them. They are removed
    /// from texts, as is the token of the request itself.
    pub secrets: Vec<SasToken>,
}

/// A client of one Managed HSM. Cheap to clone.
#[derive(Clone)]
pub struct ManagedHsmClient {
    sender: Arc<Sender>,
    version: ServiceVersion,
}

impl fmt::Debug for ManagedHsmClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint().as_str();
        f.debug_struct("ManagedHsmClient").field("endpoint", &endpoint).finish_non_exhaustive()
    }
}

impl ManagedHsmClient {
    /// A client of the HSM at `endpoint`, such as `https://contoso.managedhsm.azure.net`. Sends no request.
    ///
    /// # Errors
    /// [`Error::NotSent`] if the endpoint is anything but the `https` address of a host.
    pub fn new(
        endpoint: Url,
        credential: Arc<dyn TokenCredential>,
        options: ManagedHsmClientOptions,
    ) -> Result<Self, Error> {
        let version = options.api_version;
        let sender = Sender::new(endpoint, credential, options)?;
        Ok(Self { sender: Arc::new(sender), version })
    }

    /// The address of the HSM.
    pub fn endpoint(&self) -> &Url {
        self.sender.endpoint()
    }

    /// The version of the service's interface that the client uses.
    pub fn api_version(&self) -> ServiceVersion {
        self.version
    }

    /// Learns which token the HSM wants and gets one. A start does that by itself; a caller that records a start before
    /// sending it can check first that it can be sent. Changes nothing, and is retried.
    ///
    /// # Errors
    /// When the HSM cannot be reached, or the credential has no token for it.
    pub async fn ready(&self) -> Result<(), Error> {
        self.sender.ready().await
    }

    /// Starts a backup of the whole HSM into a new folder of a container. The container must exist, and must
    /// not have an immutability policy (documentation, "Full backup and restore").
    ///
    /// Not safe to run twice, and never retried.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn begin_backup(&self, to: &BackupDestination) -> Result<Started, StartError> {
        let body = Storage::new(&to.container, &to.auth, self.version)?.to_json()?;
        self.sender.start(Method::Post, "backup", body, &to.auth).await
    }

    /// Starts a restore of the whole HSM from a folder. **Replaces everything in the HSM.** While it runs, and for a
    /// moment after it, the HSM refuses everything else with `409` (recorded).
    ///
    /// Not safe to run twice, and never retried.
    ///
    /// # Errors
    /// See [`StartError`]. A missing folder fails the job, not the start.
    pub async fn begin_restore(&self, from: &RestoreSource) -> Result<Started, StartError> {
        let body = Storage::new(&from.container, &from.auth, self.version)?.restore(&from.folder)?;
        self.sender.start(Method::Put, "restore", body, &from.auth).await
    }

    /// Starts a restore of one key, with all its versions, from a folder with a full backup. Poll its status with
    /// [`Self::restore_status`].
    ///
    /// A key of that name must be purged first. If it is not, the job *succeeds* and restores nothing
    /// (recorded): check [`OperationStatus::key_restore_counts`].
    ///
    /// Not safe to run twice, and never retried.
    ///
    /// # Errors
    /// See [`StartError`]; also if `key_name` is not a legal key name.
    pub async fn begin_key_restore(
        &self,
        key_name: &str,
        from: &RestoreSource,
    ) -> Result<Started, StartError> {
        let path = wire::key_restore_path(key_name)?;
        let body = Storage::new(&from.container, &from.auth, self.version)?.key_restore(&from.folder)?;
        self.sender.start(Method::Put, &path, body, &from.auth).await
    }

    /// The status of a backup, or of the check before one. Changes nothing, and is retried.
    ///
    /// # Errors
    /// As the service answers. A failed job is not an error: see [`OperationStatus::status`].
    pub async fn backup_status(&self, job_id: &str) -> Result<OperationStatus, Error> {
        self.sender.poll("backup", job_id).await
    }

    /// The status of a restore of everything or of one key, or of the check before one. Changes nothing, and is
    /// retried. The HSM answers this even during a restore, when it refuses everything else.
    ///
    /// # Errors
    /// As the service answers. A failed job is not an error: see [`OperationStatus::status`].
    pub async fn restore_status(&self, job_id: &str) -> Result<OperationStatus, Error> {
        self.sender.poll("restore", job_id).await
    }

    /// Starts a check whether a backup could be made, which writes nothing. Poll its result with
    /// [`Self::backup_status`]. Retried, and safe to run twice. Service versions from 7.6.
    ///
    /// # Errors
    /// As the service answers; [`Error::NotSent`] if the service version has no such check.
    pub async fn prebackup(&self, to: &BackupDestination) -> Result<Started, Error> {
        self.version.must_have_checks()?;
        let body = Storage::new(&to.container, &to.auth, self.version)?.to_json()?;
        self.sender.check(Method::Post, "prebackup", body, &to.auth).await
    }

    /// Starts a check whether a restore could be made, which changes nothing. Poll its result with
    /// [`Self::restore_status`]. Retried, and safe to run twice. Service versions from 7.6.
    ///
    /// It was recorded to succeed with an impossible folder, so it seems to check the storage only.
    ///
    /// # Errors
    /// As the service answers; [`Error::NotSent`] if the service version has no such check.
    pub async fn prerestore(&self, from: &RestoreSource) -> Result<Started, Error> {
        self.version.must_have_checks()?;
        let body = Storage::new(&from.container, &from.auth, self.version)?.restore(&from.folder)?;
        self.sender.check(Method::Put, "prerestore", body, &from.auth).await
    }
}
