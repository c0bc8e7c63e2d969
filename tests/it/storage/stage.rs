//! Storage for a test: the emulator's, or Azurite behind the same host names.

use std::{fmt::Write as _, net::SocketAddr, process::Stdio, time::Duration};

use keyvault_backup::{
    azure::{container::Container, queue::Queue},
    catalogue::Catalogue,
    config::WORK_QUEUE,
};
use keyvault_backup_emulator::{Azure, Service};
use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    wire::Wire,
    world::{BACKUPS, JOBS, World},
};

/// How long Azurite may take to start on a busy machine.
const START: Duration = Duration::from_secs(90);

/// A world whose storage accounts may be served by Azurite.
pub struct Stage {
    pub world: World,
    wire: Wire,
    azurite: Option<Azurite>,
}

/// A message as the queue holds it.
pub struct Message {
    id: String,
    receipt: String,
    /// Still in base64.
    pub text: String,
}

impl Stage {
    /// On the emulator's storage.
    pub async fn emulated() -> Self {
        Self::new(World::new().await, None)
    }

    /// On Azurite, which a test that calls it needs, and is marked so.
    #[expect(clippy::disallowed_methods, reason = "says where a program for tests lies")]
    pub async fn azurite() -> Self {
        let program = std::env::var_os("AZURITE_BIN").expect("AZURITE_BIN names Azurite");
        let world = World::new().await;
        let azurite = Azurite::start(&program, &world.azure, &["backups", "workstore"]).await;
        let stage = Self::new(world, Some(azurite));
        let (backups, work) = (stage.world.backups.blob_url(), stage.world.work.blob_url());
        stage.put(format!("{backups}/{BACKUPS}?restype=container")).await;
        stage.put(format!("{work}/{JOBS}?restype=container")).await;
        stage.put(format!("{}/{WORK_QUEUE}", stage.world.work.queue_url())).await;
        stage
    }

    fn new(mut world: World, azurite: Option<Azurite>) -> Self {
        world.set("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "30");
        let urls = [world.backups.blob_url(), world.work.blob_url(), world.work.queue_url()];
        let vault = world.vault.url();
        let hosts = urls.iter().chain([&vault]).map(|url| url.replace("https://", ""));
        let wire = Wire::new(&world.azure, hosts);
        Self { world, wire, azurite }
    }

    pub fn is_azurite(&self) -> bool {
        self.azurite.is_some()
    }

    /// How many storage requests the emulator answered itself.
    pub fn answered_by_the_emulator(&self) -> usize {
        self.world.azure.requests().count(|entry| matches!(entry.service, Service::Blob | Service::Queue))
    }

    /// A new container.
    pub async fn container(&self, name: &str) -> Container {
        let url = format!("{}/{name}", self.world.work.blob_url());
        self.put(format!("{url}?restype=container")).await;
        self.open(&url)
    }

    /// The catalogue that the world's program writes.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::new(self.open(&format!("{}/{BACKUPS}", self.world.backups.blob_url())))
    }

    /// The container of open runs.
    pub fn jobs(&self) -> Container {
        self.open(&format!("{}/{JOBS}", self.world.work.blob_url()))
    }

    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    fn open(&self, url: &str) -> Container {
        let url = url.parse().expect("it is a URL");
        Container::new(&url, &self.wire.connection).expect("the client is built")
    }

    /// A new queue.
    pub async fn queue(&self, name: &str) -> Queue {
        let service = self.world.work.queue_url();
        self.put(format!("{service}/{name}")).await;
        let service = service.parse().expect("it is a URL");
        Queue::new(&service, name, &self.wire.connection).expect("the client is built")
    }

