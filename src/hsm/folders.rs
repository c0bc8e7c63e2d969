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
    domain::{
        hsm::{Contents, Fit, Folder},
        source::SourceName,
    },
    error::{Error, Result},
};

const PAGE: u16 = 5000;

/// Upper bound on the recorded backups whose folders are excluded from a search.
const KNOWN: usize = 50;

/// The folder at a path with its current contents. `None` when the container holds nothing there.
pub(super) async fn at(app: &App, path: &str) -> Result<Option<Folder>> {
    let prefix = format!("{path}/");
    let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: false };
    let pages = app.hsms().container()?.list(listing);
    pin_mut!(pages);
    let mut folder = empty(path, FolderName::parse(path).map(|name| name.time()));
    while let Some(page) = pages.try_next().await? {
        for item in &page {
            add(&mut folder, item);
        }
    }
    Ok(Some(folder).filter(|folder| folder.blobs > 0))
}

/// The current contents of a backup's folder. If the container refuses this program, they count as not seen: the HSM
/// reads the container under an identity of its own.
pub async fn contents(app: &App, recorded: &Folder) -> Result<Contents> {
    match at(app, &recorded.path).await {
        Ok(found) => Ok(Contents::of(recorded, found.as_ref())),
        Err(Error::Service(error)) => match error.meaning {
            Meaning::NotFound => Ok(Contents::of(recorded, None)),
            Meaning::Denied | Meaning::Forbidden | Meaning::Unauthorized | Meaning::NotSent => {
                Ok(Contents::not_seen(recorded, &error.failure.code))
            }
            _ => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

/// The newest folder of an HSM that fits and belongs to no recorded backup.
pub(super) async fn unknown(app: &App, hsm: &SourceName, fit: Fit) -> Result<Option<Folder>> {
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
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
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
            add(folders.entry(path.to_owned()).or_insert_with(|| empty(path, Some(time))), &item);
        }
    }
    let fits = |folder: &Folder| folder.written.is_none_or(|written| written >= fit.written_since);
    Ok(folders.into_values().filter(fits).max_by_key(|folder| folder.time))
}

/// The folder that a blob lies in, itself under the folders `above` it.
fn folder_of<'a>(blob: &'a str, above: &str) -> Option<&'a str> {
    let end = above.len() + blob.strip_prefix(above)?.find('/')?;
    blob.get(..end)
}

fn empty(path: &str, time: Option<OffsetDateTime>) -> Folder {
    Folder { path: path.to_owned(), uri: None, time, blobs: 0, bytes: 0, written: None }
}

fn add(folder: &mut Folder, item: &Item) {
    folder.blobs = folder.blobs.saturating_add(1);
    folder.bytes += item.bytes;
    folder.written = folder.written.max(item.modified);
}
