//! What the second night of an unchanged vault costs.

use keyvault_backup_emulator::Operation;

use crate::{
    Result,
    size::Size,
    stage::{Since, Stage, UNLIMITED},
    table::{Table, Target},
};

/// Counts requests against list pages.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let stage = Stage::with(size.night).await?;
    let storage = stage.storage(Some(UNLIMITED));
    let host = stage.host(&storage).await?;
    stage.night(&host, &storage, 0).await?;
    let since = Since::now(&stage);
    stage.night(&host, &storage, 1).await?;
    let requests = since.requests(&stage);
    let lists = [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates];
    let pages = requests.iter().filter(|entry| lists.contains(&entry.operation)).count();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred requests")]
    let ratio = requests.len() as f64 / pages as f64;
    let what = format!("second night of {} unchanged objects", stage.listed());
    table.ratio(what, format!("{} requests for {pages} pages", requests.len()), ratio, Target::Most(1.1));
    Ok(())
}
