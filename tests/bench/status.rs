//! How long the status of a large installation takes.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use keyvault_backup_emulator::{Service, StorageHandle, host::Host};
use serde_json::Value;

use crate::{
    Result,
    size::Size,
    stage::{CONTAINER, Stage},
    table::{Table, Target},
};

/// The vault of the stage.
const VAULT: &str = "kv-bench";

/// Storage that answers at once, and storage as in a cloud region.
const LATENCIES: [(&str, Duration); 2] =
    [("no latency", Duration::ZERO), ("10 ms storage", Duration::from_millis(10))];

/// Backs up one vault, writes its catalogue again for others, and asks for the status of all.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [sources, objects] = size.status;
    let stage = Stage::with_secrets(objects).await?;
    let mut storage = stage.storage(None);
    stage.end_backup(stage.start_backup(&storage)?).await?;
    let mut urls = vec![stage.vault.url()];
    for number in 1..sources {
        let name = format!("kv-copy-{number}");
        copy(&storage.account, VAULT, &name)?;
        urls.push(stage.vault.url().replace(VAULT, &name));
    }
    storage.env.retain(|(name, _)| name != "KEYVAULT_BACKUP_VAULTS");
    storage.env.push(("KEYVAULT_BACKUP_VAULTS".to_owned(), urls.join(" ")));
    let host = stage.host(&storage).await?;
    for (name, latency) in LATENCIES {
        for service in [Service::Blob, Service::Queue] {
            stage.azure.knobs().set_latency(service, latency);
        }
        let mut took = Vec::new();
        for _ in 0..size.statuses {
            took.push(ask(&host, [sources, objects]).await?);
        }
        took.sort_by(f64::total_cmp);
        let (least, most) = (took.first().copied(), took.last().copied());
        let spread = least.zip(most).map(|(least, most)| format!("{least:.2} to {most:.2} s"));
        let what =
            format!("status of {sources} vaults of {objects} objects, {name}, median of {}", took.len());
        let median = took.get(took.len() / 2).copied().unwrap_or(f64::NAN);
        table.figure(what, spread.unwrap_or_default(), median, " s", Target::Most(1.0));
    }
    Ok(())
}

/// Writes the manifests of a vault for another one.
pub fn copy(account: &StorageHandle, from: &str, to: &str) -> Result<()> {
    let prefix = format!("vaults/{from}/manifests/");
    for name in account.blobs(CONTAINER).into_iter().filter(|name| name.starts_with(&prefix)) {
        let blob = account.blob(CONTAINER, &name).ok_or("the manifest is gone")?;
        let mut text = String::new();
        MultiGzDecoder::new(&blob.bytes[..]).read_to_string(&mut text)?;
        let mut bytes = GzEncoder::new(Vec::new(), Compression::default());
        bytes.write_all(text.replace(from, to).as_bytes())?;
        let metadata: Vec<_> =
            blob.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        account.put_blob(CONTAINER, &name.replace(from, to), bytes.finish()?, &metadata);
    }
    Ok(())
}

/// Seconds until the status is there. One that does not tell of every object is an error.
async fn ask(host: &Host, [sources, objects]: [usize; 2]) -> Result<f64> {
    let (key, began) = (host.key("Status"), Instant::now());
    let answer = host.http("GET", "/api/status", &[("x-functions-key", &key)], "").await;
    let took = began.elapsed().as_secs_f64();
    let status: Value = answer.json();
    let whole = |source: &&Value| source["objects"]["protected"] == objects;
    let found = status["sources"].as_array().map_or(0, |all| all.iter().filter(whole).count());
    if found == sources { Ok(took) } else { Err(format!("{found} vaults are whole: {status:.2000}").into()) }
}
