//! Objects that have a backup: the newest of each, page by page, and every one of an object.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::{SOURCES_AT_ONCE, hsms, nothing};
use crate::{
    app::App,
    catalogue::{Point, View},
    domain::{
        filter::NameFilter,
        hsm::HsmBackup,
        location::{Apart, Location},
        manifest::Line,
        nothing::{Nothing, Points},
        object::{ObjectId, ObjectKind},
        restore::Selection,
        source::{SourceId, SourceKind, SourceName},
        verification::Readings,
    },
    error::{Error, Result},
};

/// The objects to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only this vault's.
    pub vault: Option<SourceName>,
    /// Only this kind.
    pub kind: Option<ObjectKind>,
    /// Only these names.
    pub name: Option<NameFilter>,
    /// Their backups as of this time.
    pub at: Option<OffsetDateTime>,
}

/// The last object of a page; the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its vault.
    pub vault: SourceName,
    /// The object.
    pub id: ObjectId,
}

/// Some of the objects that have a backup, in the order of vaults and then of objects.
#[derive(Debug)]
pub struct Page {
    /// The objects, each with what differs between its vault's current location and that of the backup.
    pub lines: Vec<(SourceName, Line, Option<Apart>)>,
    /// The newest good backup of each whole HSM. On the first page alone, and only where all kinds and names are
    /// wanted.
    pub hsms: Vec<HsmBackup>,
    /// The range of times as of which each source can be restored, of those that can. On the first page alone.
    pub reaches: Vec<(SourceId, Points)>,
    /// Which backups of each vault were verified.
    pub readings: BTreeMap<SourceName, Readings>,
    /// Where the next page begins, if there is one.
    pub next: Option<Mark>,
}

/// Lists up to `limit` objects after `after`. Consecutive pages hold each object once, even if backups are taken
/// between them.
pub async fn page(app: &App, wanted: &Wanted, after: Option<&Mark>, limit: usize) -> Result<Page> {
    let hsms = if after.is_none() && wanted.kind.is_none() && wanted.name.is_none() {
        hsms::newest_good(app, wanted.vault.as_ref(), wanted.at).await?
    } else {
        Vec::new()
    };
    let reaches = if after.is_none() { reaches(app, wanted.vault.as_ref()).await? } else { Vec::new() };
    let takes = |line: &Line| {
        line.entry.is_some()
            && wanted.kind.is_none_or(|kind| kind == line.kind)
            && wanted.name.as_ref().is_none_or(|name| name.takes(&line.name))
    };
    let (mut lines, mut readings) = (Vec::new(), BTreeMap::new());
    for vault in app.sources() {
        let skipped = wanted.vault.as_ref().is_some_and(|wanted| wanted != vault)
            || after.is_some_and(|after| *vault < after.vault);
        if skipped {
            continue;
        }
        let after = after.filter(|after| after.vault == *vault).map(|after| &after.id);
        let view = app.catalogue()?.view(vault, wanted.at).await?;
        let location = app.catalogue()?.location(vault, &view).await?;
        if !view.is_empty() {
            readings.insert(vault.clone(), app.catalogue()?.readings(vault).await?);
        }
        for line in app.catalogue()?.lines(&view).await? {
            let line = line?;
            if !takes(&line) || after.is_some_and(|after| line.id() <= *after) {
                continue;
            }
            if lines.len() == limit {
                let mark =
                    |(vault, line, _): &(SourceName, Line, _)| Mark { vault: vault.clone(), id: line.id() };
                return Ok(Page { next: lines.last().map(mark), lines, hsms, reaches, readings });
            }
            let apart = line.entry.as_ref().and_then(|entry| entry.location.apart(&location));
            lines.push((vault.clone(), line, apart));
        }
    }
    Ok(Page { lines, hsms, reaches, readings, next: None })
}

/// The range of times as of which each configured source can be restored, of all or of those of one name.
async fn reaches(app: &App, wanted: Option<&SourceName>) -> Result<Vec<(SourceId, Points)>> {
    let catalogue = app.catalogue()?;
    let wanted = |name: &&SourceName| wanted.is_none_or(|wanted| wanted == *name);
    let each = app.sources().into_iter().filter(wanted).map(|name| async move {
        let hsm =
            async { if app.hsms().get(name).is_ok() { catalogue.hsm_points(name).await } else { Ok(None) } };
        let (vault, hsm) = futures::try_join!(catalogue.points(name), hsm)?;
        let of = |kind| move |points| (SourceId { kind, name: name.clone() }, points);
        Ok::<_, Error>(vault.map(of(SourceKind::Vault)).into_iter().chain(hsm.map(of(SourceKind::Hsm))))
    });
    let each: Vec<_> = each.collect();
    let found: Vec<_> = stream::iter(each).buffered(SOURCES_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Every backup of an object, newest first, or why there is none.
#[derive(Debug)]
pub enum History {
    /// The backups; at least one.
    Points {
        /// The backups.
        backups: Vec<Point>,
        /// The range of times as of which the source can be restored.
        reach: Option<Points>,
        /// Which backups of the source were verified.
        readings: Readings,
    },
    /// The vault's index has no such object; this says what it has instead.
    Nothing(Box<Nothing>),
    /// The index has the object, which never had a backup.
    NoBackup,
}

/// Reads every backup of an object.
///
/// # Errors
/// Those of storage, and when the catalogue is damaged.
pub async fn history(app: &App, vault: &SourceName, id: &ObjectId) -> Result<History> {
    let catalogue = app.catalogue()?;
    let (backups, reach) = futures::try_join!(catalogue.history(vault, id), catalogue.points(vault))?;
    if !backups.is_empty() {
        return Ok(History::Points { backups, reach, readings: catalogue.readings(vault).await? });
    }
    let selection = Selection { objects: vec![id.clone()], ..Selection::default() };
    let nothing = nothing::why(app, vault, None, &selection).await?;
    Ok(nothing.map_or(History::NoBackup, |nothing| History::Nothing(Box::new(nothing))))
}

/// The objects of one vault, with or without a backup.
#[derive(Debug)]
pub struct Listing {
    /// The objects.
    pub lines: Vec<Line>,
    readings: Readings,
    view: View,
    is_now: bool,
}

impl Listing {
    /// The objects of a vault as of a time, or now, that are `wanted`.
    ///
    /// # Errors
    /// Those of storage, and when the catalogue is damaged.
    pub async fn read(
        app: &App,
        vault: &SourceName,
        at: Option<OffsetDateTime>,
        wanted: impl Fn(&Line) -> bool,
    ) -> Result<Self> {
        let view = app.catalogue()?.view(vault, at).await?;
        let lines: Result<Vec<_>> = app.catalogue()?.lines(&view).await?.collect();
        let mut lines = lines?;
        lines.retain(wanted);
        let readings = app.catalogue()?.readings(vault).await?;
        Ok(Self { lines, readings, view, is_now: at.is_none() })
    }

    /// When the backup of an object was last read and found to be what was stored, if that is known.
    pub fn verified(&self, line: &Line) -> Option<OffsetDateTime> {
        self.readings.last_good(line.entry.as_ref()?, self.is_now)
    }

    /// The vault's current location, as its newest run knows it.
    ///
    /// # Errors
    /// Those of storage.
    pub async fn location(&self, app: &App, vault: &SourceName) -> Result<Location> {
        app.catalogue()?.location(vault, &self.view).await
    }
}
