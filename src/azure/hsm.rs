//! A client of one Managed HSM in the domain's terms: a thin layer over [`managed_hsm`](super::managed_hsm).

use std::{future::Future, sync::Arc, time::Duration};

use azure_core::http::Url;

use super::{
    Connection,
    error::{Asked, Meaning, Operation, Service, ServiceError, meaning},
    managed_hsm::{
        BackupDestination, Error, ManagedHsmClient, ManagedHsmClientOptions, OperationStatus, Refusal,
        RestoreSource, SasToken, ServiceVersion, StartError, Started,
    },
};
use crate::domain::outcome::Failure;

/// Deadline for the answer to a status request. Recorded answers took five seconds at most; a silent HSM must not hold
/// up the others, and is asked again in the next pass.
const ANSWER: Duration = Duration::from_secs(20);

/// Deadline for the answer to a start, which is not sent again.
const START: Duration = Duration::from_secs(60);

/// A client of one HSM. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HsmClient {
    name: Arc<str>,
    client: ManagedHsmClient,
}

/// What is known about a job after a failed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This start began no job.
    NotBegun,
    /// Another job is running, or has just ended. It may come from an earlier start whose answer was lost.
    Occupied,
    /// The answer was lost: the job may be running or not.
    Unknown,
}

/// The failure of a start.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct StartFailure {
    /// The service's answer.
    pub error: ServiceError,
    /// Whether a job may be running all the same.
    pub standing: Standing,
}

impl HsmClient {
    /// A client of the HSM at `url`, `https://NAME.managedhsm.azure.net` or another cloud's.
    ///
    /// The service version is the connection's if it lets an HSM use a managed identity, and the newest otherwise: the
    /// setting is meant for vaults. `secrets` are removed from the service's texts.
    ///
    /// # Errors
    /// When the URL is not the address of a host.
    pub fn new(url: &Url, connection: &Connection, secrets: Vec<SasToken>) -> Result<Self, ServiceError> {
        let version = connection.api_version.parse::<ServiceVersion>().ok();
        let options = ManagedHsmClientOptions {
            client_options: connection.client_options(Vec::new()),
            api_version: version.filter(|version| version.has_managed_identity()).unwrap_or_default(),
            secrets,
        };
        let name = url.host_str().and_then(|host| host.split('.').next()).unwrap_or_default();
        let client = ManagedHsmClient::new(url.clone(), Arc::clone(&connection.credential), options)
            .map_err(|error| {
                service_error(Asked::new(Service::Hsm, Operation::Read, format!("use HSM {name}")), &error)
            })?;
        Ok(Self { name: name.into(), client })
    }

    /// The HSM's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The HSM's address.
    pub fn url(&self) -> &Url {
        self.client.endpoint()
    }

