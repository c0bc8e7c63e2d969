//! The most memory that a backup from the command line holds.

use std::{fs, time::Duration};

use tokio::time::sleep;

use crate::{
    Result,
    size::Size,
    stage::{Stage, UNLIMITED},
    table::{Table, Target},
};

/// Between two looks. The kernel keeps the peak; only what grows after the last look is missed.
pub const LOOK: Duration = Duration::from_millis(2);

/// Backups of each vault; the median counts. What is in flight at once differs by a MiB or two.
const RUNS: usize = 3;

/// A field of a process's status, in MiB.
pub fn mebibytes(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}

/// Measures a small and a large vault.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let mut peaks = Vec::new();
    for objects in size.memory {
        let peak = median_peak(objects).await?;
        let what = format!("peak memory for {objects} objects, median of {RUNS}");
        table.figure(what, "", peak, " MiB", Target::Most(64.0));
        peaks.push(peak);
    }
    let [small, large] = [peaks[0], peaks[1]];
    let measured = format!("{large:.1} MiB against {small:.1} MiB");
    table.ratio("large vault against small vault", measured, large / small, Target::Most(1.2));
    Ok(())
}

async fn median_peak(objects: usize) -> Result<f64> {
    let stage = Stage::with(objects).await?;
    let mut peaks = [0.0; RUNS];
    for one in &mut peaks {
        *one = peak(&stage).await?;
    }
    peaks.sort_by(f64::total_cmp);
    Ok(peaks[RUNS / 2])
}

async fn peak(stage: &Stage) -> Result<f64> {
    let storage = stage.storage(Some(UNLIMITED));
    let backup = stage.start_backup(&storage)?;
    let pid = backup.id().ok_or("the backup has ended")?;
    let mut end = Box::pin(stage.end_backup(backup));
    let mut peak = 0.0;
    loop {
        tokio::select! {
            ended = &mut end => return ended.map(|_| peak),
            () = sleep(LOOK) => peak = mebibytes(pid, "VmHWM").unwrap_or(peak),
        }
    }
}
