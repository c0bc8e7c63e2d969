//! What copying into the second place costs: all nights at first, then one of them, then nothing.

use keyvault_backup_emulator::{StorageHandle, host::Firing};
use time::OffsetDateTime;

use crate::{
    Result,
    retention::{
        Cost,
        catalogue::{Index, keep_versions},
        watched,
    },
    size::Size,
    stage::{CONTAINER, Stage, Storage, UNLIMITED},
    table::Table,
};

/// How long ago the last night was.
const HOURS: time::Duration = time::Duration::hours(3);

const DAY: time::Duration = time::Duration::DAY;

/// Measures passes of the keeper over a vault after so many nights.
pub async fn measure(table: &mut Table, size: &Size) -> Result<()> {
    let [nights, objects] = size.second;
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
    let second = stage.azure.storage("secondstore");
    second.create_container(CONTAINER);
    keep_versions(&second);
    let kept = keeping(&kept, &second);
    let cost = pass(&stage, &kept, now).await?;
    let copied = second.blobs(CONTAINER).len();
    let what = format!("first copy of {nights} nights of {objects} objects, {copied} blobs");
    cost.tell(table, &what, missing(&kept.account, &second) == 0)?;
    let cost = pass(&stage, &kept, now + DAY).await?;
    cost.tell(table, "a pass with nothing new", second.blobs(CONTAINER).len() == copied)?;
    let at = now + DAY * 2 - HOURS;
    stage.azure.clock().set(at);
    index.night(nights, at, &kept.account)?;
    let new = missing(&kept.account, &second);
    let cost = pass(&stage, &kept, now + DAY * 2).await?;
    cost.tell(
        table,
        &format!("a pass after one more night, {new} blobs"),
        missing(&kept.account, &second) == 0,
    )
}

/// How many blobs of the vault the second place lacks.
fn missing(first: &StorageHandle, second: &StorageHandle) -> usize {
    let there: std::collections::BTreeSet<String> = second.blobs(CONTAINER).into_iter().collect();
    let here = first.blobs(CONTAINER).into_iter();
    here.filter(|name| name.starts_with("vaults/") && !there.contains(name)).count()
}

/// A storage with the settings of a keeper that copies.
fn keeping(storage: &Storage, second: &StorageHandle) -> Storage {
    let container = format!("{}/{CONTAINER}", second.blob_url());
    let settings = [
        ("KEYVAULT_BACKUP_ROLE", "keeper"),
        ("KEYVAULT_BACKUP_SECOND_CONTAINER", &container),
        ("COPY_SCHEDULE", "0 15 3 * * *"),
    ];
    let mut env = storage.env.clone();
    env.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Storage { env, account: storage.account.clone() }
}

/// A pass of the keeper, in a process that has done nothing before.
async fn pass(stage: &Stage, storage: &Storage, at: OffsetDateTime) -> Result<Cost> {
    stage.azure.clock().set(at);
    let host = stage.host(storage).await?;
    let pid = host.pid().ok_or("the keeper has ended")?;
    let fire = async {
        let fired = host.fire("CopyBackups", Firing::at(at)).await;
        if fired.succeeded() { Ok(()) } else { Err(format!("the pass failed: {}", fired.body).into()) }
    };
    Ok(watched(stage, pid, fire).await?.1)
}