    /// Checks that a start can be sent: the HSM answers, and there is a token for it.
    ///
    /// # Errors
    /// As the service answers, or the credential.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        self.answer(Operation::Read, "reach", self.client.ready()).await
    }

    /// Starts a backup of the whole HSM. Not safe to run twice: see [`ManagedHsmClient::begin_backup`].
    ///
    /// # Errors
    /// See [`Standing`].
    pub async fn begin_backup(&self, to: &BackupDestination) -> Result<Started, StartFailure> {
        self.start("back up", self.client.begin_backup(to)).await
    }

    /// Starts a restore that replaces everything in the HSM. Not safe to run twice: see
    /// [`ManagedHsmClient::begin_restore`].
    ///
    /// # Errors
    /// See [`Standing`].
    pub async fn begin_restore(&self, from: &RestoreSource) -> Result<Started, StartFailure> {
        self.start("restore", self.client.begin_restore(from)).await
    }

    /// Starts a restore of one key. Not safe to run twice. See [`ManagedHsmClient::begin_key_restore`], also for what its
    /// success means.
    ///
    /// # Errors
    /// See [`Standing`].
    pub async fn begin_key_restore(&self, key: &str, from: &RestoreSource) -> Result<Started, StartFailure> {
        self.start(&format!("restore key {key} into"), self.client.begin_key_restore(key, from)).await
    }

    /// The status of a backup, or of the check before one. Safe to run twice.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn backup_status(&self, job: &str) -> Result<OperationStatus, ServiceError> {
        self.answer(Operation::Follow, "ask about a backup of", self.client.backup_status(job)).await
    }

    /// The status of a restore, or of the check before one. Safe to run twice.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn restore_status(&self, job: &str) -> Result<OperationStatus, ServiceError> {
        self.answer(Operation::Follow, "ask about a restore of", self.client.restore_status(job)).await
    }

    /// Starts a check whether a backup could be made. Changes nothing.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn prebackup(&self, to: &BackupDestination) -> Result<Started, ServiceError> {
        self.answer(Operation::Check, "check a backup of", self.client.prebackup(to)).await
    }

    /// Starts a check whether a restore could be made. Changes nothing.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn prerestore(&self, from: &RestoreSource) -> Result<Started, ServiceError> {
        self.answer(Operation::Check, "check a restore of", self.client.prerestore(from)).await
    }

    async fn answer<T>(
        &self,
        operation: Operation,
        verb: &str,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ServiceError> {
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(answer) => answer.map_err(|error| self.error(operation, verb, &error)),
            Err(_) => Err(self.silent(operation, verb, ANSWER)),
        }
    }

    async fn start(
        &self,
        verb: &str,
        sent: impl Future<Output = Result<Started, StartError>>,
    ) -> Result<Started, StartFailure> {
        match tokio::time::timeout(START, sent).await {
            Ok(started) => started.map_err(|error| self.start_failure(verb, &error)),
            Err(_) => Err(StartFailure {
                error: self.silent(Operation::Start, verb, START),
                standing: Standing::Unknown,
            }),
        }
    }

    fn silent(&self, operation: Operation, verb: &str, after: Duration) -> ServiceError {
        let failure = Failure::ours("NoAnswer", format!("no answer within {} seconds", after.as_secs()));
        ServiceError::new(self.asked(operation, verb), Meaning::Network, failure)
    }

    fn asked(&self, operation: Operation, verb: &str) -> Asked {
        Asked::new(Service::Hsm, operation, format!("{verb} HSM {}", self.name))
    }

    fn error(&self, operation: Operation, verb: &str, error: &Error) -> ServiceError {
        service_error(self.asked(operation, verb), error)
    }

    fn start_failure(&self, verb: &str, error: &StartError) -> StartFailure {
        let standing = match error {
            StartError::Conflict(_) => Standing::Occupied,
            error if error.may_have_begun() => Standing::Unknown,
            _ => Standing::NotBegun,
        };
        let error = match error {
            StartError::Conflict(refusal) | StartError::Refused(refusal) => {
                refused(self.asked(Operation::Start, verb), refusal)
            }
            StartError::AnswerLost(error) | StartError::NotSent(error) => {
                self.error(Operation::Start, verb, error)
            }
        };
        StartFailure { error, standing }
    }
}

/// The service's own explanation of a failed operation.
pub fn why(status: &OperationStatus) -> Failure {
    let error = status.error.as_ref();
    let code = error.and_then(|error| error.code.clone().or_else(|| error.inner_code.clone()));
    let message = error.and_then(|error| error.message.clone());
    let details = status.status_details.clone();
    let code = code.or_else(|| details.clone()).unwrap_or_else(|| format!("{:?}", status.status));
    let text = message.or(details).unwrap_or_else(|| "the service does not say why".to_owned());
    Failure::ours(&code.chars().take(100).collect::<String>(), text)
}

fn service_error(asked: Asked, error: &Error) -> ServiceError {
    let ours = |meaning, code: &str, error: &Error| (meaning, Failure::ours(code, error.to_string()));
    let (meaning, failure) = match error {
        Error::Refused(refusal) => return refused(asked, refusal),
        Error::NoAnswer(cause) => return ServiceError::of(asked, cause),
        Error::NoToken(cause) => {
            let failure = *ServiceError::of(asked.clone(), cause).failure;
            (Meaning::NoToken, Failure { code: "NoToken".to_owned(), ..failure })
        }
        Error::BadAnswer { request_id, .. } => {
            let failure = Failure::ours("BadAnswer", error.to_string());
            (Meaning::Nonsense, Failure { request_id: request_id.clone(), ..failure })
        }
        Error::ForeignChallenge(_) => ours(Meaning::NotSent, "ForeignChallenge", error),
        Error::NotSent(_) => ours(Meaning::NotSent, "NotSent", error),
    };
    ServiceError::new(asked, meaning, failure)
}

fn refused(asked: Asked, refusal: &Refusal) -> ServiceError {
    let failure = Failure {
        code: refusal.code.clone(),
        text: refusal.message.clone(),
        status: Some(refusal.status),
        request_id: refusal.request_id.clone(),
    };
    let meaning = meaning(refusal.status.into(), &failure);
    let error = ServiceError::new(asked, meaning, failure.bounded());
    ServiceError { retry_after: refusal.retry_after, ..error }
}

#[cfg(test)]
mod tests {
    use crate::{azure::managed_hsm::AUDIENCES, domain::cloud::CLOUDS};

    #[test]
    fn the_client_knows_the_audience_of_every_cloud() {
        assert_eq!(CLOUDS.map(|cloud| cloud.hsm), AUDIENCES);
    }
}
