//! How long a vault of every kind takes, against the kind whose limit takes longest.

use std::time::{Duration, Instant};

use keyvault_backup_emulator::{Kind, Operation, VaultHandle, host::Host};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{backed_up, end, start};
use crate::{
    Result,
    size::Size,
    stage::{Since, Stage, Storage},
    table::{Table, Target},
};

/// Keys, and certificates, in a second: the service's limit for creating them.
const KEYS_PER_SECOND: f64 = 1.0;

/// Secrets in a second.
const SECRETS_PER_SECOND: f64 = 30.0;

/// Restores the same vault from a terminal, through the queue, and through the queue into two vaults at once.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [secrets, keys, certificates] = size.restore_mix;
    let stage = Stage::with_each(size.restore_mix).await?;
    let mut storage = backed_up(&stage).await?;
    storage.env.retain(|(name, _)| !name.starts_with("KEYVAULT_BACKUP_RESTORE_"));
    let what = format!("{secrets} secrets, {keys} keys, {certificates} certificates");
    let target = stage.azure.vault("kv-terminal");
    let since = Since::now(&stage);
    end(start(&stage, &storage, &target)?).await?;
    row(table, &format!("restore of {what}, from a terminal"), size, took(&stage, &since, &[target])?);
    for targets in [1, 2] {
        let targets: Vec<_> =
            (0..targets).map(|number| stage.azure.vault(&format!("kv-of-{targets}-{number}"))).collect();
        let since = Since::now(&stage);
        through_the_queue(&stage, &storage, &targets, size).await?;
        let into = if targets.len() == 1 { "" } else { ", into two vaults at once" };
        let what = format!("restore of {what}, through the queue{into}");
        row(table, &what, size, took(&stage, &since, &targets)?);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand objects")]
fn row(table: &mut Table, what: &str, size: &Size, seconds: f64) {
    let [secrets, keys, certificates] = size.restore_mix.map(|count| count as f64);
    let slowest = (secrets / SECRETS_PER_SECOND).max(keys.max(certificates) / KEYS_PER_SECOND);
    table.ratio(what, format!("{seconds:.1} s of {slowest:.1}"), seconds / slowest, Target::Most(1.1));
}

/// From the first restore to the end of the last.
fn took(stage: &Stage, since: &Since, targets: &[VaultHandle]) -> Result<f64> {
    let hosts: Vec<_> = targets.iter().map(VaultHandle::url).collect();
    let requests = since.requests(stage);
    let restores = requests.iter().filter(|entry| {
        entry.operation == Operation::Restore && hosts.iter().any(|host| host.contains(&*entry.host))
    });
    let spans = restores.map(|entry| (entry.at, entry.at + entry.duration));
    let all = spans.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
    let (first, last) = all.ok_or("nothing was restored")?;
    Ok((last - first).as_seconds_f64())
}

async fn through_the_queue(
    stage: &Stage,
    storage: &Storage,
    targets: &[VaultHandle],
    size: &Size,
) -> Result<()> {
    let mut storage = Storage { env: storage.env.clone(), account: storage.account.clone() };
    let vaults: Vec<_> =
        std::iter::once(stage.vault.url()).chain(targets.iter().map(VaultHandle::url)).collect();
    storage.env.retain(|(name, _)| name != "KEYVAULT_BACKUP_VAULTS");
    storage.env.push(("KEYVAULT_BACKUP_VAULTS".to_owned(), vaults.join(" ")));
    let host = stage.host(&storage).await?;
    for target in targets {
        begin(&host, stage, target).await?;
    }
    let whole: usize = size.restore_mix.iter().sum();
    let deadline = Instant::now() + Duration::from_secs(600);
    let all_restored = async {
        while targets.iter().any(|target| restored(target) < whole) && Instant::now() < deadline {
            sleep(Duration::from_millis(100)).await;
        }
    };
    host.run(all_restored).await;
    let missing = targets.iter().find(|target| restored(target) < whole);
    missing.map_or(Ok(()), |target| Err(format!("{} was not restored in time", target.url()).into()))
}

/// How many objects a vault has that a restore brings back one by one.
fn restored(target: &VaultHandle) -> usize {
    let of = |kind| target.len(kind);
    // Each certificate has a key and a secret of its own.
    (of(Kind::Secret) + of(Kind::Key)).saturating_sub(of(Kind::Certificate))
}

async fn begin(host: &Host, stage: &Stage, target: &VaultHandle) -> Result<()> {
    let ask = json!({ "source": stage.vault.url(), "target": target.url(), "everything": true });
    let plan = post(host, "/api/restores/plan", &ask).await?;
    post(host, "/api/restores", &json!({ "plan": plan["digest"] })).await.map(drop)
}

async fn post(host: &Host, path: &str, body: &Value) -> Result<Value> {
    let key = host.key("Restores");
    let headers = [("x-functions-key", key.as_str()), ("content-type", "application/json")];
    let answer = host.http("POST", path, &headers, body.to_string().as_str()).await;
    let text = answer.json();
    if answer.status < 300 { Ok(text) } else { Err(text.to_string().into()) }
}
