//! What a drill forecasts for the whole vault, against the restore of the whole vault.

use std::{process::Stdio, time::Duration};

use keyvault_backup_emulator::{RestoreLimits, SecretSpec, Service};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    Result,
    restore::{backed_up, end, object_phase, start},
    size::Size,
    stage::{PRODUCT, Since, Stage, Storage},
    table::{Table, Target},
};

/// How long a vault takes to answer, as in a cloud region.
const LATENCY: Duration = Duration::from_millis(20);

/// The secret that declares a drill vault.
const DECLARED: &str = "keyvault-backup-drill-vault";

/// Drills a vault of a thousand objects of every kind, then restores all of it, both at the service's limits.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [secrets, keys, certificates] = size.drill;
    let stage = Stage::with_each(size.drill).await?;
    let mut storage = backed_up(&stage).await?;
    storage.env.retain(|(name, _)| !name.starts_with("KEYVAULT_BACKUP_RESTORE_"));
    stage.azure.knobs().set_latency(Service::Vault, LATENCY);
    stage.azure.knobs().set_restore_limits(RestoreLimits::documented());
    let drilled = drill(&stage, &storage).await?;
    let forecast =
        drilled["whole"]["rtoSeconds"].as_f64().ok_or_else(|| format!("nothing is forecast: {drilled}"))?;
    let target = stage.azure.vault("kv-whole");
    let since = Since::now(&stage);
    end(start(&stage, &storage, &target)?).await?;
    let took = object_phase(&since.requests(&stage))?;
    let what = format!("forecast of a drill, {secrets} secrets, {keys} keys, {certificates} certificates");
    table.ratio(
        format!("{what}, against their restore"),
        format!("{forecast:.1} s of {took:.1}"),
        forecast / took,
        Target::Most(1.15),
    );
    table.ratio(
        "their restore against the forecast",
        format!("{took:.1} s of {forecast:.1}"),
        took / forecast,
        Target::Most(1.15),
    );
    Ok(())
}

/// A drill at a terminal, as JSON.
async fn drill(stage: &Stage, storage: &Storage) -> Result<Value> {
    let vault = stage.azure.vault("kv-drill");
    vault.put_secret(DECLARED, SecretSpec::new("declared"));
    let source = stage.vault.url();
    let name = source.trim_start_matches("https://").split('.').next().unwrap_or_default();
    let declared = ("KEYVAULT_BACKUP_DRILL_VAULTS".to_owned(), format!("{name}={}", vault.url()));
    let mut command = Command::new(PRODUCT);
    command.args(["drill", "run", "--vault", &source, "--output", "json"]);
    command.env_clear().envs(storage.env.iter().cloned().chain([declared]));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout)?)
    } else {
        Err(format!("the drill failed: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
