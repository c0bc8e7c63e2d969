//! The ceiling: a client that sends the requests which a backup needs, and does nothing else.
//!
//! It lists the vault and then asks, for each object, for its versions and its backup, and puts the blob with
//! metadata of the usual size: the same requests over the same HTTP client with the same settings, so many at
//! once. It has no plan, no retries, no limiter, no checks, no record of failures, no manifest.

use std::{env, io::Write as _, process::Stdio, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use keyvault_backup::azure::transport::http_client;
use reqwest::{Client, Method, Response};
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::{Result, stage::Storage};

const VERSION: &str = "api-version=2025-07-01";

/// Metadata of an entry's usual size.
const METADATA: usize = 640;

/// Starts the client as a process of its own.
pub fn start(storage: &Storage, vault: &str, at_once: usize) -> Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["bare", vault, &container(storage), &at_once.to_string()]);
    command.env_clear().envs(storage.env.iter().cloned());
    Ok(command.stdin(Stdio::null()).kill_on_drop(true).spawn()?)
}

/// Starts a restore of everything that is stored, as a process of its own.
pub fn start_restore(storage: &Storage, vault: &str, at_once: usize) -> Result<Child> {
    let mut stored = tempfile::NamedTempFile::new()?;
    for name in storage.account.blobs("backups").iter().filter(|name| name.ends_with("/backup")) {
        writeln!(stored, "{name}")?;
    }
    let (_, list) = stored.keep()?;
    let mut command = Command::new(env::current_exe()?);
    command.args(["bare-restore", vault, &container(storage), &at_once.to_string()]).arg(list);
    command.env_clear().envs(storage.env.iter().cloned());
    Ok(command.stdin(Stdio::null()).kill_on_drop(true).spawn()?)
}

fn container(storage: &Storage) -> String {
    format!("{}/backups", storage.account.blob_url())
}

#[derive(Clone)]
struct Bare {
    client: Client,
    vault: String,
    container: String,
    vault_token: Arc<str>,
    storage_token: Arc<str>,
    metadata: Arc<str>,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Item>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(alias = "kid")]
    id: String,
    #[serde(default)]
    managed: bool,
}

/// The client's own `main`: `bare VAULT CONTAINER AT_ONCE`.
pub async fn main(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || arguments.next().ok_or("an argument is missing");
    let (vault, container, at_once) = (next()?, next()?, next()?.parse()?);
    let bare = Bare::new(vault, container).await?;
    let kinds = try_join_all(["secrets", "keys", "certificates"].map(|kind| bare.list(kind))).await?;
    let objects = stream::iter(kinds.into_iter().flatten());
    let work = objects.map(|path| bare.back_up(path)).buffer_unordered(at_once);
    work.try_for_each(|()| async { Ok(()) }).await
}

/// The restoring client's own `main`: `bare-restore VAULT CONTAINER AT_ONCE LIST`.
pub async fn main_restore(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || arguments.next().ok_or("an argument is missing");
    let (vault, container, at_once, list) = (next()?, next()?, next()?.parse()?, next()?);
    let bare = Bare::new(vault, container).await?;
    let names = std::fs::read_to_string(&list)?;
    std::fs::remove_file(&list)?;
    let work = stream::iter(names.lines()).map(|name| bare.restore(name)).buffer_unordered(at_once);
    work.try_for_each(|()| async { Ok(()) }).await
}

#[expect(clippy::disallowed_methods, reason = "the platform says in the environment where tokens come from")]
async fn token(client: &Client, resource: &str) -> Result<Arc<str>> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
    }
    let url = format!("{}?api-version=2019-08-01&resource={resource}", env::var("IDENTITY_ENDPOINT")?);
    let request = client.get(url).header("X-IDENTITY-HEADER", env::var("IDENTITY_HEADER")?).build()?;
    let answer = client.execute(request).await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice::<Token>(&answer)?.access_token.into())
}

impl Bare {
    async fn new(vault: String, container: String) -> Result<Self> {
        let client = http_client(Duration::from_secs(60))?;
        Ok(Self {
            vault,
            container,
            vault_token: token(&client, "https://vault.azure.net").await?,
            storage_token: token(&client, "https://storage.azure.com").await?,
            metadata: "x".repeat(METADATA).into(),
            client,
        })
    }

    /// Reads a backup, restores it, reads the versions back, puts an outcome.
    async fn restore(&self, name: &str) -> Result<()> {
        let url = format!("{}/{name}", self.container);
        let request = self.client.get(&url).bearer_auth(&self.storage_token);
        let request = request.header("x-ms-version", "2026-02-06").build()?;
        let blob = self.client.execute(request).await?.error_for_status()?.bytes().await?;
        let mut parts = name.rsplit('/').skip(1);
        let (object, kind) = (parts.next().ok_or("no name")?, parts.next().ok_or("no kind")?);
        let body = format!(r#"{{"value":"{}"}}"#, BASE64URL.encode(blob));
        let request = self.client.post(format!("{}/{kind}s/restore?{VERSION}", self.vault));
        let request = request.bearer_auth(&self.vault_token).header("content-type", "application/json");
        self.client.execute(request.body(body).build()?).await?.error_for_status()?.bytes().await?;
        self.pages(format!("{}/{kind}s/{object}/versions?{VERSION}", self.vault)).await?;
        let vault = self.vault.rsplit('/').next().unwrap_or_default();
        self.put(&format!("{}/restored/{vault}/{kind}/{object}", self.container), Vec::new()).await
    }

    async fn put(&self, url: &str, blob: Vec<u8>) -> Result<()> {
        let request = self
            .client
            .put(url)
            .bearer_auth(&self.storage_token)
            .header("x-ms-version", "2026-02-06")
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-meta-entry", &*self.metadata)
            .header("if-none-match", "*")
            .body(blob)
            .build()?;
        self.client.execute(request).await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn call(&self, method: Method, url: &str) -> Result<Response> {
        let request = self.client.request(method, url).bearer_auth(&self.vault_token).build()?;
        Ok(self.client.execute(request).await?.error_for_status()?)
    }

    async fn pages(&self, first: String) -> Result<Vec<Item>> {
        let (mut items, mut next) = (Vec::new(), Some(first));
        while let Some(url) = next {
            let page: Page = serde_json::from_slice(&self.call(Method::GET, &url).await?.bytes().await?)?;
            items.extend(page.value);
            next = page.next;
        }
        Ok(items)
    }

    /// The paths of a kind's objects, as `/secrets/name`.
    async fn list(&self, kind: &str) -> Result<Vec<String>> {
        let items = self.pages(format!("{}/{kind}?{VERSION}", self.vault)).await?;
        let path = |item: Item| item.id.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
        Ok(items.into_iter().filter(|item| !item.managed).filter_map(path).collect())
    }

    async fn back_up(&self, path: String) -> Result<()> {
        #[derive(Deserialize)]
        struct Backup<'a> {
            value: &'a str,
        }
        let object = format!("{}{path}", self.vault);
        self.pages(format!("{object}/versions?{VERSION}")).await?;
        let answer = self.call(Method::POST, &format!("{object}/backup?{VERSION}")).await?.bytes().await?;
        let blob = BASE64URL.decode(serde_json::from_slice::<Backup<'_>>(&answer)?.value)?;
        self.put(&format!("{}/objects{path}", self.container), blob).await
    }
}
