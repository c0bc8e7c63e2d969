//! How long the page and the numbers of a large installation take, and how much memory.

use std::{process::Stdio, time::Instant};

use tempfile::tempdir;
use tokio::{process::Command, time::sleep};

use crate::{
    Result,
    memory::{LOOK, mebibytes},
    size::Size,
    stage::{PRODUCT, Stage},
    status::copy,
    table::{Table, Target},
};

/// Backs up one vault, writes its catalogue again for others, and has a terminal write the page and the numbers of all.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [sources, objects] = size.told;
    let stage = Stage::with_secrets(objects).await?;
    let mut storage = stage.storage(None);
    stage.end_backup(stage.start_backup(&storage)?).await?;
    let name = "kv-bench";
    let mut urls = vec![stage.vault.url()];
    for number in 1..sources {
        let other = format!("kv-copy-{number}");
        copy(&storage.account, name, &other)?;
        urls.push(stage.vault.url().replace(name, &other));
    }
    storage.env.retain(|(name, _)| name != "KEYVAULT_BACKUP_VAULTS");
    storage.env.push(("KEYVAULT_BACKUP_VAULTS".to_owned(), urls.join(" ")));
    storage.env.push(("KEYVAULT_BACKUP_RETENTION".to_owned(), "within=30 months=12".to_owned()));
    let folder = tempdir()?;
    let file = folder.path().join("told").display().to_string();
    for (what, arguments, each) in [
        ("page", ["status", "--html", &file], "<article"),
        ("numbers", ["metrics", "--output", &file], "keyvault_backup_source_ok{"),
    ] {
        let (mut took, mut peaks) = (Vec::new(), Vec::new());
        for _ in 0..size.statuses {
            let (seconds, peak) = run(&storage.env, &arguments).await?;
            let found = std::fs::read_to_string(&file)?.matches(each).count();
            if found != sources {
                return Err(format!("{found} sources are told of").into());
            }
            took.push(seconds);
            peaks.push(peak);
        }
        took.sort_by(f64::total_cmp);
        peaks.sort_by(f64::total_cmp);
        let middle = took.len() / 2;
        let what =
            format!("{what} of {sources} vaults of {objects} objects, with start, median of {}", took.len());
        table.figure(what.clone(), "", took[middle], " s", Target::Most(1.0));
        table.figure(format!("peak memory of it: {what}"), "", peaks[middle], " MiB", Target::Most(64.0));
    }
    Ok(())
}

/// The seconds that a command takes, and its peak memory.
async fn run(env: &[(String, String)], arguments: &[&str]) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut command = Command::new(PRODUCT);
    command.args(arguments).env_clear().envs(env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn()?;
    let pid = child.id().ok_or("it has ended")?;
    let mut peak = 0.0;
    loop {
        tokio::select! {
            // 1: not everything is well, as without a timer.
            ended = child.wait() => return match ended?.code() {
                Some(0 | 1) => Ok((began.elapsed().as_secs_f64(), peak)),
                code => Err(format!("{arguments:?} ended with {code:?}").into()),
            },
            () = sleep(LOOK) => peak = mebibytes(pid, "VmHWM").unwrap_or(peak),
        }
    }
}