    /// Takes messages from a queue for good.
    pub async fn take(&self, queue: &str) -> Vec<Message> {
        let messages = format!("{}/{queue}/messages", self.world.work.queue_url());
        let answer = self.call(Method::GET, format!("{messages}?numofmessages=32")).await;
        let taken: Vec<_> = answer.1.split("<QueueMessage>").skip(1).map(Message::parse).collect();
        for Message { id, receipt, .. } in &taken {
            let receipt: String = url::form_urlencoded::byte_serialize(receipt.as_bytes()).collect();
            self.call(Method::DELETE, format!("{messages}/{id}?popreceipt={receipt}")).await;
        }
        taken
    }

    /// Brings the program's messages to the queue that the host reads, if it is not the same one.
    pub async fn carry(&self) {
        while self.azurite.is_some() {
            let taken = self.take(WORK_QUEUE).await;
            for message in &taken {
                self.world.work.queue(WORK_QUEUE).send(&message.text, Duration::ZERO, None);
            }
            if taken.is_empty() {
                return;
            }
        }
    }

    async fn put(&self, url: String) {
        self.call(Method::PUT, url).await;
    }

    async fn call(&self, method: Method, url: String) -> (StatusCode, String) {
        let token = self.world.azure.identity().issue("https://storage.azure.com", None);
        let request = self.wire.http.request(method, &url).bearer_auth(token);
        let request = request.header("x-ms-version", "2025-11-05").header("content-length", 0);
        let answer = self.wire.http.execute(request.build().expect("it is a request")).await;
        let answer = answer.expect("storage answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is whole");
        assert!(status.is_success(), "{url}: {status}: {text}");
        (status, text)
    }
}

impl Message {
    fn parse(xml: &str) -> Self {
        let between = |tag: &str| {
            let (_, rest) = xml.split_once(&format!("<{tag}>")).expect("a message has it");
            rest.split_once("</").expect("it ends").0.to_owned()
        };
        Self { id: between("MessageId"), receipt: between("PopReceipt"), text: between("MessageText") }
    }
}

/// A running Azurite, which ends with this.
struct Azurite {
    _child: Child,
    /// Kept open, so that it has somewhere to write to.
    _output: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts it over HTTPS, with bearer tokens, and lets it serve these accounts of the public cloud.
    async fn start(program: &std::ffi::OsStr, azure: &Azure, accounts: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("leaf.pem"), folder.path().join("leaf.key"));
        let host = |account: &&str, service: &str| format!("{account}.{service}.core.windows.net");
        let hosts: Vec<_> =
            accounts.iter().flat_map(|name| ["blob", "queue"].map(|service| host(name, service))).collect();
        let (chain, secret) = azure.certificate(&hosts).expect("the CA issues it");
        std::fs::write(&certificate, chain).expect("it is written");
        std::fs::write(&key, secret).expect("it is written");
        let keys = accounts.iter().fold(String::new(), |mut keys, name| {
            let _ = write!(keys, "{name}:a2V5;"); // a key is asked for, and used by nobody
            keys
        });
        let mut child = Command::new(program)
            .args(["--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck"])
            .args(["--blobPort", "0", "--queuePort", "0", "--tablePort", "0", "--oauth", "basic"])
            .arg("--cert")
            .arg(&certificate)
            .arg("--key")
            .arg(&key)
            .env("AZURITE_ACCOUNTS", keys.trim_end_matches(';'))
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Azurite starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        for service in ["blob", "queue"] {
            let server = tokio::time::timeout(START, listening(&mut output, service)).await;
            let server = server.expect("Azurite is up in time");
            for account in accounts {
                azure.forward(&host(account, service), server);
            }
        }
        Self { _child: child, _output: output, _folder: folder }
    }
}

/// Where a service listens, from the line that says so.
async fn listening(output: &mut Lines<BufReader<ChildStdout>>, service: &str) -> SocketAddr {
    while let Some(line) = output.next_line().await.expect("its output can be read") {
        let listens = line.to_lowercase().contains(&format!("{service} service is successfully listening"));
        if listens && let Some((_, address)) = line.rsplit_once("://") {
            return address.parse().expect("it is an address");
        }
    }
    panic!("Azurite ended before its {service} service was up");
}
