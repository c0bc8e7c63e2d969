//! The folders that HSMs leave in their container.

use std::collections::BTreeMap;

use azure_core::http::Url;
use futures::{TryStreamExt as _, pin_mut};
use time::{Duration, OffsetDateTime};

use crate::{
    app::App,
    azure::{
        container::{Container, Listing},
        managed_hsm::FolderName,
    },
    domain::hsm::{Folder, HsmName, fits},
    error::Result,
};

const PAGE: u16 = 5000;

/// How many recorded backups are known as such when a folder is looked for.
const KNOWN: usize = 50;

/// The folder at an address that the service gave, with what the container holds of it. `None` when it holds
/// nothing there.
pub(super) async fn at(app: &App, uri: &Url) -> Result<Option<Folder>> {
    let path = uri.path().trim_matches('/').split_once('/').map_or("", |(_, path)| path);
    let (blobs, bytes) = measure(app.hsms().container()?, path).await?;
    Ok((blobs > 0).then(|| Folder {
        path: path.to_owned(),
        uri: Some(uri.to_string()),
        time: FolderName::parse(path).map(|name| name.time()),
        blobs,
        bytes,
    }))
}

async fn measure(container: &Container, path: &str) -> Result<(u32, u64)> {
    let prefix = format!("{path}/");
    let pages = container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: false });
    pin_mut!(pages);
    let (mut blobs, mut bytes) = (0, 0);
    while let Some(page) = pages.try_next().await? {
        blobs += u32::try_from(page.len()).unwrap_or(u32::MAX);
        bytes += page.iter().map(|item| item.bytes).sum::<u64>();
    }
    Ok((blobs, bytes))
}

/// The newest folder of an HSM that is not older than `since` and is on no record.
pub(super) async fn unknown(app: &App, hsm: &HsmName, since: OffsetDateTime) -> Result<Option<Folder>> {
    let recorded = app.catalogue()?.hsm_backups(hsm, |found| found.len() >= KNOWN).await?;
    let recorded: Vec<_> = recorded.iter().filter_map(|of| Some(of.folder.as_ref()?.path.as_str())).collect();
    let prefix = FolderName::prefix(hsm.as_str());
    let from = format!("{prefix}{}", since.year());
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
            let Some((path, _)) = item.name.split_once('/') else { continue };
            let Some(name) = FolderName::parse(path).filter(|name| name.hsm() == hsm.as_str()) else {
                continue;
            };
            if recorded.contains(&path) || !fits(name.time(), since, Duration::ZERO) {
                continue;
            }
            let folder = folders.entry(path.to_owned()).or_insert_with(|| Folder {
                path: path.to_owned(),
                uri: None,
                time: Some(name.time()),
                blobs: 0,
                bytes: 0,
            });
            folder.blobs += 1;
            folder.bytes += item.bytes;
        }
    }
    Ok(folders.into_values().max_by_key(|folder| folder.time))
}
