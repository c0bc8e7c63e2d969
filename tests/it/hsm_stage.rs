//! A Managed HSM, a container, and the product's client between them, in this process.

use std::sync::{Arc, Mutex};

use azure_core::{
    Bytes,
    http::{
        AsyncRawResponse, Body, ClientOptions, HttpClient, Method, Request, RetryOptions, Transport, Url,
    },
};
use keyvault_backup::azure::{
    hsm::HsmClient,
    managed_hsm::{
        BackupDestination, ManagedHsmClient, ManagedHsmClientOptions, OperationStatus, RestoreSource,
        SasToken, ServiceVersion, StorageAuth,
    },
    retry::ShortRetry,
    transport::GuardedTransport,
};
use keyvault_backup_emulator::{Azure, HsmHandle, KeySpec, StorageHandle};

use crate::wire::Wire;

/// A signature that must never be seen.
pub const SIGNATURE: &str = "dGhpc21zc2VjcmV0ISE%3D";

/// A world in which everything works: an HSM with a key and a role, and a container it may use.
pub struct Stage {
    pub azure: Azure,
    pub hsm: HsmHandle,
    pub storage: StorageHandle,
    pub wire: Wire,
    pub log: Arc<Log>,
    pub client: ManagedHsmClient,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with_version(ServiceVersion::default()).await
    }

    pub async fn with_version(version: ServiceVersion) -> Self {
        let azure = Azure::start().await.expect("the emulator starts");
        let (hsm, storage) = (azure.hsm("prod"), azure.storage("backups"));
        storage.create_container("hsm");
        hsm.attach_identity(true);
        hsm.grant(&format!("{}/hsm", storage.blob_url()));
        hsm.put_key("root", KeySpec::rsa(2048).tag("team", "core"));
        hsm.add_role_assignment("officer");
        hsm.set_operation_polls(1);
        let wire = Wire::new(&azure, [hsm.url().replace("https://", "")]);
        let log = Arc::new(Log::new(&wire, &hsm));
        let client = client(&wire, &log, &hsm, version);
        Self { azure, hsm, storage, wire, log, client }
    }

    /// A client of another HSM, which may use the container too.
    pub fn other(&self, name: &str) -> (HsmHandle, ManagedHsmClient) {
        let hsm = self.azure.hsm(name);
        hsm.set_operation_polls(1);
        hsm.attach_identity(true);
        hsm.grant(self.container().as_str());
        let log = Arc::new(Log::new(&self.wire, &hsm));
        let client = client(&self.wire, &log, &hsm, ServiceVersion::default());
        (hsm, client)
    }

    /// The same HSM, in the program's words.
    pub fn adapter(&self) -> HsmClient {
        let url = self.hsm.url().parse().expect("it is a URL");
        HsmClient::new(&url, &self.wire.connection, Vec::new()).expect("the client is built")
    }

    pub fn container(&self) -> Url {
        format!("{}/hsm", self.storage.blob_url()).parse().expect("it is a URL")
    }

    /// The container, by the HSM's identity.
    pub fn to(&self) -> BackupDestination {
        BackupDestination::new(self.container(), StorageAuth::ManagedIdentity)
    }

    /// The container, with a good token.
    pub fn to_with_sas(&self) -> BackupDestination {
        BackupDestination::new(self.container(), sas("crdwl", "2999-01-01T00:00:00Z"))
    }

    /// A folder of the container, by the HSM's identity.
    pub fn from(&self, folder: &str) -> RestoreSource {
        RestoreSource::new(self.container(), folder, StorageAuth::ManagedIdentity)
    }

    /// Backs the HSM up. Gives the folder.
    pub async fn back_up(&self) -> String {
        let started = self.client.begin_backup(&self.to()).await.expect("it starts");
        let ended = self.backup_end(&started.job_id).await;
        let folder = ended.folder_uri.expect("a backup has a folder");
        folder.path().rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Asks until a backup has ended.
    pub async fn backup_end(&self, job: &str) -> OperationStatus {
        loop {
            let status = self.client.backup_status(job).await.expect("the HSM answers");
            if status.status.has_ended() {
                return status;
            }
        }
    }

    /// Asks until a restore has ended.
    pub async fn restore_end(&self, job: &str) -> OperationStatus {
        restore_end(&self.client, job).await
    }

    /// The names of all folders with a backup.
    pub fn folders(&self) -> Vec<String> {
        let blobs = self.storage.blobs("hsm");
        blobs.iter().filter_map(|name| Some(name.strip_suffix("/backup")?.to_owned())).collect()
    }
}

/// Asks an HSM until a restore has ended.
pub async fn restore_end(client: &ManagedHsmClient, job: &str) -> OperationStatus {
    loop {
        let status = client.restore_status(job).await.expect("the HSM answers");
        if status.status.has_ended() {
            return status;
        }
    }
}

/// A token with these permissions and this expiry.
pub fn sas(permissions: &str, expiry: &str) -> StorageAuth {
    let token = format!("?sv=2022-11-02&ss=b&srt=sco&sp={permissions}&se={expiry}&sig={SIGNATURE}");
    StorageAuth::Sas(SasToken::new(token))
}

/// A client whose waits between retries are as good as none.
pub fn client(wire: &Wire, log: &Arc<Log>, hsm: &HsmHandle, api_version: ServiceVersion) -> ManagedHsmClient {
    let retry = ShortRetry::new(std::time::Duration::from_millis(1));
    let client_options = ClientOptions {
        retry: RetryOptions::custom(Arc::new(retry)),
        transport: Some(Transport::new(Arc::clone(log) as _)),
        ..ClientOptions::default()
    };
    let options =
        ManagedHsmClientOptions { client_options, api_version, ..ManagedHsmClientOptions::default() };
    let url = hsm.url().parse().expect("it is a URL");
    ManagedHsmClient::new(url, wire.credential(), options).expect("the client is built")
}

/// What the client put on the wire.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: Method,
    pub path: String,
    pub has_token: bool,
    pub body: String,
}

/// The product's transport, and a note of all that goes through it.
#[derive(Debug)]
pub struct Log {
    inner: Arc<GuardedTransport>,
    sent: Mutex<Vec<Sent>>,
}

impl Log {
    fn new(wire: &Wire, hsm: &HsmHandle) -> Self {
        let host = hsm.url().replace("https://", "");
        let inner = GuardedTransport::new(wire.http.clone(), [host].into());
        Self { inner, sent: Mutex::default() }
    }

    /// Everything that was sent, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no test panicked with it").clone()
    }

    /// How many starts of jobs left the client, whatever became of them.
    pub fn starts(&self) -> usize {
        let is_start = |sent: &&Sent| {
            let path = sent.path.split('?').next().unwrap_or_default();
            sent.method != Method::Get && (path == "/backup" || path.ends_with("/restore"))
        };
        self.sent().iter().filter(is_start).count()
    }
}

#[async_trait::async_trait]
impl HttpClient for Log {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            Body::SeekableStream(_) => Bytes::new(),
        };
        let sent = Sent {
            method: request.method(),
            path: request.path_and_query(),
            has_token: request.headers().iter().any(|(name, _)| name.as_str() == "authorization"),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        self.sent.lock().expect("no test panicked with it").push(sent);
        self.inner.execute_request(request).await
    }
}
