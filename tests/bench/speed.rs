//! Objects a second, against the ceiling.

use std::time::Duration;

use keyvault_backup_emulator::Service;

use crate::{
    Result, bare,
    size::Size,
    stage::{Since, Stage, Storage, UNLIMITED, object_phase},
    table::{Table, Target},
};

/// How long services take to answer.
pub struct Latency {
    name: &'static str,
    vault: Duration,
    storage: Duration,
}

/// As fast as this machine can: everything that the product does besides its requests shows.
pub const LOOPBACK: Latency = Latency { name: "no latency", vault: Duration::ZERO, storage: Duration::ZERO };

/// As in a cloud region.
pub const REALISTIC: Latency = Latency {
    name: "20 ms vault, 10 ms storage",
    vault: Duration::from_millis(20),
    storage: Duration::from_millis(10),
};

/// Objects at once from the command line.
const TOOL: usize = 64;

/// Messages at once on the host: `batchSize` and `newBatchThreshold` of host.json.
const HOST: usize = 16 + 8;

/// How long something took: all of it, and its objects alone.
#[derive(Clone, Copy)]
struct Took {
    whole: f64,
    objects: f64,
}

/// Measures the command line tool and the host against the bare client.
pub async fn measure(table: &mut Table, size: &Size, latency: &Latency) -> Result<()> {
    let stage = Stage::with(size.speed).await?;
    let knobs = stage.azure.knobs();
    knobs.set_latency(Service::Vault, latency.vault);
    knobs.set_latency(Service::Blob, latency.storage);
    knobs.set_latency(Service::Queue, latency.storage);
    let count = if latency.vault.is_zero() { size.busy_pairs } else { size.pairs };
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((ceiling(&stage, TOOL).await?, tool(&stage).await?));
    }
    add(table, size, &format!("command line, {TOOL} at once, {}", latency.name), &mut pairs, 0.9);
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((ceiling(&stage, HOST).await?, host(&stage).await?));
    }
    add(table, size, &format!("host, {HOST} at once, {}", latency.name), &mut pairs, 0.6);
    Ok(())
}

fn add(table: &mut Table, size: &Size, what: &str, pairs: &mut [(Took, Took)], target: f64) {
    for (part, of, target) in [
        ("", (|took| took.objects) as fn(Took) -> f64, Target::Least(target)),
        (", with start, lists, plan, manifest", |took| took.whole, Target::None),
    ] {
        pairs.sort_by(|a, b| (of(a.0) / of(a.1)).total_cmp(&(of(b.0) / of(b.1))));
        let (ceiling, ours) = pairs[pairs.len() / 2];
        #[expect(clippy::cast_precision_loss, reason = "a few thousand objects")]
        let rate = |took| size.speed as f64 / of(took);
        let measured = format!("{:.0} objects/s of {:.0}", rate(ours), rate(ceiling));
        table.ratio(format!("{what}{part}"), measured, rate(ours) / rate(ceiling), target);
    }
}

async fn ceiling(stage: &Stage, at_once: usize) -> Result<Took> {
    let storage = stage.storage(None);
    let since = Since::now(stage);
    let ended = bare::start(&storage, &stage.vault.url(), at_once)?.wait().await?;
    if !ended.success() {
        return Err("the bare client failed".into());
    }
    took(stage, &since, &storage)
}

async fn tool(stage: &Stage) -> Result<Took> {
    let storage = stage.storage(Some(UNLIMITED));
    let since = Since::now(stage);
    stage.end_backup(stage.start_backup(&storage)?).await?;
    took(stage, &since, &storage)
}

async fn host(stage: &Stage) -> Result<Took> {
    let storage = stage.storage(Some(UNLIMITED));
    let host = stage.host(&storage).await?;
    let since = Since::now(stage);
    stage.night(&host, &storage, 0).await?;
    took(stage, &since, &storage)
}

fn took(stage: &Stage, since: &Since, storage: &Storage) -> Result<Took> {
    let whole = since.elapsed().as_secs_f64();
    let objects = object_phase(&since.requests(stage)).ok_or("no object was backed up")?.as_secs_f64();
    let stored = storage.account.blobs("backups").iter().filter(|name| name.contains("objects/")).count();
    if stored < stage.listed() / 2 {
        return Err(format!("only {stored} objects were stored").into());
    }
    Ok(Took { whole, objects })
}
