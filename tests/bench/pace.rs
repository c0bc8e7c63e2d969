//! How a vault's limit is used and kept.

use keyvault_backup_emulator::{Entry, RateLimit};

use crate::{
    Result,
    size::Size,
    stage::{Since, Stage, to_vault},
    table::{Table, Target},
};

/// The limit of a real vault: 4,000 requests in ten seconds.
const LIMIT: usize = 400;

/// Backs up a vault that has a limit, with the settings as they are delivered.
#[expect(clippy::cast_precision_loss, reason = "a few thousand requests")]
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let stage = Stage::with(size.pace).await?;
    stage.azure.knobs().set_rate_limit(RateLimit { requests_per_second: LIMIT, retry_after: None });
    let storage = stage.storage(None);
    let since = Since::now(&stage);
    let numbers = stage.end_backup(stage.start_backup(&storage)?).await?;
    let requests = since.requests(&stage);
    let requests: Vec<&Entry> = requests.iter().filter(|entry| to_vault(entry)).collect();
    let refused = requests.iter().filter(|entry| entry.status == 429).count();
    let (Some(first), Some(last)) = (requests.first(), requests.last()) else {
        return Err("the vault was not called".into());
    };
    let seconds = (last.at - first.at).as_seconds_f64();
    let served = requests.len() - refused;
    let used = served as f64 / (LIMIT as f64 * seconds);
    let measured = format!("{served} requests in {seconds:.1} s");
    table.ratio(format!("use of a limit of {LIMIT}/s"), measured, used, Target::Least(0.95));
    let measured = format!("{refused} of {} requests", requests.len());
    let share = refused as f64 / requests.len() as f64;
    table.ratio("of these, refused with 429", measured, share, Target::Most(0.02));
    let failed = numbers["failed"].as_f64().unwrap_or(f64::MAX);
    table.figure("of these, objects that failed", "", failed, "", Target::Most(0.0));
    Ok(())
}
