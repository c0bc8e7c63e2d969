//! How fast a vault is restored, how well the pace of restores is used, and how much memory it takes.

pub mod mix;

use std::process::Stdio;

use keyvault_backup_emulator::{Entry, Operation, VaultHandle};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    Result, bare,
    memory::{LOOK, mebibytes},
    size::Size,
    stage::{PRODUCT, Since, Stage, Storage, UNLIMITED},
    table::{Table, Target},
};

/// Objects at once from the command line.
const AT_ONCE: usize = 64;

/// The pace of secrets as it is delivered: the service's limit for creating them, in ten seconds.
const PACE: f64 = 300.0;

/// Measures restores into empty vaults.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    speed(table, size).await?;
    pace(table, size).await?;
    memory(table, size).await
}

/// A vault of so many objects and its backup.
pub async fn backed_up(stage: &Stage) -> Result<Storage> {
    let mut storage = stage.storage(Some(UNLIMITED));
    stage.end_backup(stage.start_backup(&storage)?).await?;
    let off = [("KEYVAULT_BACKUP_RESTORE_SECRETS", UNLIMITED), ("KEYVAULT_BACKUP_RESTORE_KEYS", UNLIMITED)];
    storage.env.extend(off.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(storage)
}

pub fn start(stage: &Stage, storage: &Storage, target: &VaultHandle) -> Result<Child> {
    let (source, target) = (stage.vault.url(), target.url());
    let arguments = ["restore", "--vault", &source, "--into", &target, "--all", "--yes", "--output", "json"];
    let mut command = Command::new(PRODUCT);
    command.args(arguments).env_clear().envs(storage.env.iter().cloned());
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
}

/// Waits for the end and returns how many objects were restored. Anything but complete success is an error.
pub async fn end(restore: Child) -> Result<usize> {
    let output = restore.wait_with_output().await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let restored = report["numbers"]["restored"].as_u64().unwrap_or_default();
    if output.status.success() {
        Ok(usize::try_from(restored)?)
    } else {
        Err("objects were not restored".into())
    }
}

/// From the first restore to the last outcome.
pub fn object_phase(requests: &[Entry]) -> Result<f64> {
    let first = requests.iter().find(|entry| entry.operation == Operation::Restore);
    let last = requests.iter().rev().find(|entry| entry.operation == Operation::Restore);
    let (Some(first), Some(last)) = (first, last) else { return Err("nothing was restored".into()) };
    Ok((last.at + last.duration - first.at).as_seconds_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand objects")]
async fn speed(table: &mut Table, size: &Size) -> Result<()> {
    let stage = Stage::with(size.restore).await?;
    let storage = backed_up(&stage).await?;
    let mut pairs = Vec::new();
    for pair in 0..size.busy_pairs {
        let target = stage.azure.vault(&format!("kv-bare-{pair}"));
        let since = Since::now(&stage);
        let ended = bare::start_restore(&storage, &target.url(), AT_ONCE)?.wait().await?;
        if !ended.success() || target.snapshot() != stage.vault.snapshot() {
            return Err("the bare client did not restore everything".into());
        }
        let ceiling = object_phase(&since.requests(&stage))?;
        let target = stage.azure.vault(&format!("kv-copy-{pair}"));
        let since = Since::now(&stage);
        let restored = end(start(&stage, &storage, &target)?).await?;
        let whole = since.elapsed().as_secs_f64();
        pairs.push((ceiling, object_phase(&since.requests(&stage))?, whole, restored as f64));
    }
    pairs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (ceiling, objects, whole, restored) = pairs[pairs.len() / 2];
    let measured = format!("{:.0} objects/s of {:.0}", restored / objects, restored / ceiling);
    table.ratio(
        format!("restore of {restored} objects, {AT_ONCE} at once, no pace"),
        measured,
        ceiling / objects,
        Target::Least(0.8),
    );
    let measured = format!("{:.0} objects/s of {:.0}", restored / whole, restored / ceiling);
    table.ratio("the same, with start, plan, records, audit", measured, ceiling / whole, Target::None);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred objects")]
async fn pace(table: &mut Table, size: &Size) -> Result<()> {
    let stage = Stage::with_secrets(size.restore_pace).await?;
    let mut storage = backed_up(&stage).await?;
    storage.env.retain(|(name, _)| !name.starts_with("KEYVAULT_BACKUP_RESTORE_"));
    let target = stage.azure.vault("kv-paced");
    let since = Since::now(&stage);
    let restored = end(start(&stage, &storage, &target)?).await? as f64;
    let seconds = object_phase(&since.requests(&stage))?;
    let measured = format!("{restored} secrets in {seconds:.1} s");
    let used = restored / (seconds * PACE / 10.0);
    table.ratio("use of the pace of 300 secrets in 10 s", measured, used, Target::Least(0.95));
    Ok(())
}

async fn memory(table: &mut Table, size: &Size) -> Result<()> {
    let mut peaks = Vec::new();
    for objects in size.restore_memory {
        let stage = Stage::with(objects).await?;
        let storage = backed_up(&stage).await?;
        let target = stage.azure.vault("kv-copy");
        let restore = start(&stage, &storage, &target)?;
        let pid = restore.id().ok_or("the restore has ended")?;
        let mut end = Box::pin(end(restore));
        let mut peak = 0.0;
        loop {
            tokio::select! {
                ended = &mut end => {
                    ended?;
                    break;
                }
                () = sleep(LOOK) => peak = mebibytes(pid, "VmHWM").unwrap_or(peak),
            }
        }
        table.figure(
            format!("peak memory of a restore of {objects} objects"),
            "",
            peak,
            " MiB",
            Target::Most(64.0),
        );
        peaks.push(peak);
    }
    let measured = format!("{:.1} MiB against {:.1} MiB", peaks[1], peaks[0]);
    table.ratio("large restore against small restore", measured, peaks[1] / peaks[0], Target::Most(1.2));
    Ok(())
}
