//! The folders that HSMs leave in their container.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use crate::{
    app::App,
    azure::{
        container::{Item, Listing},
        error::Meaning,
        managed_hsm::FolderName,
    },
    catalogue::Catalogue,
    domain::{
        digest::Digest,
        hsm::{Contents, Fit, Folder, FolderBlob, HsmBackup, Inventory},
        source::SourceName,
    },
    error::{Error, Result},
};

const PAGE: u16 = 5000;

/// Upper bound on the recorded backups whose folders are excluded from a search.
const KNOWN: usize = 50;

/// A folder as a listing shows it.
#[derive(Debug)]
pub struct Listed {
    /// What a record has of it.
    pub folder: Folder,
    /// Its blobs, if there are not too many of them.
    pub inventory: Option<Inventory>,
}

/// The folder at a path with its current contents. `None` when the container holds nothing there.
pub(super) async fn at(app: &App, path: &str) -> Result<Option<Listed>> {
    Ok(Some(listed(path, items(app, path).await?)).filter(|listed| listed.folder.blobs > 0))
}

/// The blobs at a path, as storage lists them.
///
/// # Errors
/// Those of storage.
pub async fn items(app: &App, path: &str) -> Result<Vec<Item>> {
    let prefix = format!("{path}/");
    let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: false };
    Ok(app.hsms().container()?.list(listing).try_concat().await?)
}

/// The folder that blobs at a path are.
pub fn listed(path: &str, items: Vec<Item>) -> Listed {
    let mut folder = Growing::at(path, FolderName::parse(path).map(|name| name.time()));
    for item in items {
        folder.add(item);
    }
    folder.listed()
}

/// The current contents of the folder that a backup left. One listing, and if it is not as recorded a read of the record,
/// which has the blobs one by one. `None` if the backup has no folder. If the container refuses this program, they count as
/// not seen: the HSM reads the container under an identity of its own.
pub async fn contents(app: &App, backup: &HsmBackup) -> Result<Option<Contents>> {
    let Some(recorded) = &backup.folder else { return Ok(None) };
    let found = match at(app, &recorded.path).await {
        Ok(found) => found,
        Err(Error::Service(error)) => match error.meaning {
            Meaning::NotFound => None,
            Meaning::Denied | Meaning::Forbidden | Meaning::Unauthorized | Meaning::NotSent => {
                return Ok(Some(Contents::not_seen(recorded, &error.failure.code)));
            }
            _ => return Err(error.into()),
        },
        Err(error) => return Err(error),
    };
    let contents = Contents::of(recorded, found.as_ref().map(|found| &found.folder));
    let now = found.and_then(|found| found.inventory);
    if let (Some(now), true) = (now, recorded.sum.is_some() && contents.state.is_told_by_blobs())
        && let Some(then) = app.catalogue()?.hsm_inventory(backup).await?
    {
        return Ok(Some(contents.with_differences(recorded, &then, &now)));
    }
    Ok(Some(contents))
}

/// How the write-once copy of a backup, of which storage lists these blobs, differs from its record, which has the digest `sum` of
/// what was copied; `None` if it does not. One read, of what is not as recorded.
///
/// # Errors
/// Those of storage.
pub async fn copy_differences(
    catalogue: &Catalogue,
    backup: &HsmBackup,
    sum: &Digest,
    items: Vec<Item>,
) -> Result<Option<String>> {
    let now = listed(&Catalogue::prefix_of_copy(backup), items).inventory;
    if now.as_ref().map(Inventory::digest) == Some(*sum) {
        return Ok(None);
    }
    let text = match (catalogue.copy_inventory(backup, sum).await?, now) {
        (Some(recorded), Some(now)) => recorded.differences(&now, None).text(),
        _ => "it has other blobs than its record says".to_owned(),
    };
    // A listing without an MD5 that the record has is no difference.
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The newest folder of an HSM that fits and belongs to no recorded backup.
pub(super) async fn unknown(app: &App, hsm: &SourceName, fit: Fit) -> Result<Option<Listed>> {
    let recorded = app.catalogue()?.hsm_backups(hsm, |found| found.len() >= KNOWN).await?;
    let above = app.hsms().landing()?.prefix();
    let prefix = format!("{above}{}", FolderName::prefix(hsm.as_str()));
    let from = format!("{prefix}{}", fit.since.year());
    let pages = app.hsms().container()?.list(Listing {
        prefix: &prefix,
        from: Some(&from),
        page: PAGE,
        metadata: false,
    });
    pin_mut!(pages);
    let mut folders: BTreeMap<String, Growing> = BTreeMap::new();
    while let Some(page) = pages.try_next().await? {
        for item in page {
            let Some(path) = folder_of(&item.name, above) else { continue };
            let Some(name) = FolderName::parse(path).filter(|name| name.hsm() == hsm.as_str()) else {
                continue;
            };
            let time = name.time();
            if time < fit.since || recorded.iter().any(|of| of.may_have_left(path, time)) {
                continue;
            }
            let path = path.to_owned();
            let folder = folders.entry(path).or_insert_with_key(|path| Growing::at(path, Some(time)));
            folder.add(item);
        }
    }
    let fits = |of: &Growing| of.folder.written.is_none_or(|written| written >= fit.written_since);
    let newest = folders.into_values().filter(fits).max_by_key(|of| of.folder.time);
    Ok(newest.map(Growing::listed))
}

/// The folder that a blob lies in, itself under the folders `above` it.
fn folder_of<'a>(blob: &'a str, above: &str) -> Option<&'a str> {
    let end = above.len() + blob.strip_prefix(above)?.find('/')?;
    blob.get(..end)
}

/// A folder while it is listed.
struct Growing {
    folder: Folder,
    blobs: Vec<FolderBlob>,
}

impl Growing {
    fn at(path: &str, time: Option<OffsetDateTime>) -> Self {
        let path = path.to_owned();
        let folder = Folder { path, uri: None, time, blobs: 0, bytes: 0, written: None, sum: None };
        Self { folder, blobs: Vec::new() }
    }

    fn add(&mut self, item: Item) {
        let Self { folder, blobs } = self;
        folder.blobs = folder.blobs.saturating_add(1);
        folder.bytes += item.bytes;
        folder.written = folder.written.max(item.modified);
        let name = item.name.strip_prefix(&folder.path).unwrap_or(&item.name);
        let name = name.trim_start_matches('/').to_owned();
        blobs.push(FolderBlob { name, bytes: item.bytes, md5: item.md5, written: item.modified });
    }

    fn listed(self) -> Listed {
        let inventory = Inventory::of(self.blobs);
        let sum = inventory.as_ref().map(Inventory::digest);
        Listed { folder: Folder { sum, ..self.folder }, inventory }
    }
}
