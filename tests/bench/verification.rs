//! What a night's verification costs.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::{
    Result,
    retention::{
        catalogue::{Index, VAULT, keep_versions},
        watched,
    },
    size::Size,
    stage::{CONTAINER, PRODUCT, Stage, UNLIMITED},
    table::Table,
};

/// How long ago the last night was.
const HOURS: time::Duration = time::Duration::hours(3);

const DAY: time::Duration = time::Duration::DAY;

/// Measures a verification of the vault after so many nights: presence of all, and the bytes whose turn it is on one day.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [nights, objects] = size.verification;
    let stage = Stage::with_secrets(objects).await?;
    let now = stage.azure.clock().now();
    let first = stage.storage(Some(UNLIMITED));
    stage.end_backup(stage.start_backup(&first)?).await?;
    let kept = stage.storage(None);
    keep_versions(&kept.account);
    let mut index = Index::of(&first.account)?.with_entries();
    for night in 0..nights {
        let at = now - HOURS - DAY * i32::try_from(nights - 1 - night)?;
        stage.azure.clock().set(at);
        index.night(night, at, &kept.account)?;
    }
    stage.azure.clock().set(now);
    let stored = kept.account.blobs(CONTAINER).iter().filter(|name| name.ends_with("/backup")).count();
    let mut command = Command::new(PRODUCT);
    command
        .args(["verify", "--source", VAULT, "--output", "json"])
        .env_clear()
        .envs(kept.env.iter().cloned());
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let pid = command.id().ok_or("the verification has ended")?;
    let end = async move {
        let output = command.wait_with_output().await?;
        Ok(serde_json::from_slice::<Value>(&output.stdout)?)
    };
    let (report, cost) = watched(&stage, pid, end).await?;
    let counts = &report["sources"][0]["counts"];
    let (named, read) = (counts["named"].as_u64(), counts["read"].as_u64().unwrap_or_default());
    let part = 100 * read / u64::try_from(stored)?.max(1);
    let what = format!(
        "verification of {nights} nights of {objects} objects: {read} of {stored} backups read ({part} %)"
    );
    cost.tell(table, &what, named == u64::try_from(objects).ok() && read > 0)
}
