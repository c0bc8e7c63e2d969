//! The second place as a catalogue: what it lacks of the first one, and copying it, blob by blob.

mod compare;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use azure_core::Bytes;
use time::OffsetDateTime;

use self::compare::{Comparison, shown};
use futures::{TryStreamExt as _, pin_mut};

use super::{Catalogue, ManifestReader, ManifestRef, RESULTS_PAGE, layout};
use crate::{
    azure::{
        container::{Item, Listing, Metadata, Transfer, Written},
        error::Meaning,
    },
    domain::{
        object::ObjectId,
        run::RunId,
        second::{Beside, is_settled},
        source::{SourceKind, SourceName},
    },
    error::{Result, damaged},
};

pub use super::layout::Room;

/// Records per listing request. Their metadata is smaller than that of backups.
const RECORDS_PAGE: u16 = 500;

/// The largest blob that is read whole to copy it; so small are almost all backups of objects. A larger one is copied by storage
/// itself, or piece by piece, so that no pass holds much however many blobs it copies at a time.
const WHOLE: u64 = 4 * 1024 * 1024;

/// Two catalogues, and the time before which a blob was written that is copied from the first into the second.
pub struct Places<'a> {
    first: &'a Catalogue,
    second: &'a Catalogue,
    /// For what is too large to be read whole.
    transfer: Transfer,
    began: OffsetDateTime,
}

/// What a comparison of one part of both places shows.
#[derive(Debug, Default)]
pub struct Compared {
    /// The names that only the first place has, in the order in which they are to be copied.
    pub missing: Vec<Missing>,
    /// The names of which the second place has something else.
    pub differ: Vec<String>,
    /// The names that either place has.
    pub names: BTreeSet<String>,
}

/// A blob that the second place lacks.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Its name.
    pub name: String,
    written: Option<OffsetDateTime>,
    bytes: u64,
    /// Its state and its sum, by which storage copies it.
    state: (Option<String>, Option<String>),
}

impl Missing {
    /// The blob as a listing showed it, without metadata.
    fn item(&self) -> Item {
        let (etag, md5) = self.state.clone();
        let (name, metadata) = (self.name.clone(), Metadata::new());
        Item { name, metadata, bytes: self.bytes, modified: self.written, etag, md5, version: None }
    }
}

/// A manifest that the second place lacks.
#[derive(Clone, Debug)]
pub struct MissingPoint {
    /// The manifest's name.
    pub name: String,
    /// Its run.
    pub run: RunId,
}

/// The manifests of a vault in both places.
#[derive(Debug, Default)]
pub struct PointsBeside {
    /// Those that the second place lacks, the oldest first.
    pub missing: Vec<MissingPoint>,
    /// The runs that are complete in the second place: their manifests are there, which are copied last.
    pub whole: BTreeSet<RunId>,
    /// The other blobs in that part that the second place lacks: decisions to forget.
    pub beside: Vec<Missing>,
    /// The manifests that are not the same.
    pub differ: Vec<String>,
}

/// A manifest of the first place, as it is stored.
pub struct PointToCopy {
    bytes: Bytes,
    metadata: Metadata,
    /// The backups that it names, by the run that took them.
    pub named: BTreeMap<RunId, BTreeSet<ObjectId>>,
}

impl<'a> Places<'a> {
    /// The two places for a pass that begins now, and how large blobs get from the one into the other.
    pub const fn new(
        first: &'a Catalogue,
        second: &'a Catalogue,
        transfer: Transfer,
        began: OffsetDateTime,
    ) -> Self {
        Self { first, second, transfer, began }
    }

    /// The manifests of a vault in both places. One request in each for 500 of them.
    pub async fn points(&self, vault: &SourceName) -> Result<PointsBeside> {
        let prefix = layout::manifests(vault);
        let mut found = PointsBeside::default();
        let mut both = self.comparison(&prefix, RECORDS_PAGE);
        while let Some((beside, item)) = both.next().await? {
            let run = layout::parse_manifest(&prefix, &item.name);
            match (beside, run) {
                (Beside::Missing, _) if !is_settled(item.modified, self.began) => {}
                (Beside::Missing, Some(run)) => found.missing.push(MissingPoint { name: item.name, run }),
                (Beside::Missing, None) => found.beside.push(item.into()),
                (Beside::Same | Beside::Kept, Some(run)) => drop(found.whole.insert(run)),
                (Beside::Same | Beside::Kept, None) => {}
                (Beside::Differs, _) => found.differ.push(item.name),
            }
        }
        // The newest comes first in the listing.
        found.missing.reverse();
        Ok(found)
    }

    /// Reads a manifest of the first place with what it names; `None` if it is gone.
    ///
    /// # Errors
    /// Also if it is damaged: then it is not known what it names.
    pub async fn point(&self, name: &str) -> Result<Option<PointToCopy>> {
        let Some((bytes, metadata)) = self.first.container.read_with_metadata(name).await? else {
            return Ok(None);
        };
        let mut named: BTreeMap<RunId, BTreeSet<ObjectId>> = BTreeMap::new();
        for line in ManifestReader::new(name, bytes.clone())? {
            let line = line?;
            for entry in line.entry.iter().chain(line.former.as_deref()) {
                named.entry(entry.run.clone()).or_default().insert(entry.id());
            }
        }
        Ok(Some(PointToCopy { bytes, metadata, named }))
    }

    /// Which of the backups that a point names and that no place has are gone for a reason that is on record: people forgot the
    /// object. `None` if retention has let the point itself go.
    pub async fn unexplained(
        &self,
        vault: &SourceName,
        run: &RunId,
        lacking: Vec<ObjectId>,
    ) -> Result<Option<Vec<ObjectId>>> {
        if self.first.marks(SourceKind::Vault, vault).await?.hides(run) {
            return Ok(None);
        }
        let forgotten = self.first.forgotten(vault).await?;
        Ok(Some(lacking.into_iter().filter(|id| forgotten.until(id).is_none()).collect()))
    }

    /// Copies a manifest. The caller has seen that everything is in the second place that it names.
    pub async fn copy_point(&self, name: &str, point: PointToCopy) -> Result<u64> {
        self.put(name, point.bytes, point.metadata).await
    }

    /// Compares what a run left beside its manifest, in both places. One request in each for 128 objects.
    pub async fn run(&self, vault: &SourceName, run: &RunId) -> Result<Compared> {
        self.compare(&layout::run(vault, run), RESULTS_PAGE, |_| true).await
    }

    /// Compares the second copies of a vault's manifests.
    pub async fn copies(&self, vault: &SourceName) -> Result<Compared> {
        self.compare(&layout::copies(vault), RECORDS_PAGE, |_| true).await
    }

    /// The folders of a room of records, whose records are copied one folder after the other. Those of the audit trail are days
    /// of one right, so that no more records are held at a time.
    pub async fn folders(&self, room: Room) -> Result<Vec<String>> {
        let prefixes = room.prefixes().iter().map(|&prefix| prefix.to_owned());
        if room != Room::Trail {
            return Ok(prefixes.collect());
        }
        let mut folders = Vec::new();
        for prefix in prefixes {
            for right in self.inner(&prefix).await? {
                let days = self.inner(&right).await?;
                // The days of older programs have no rights above them.
                if days.is_empty() { folders.push(right) } else { folders.extend(days) }
            }
        }
        Ok(folders)
    }

    /// The folders directly under a prefix. One request each.
    async fn inner(&self, prefix: &str) -> Result<Vec<String>> {
        let parts = self.first.first_parts(prefix).await?;
        Ok(parts.into_iter().map(|part| format!("{prefix}{part}/")).collect())
    }

    /// Compares a folder of records, those that were written first coming first.
    pub async fn records(&self, folder: &str) -> Result<Compared> {
        let mut found = self.compare(folder, RECORDS_PAGE, |name| !layout::is_copy(name)).await?;
        found.missing.sort_by(|a, b| (a.written, &a.name).cmp(&(b.written, &b.name)));
        Ok(found)
    }

    /// Copies a blob, whole or not at all, with its metadata, and returns its size; `None` if the first place has let it go. Safe to run twice.
    ///
    /// # Errors
    /// Also if the second place has something else by that name: nothing is ever changed there.
    pub async fn copy(&self, of: &Missing) -> Result<Option<u64>> {
        if of.bytes > WHOLE {
            return self.copy_large(of).await;
        }
        let Some((bytes, metadata)) = self.first.container.read_with_metadata(&of.name).await? else {
            return Ok(None);
        };
        self.put(&of.name, bytes, metadata).await.map(Some)
    }

    /// Whether it was copied before is seen in a listing: nobody compares gigabytes.
    async fn copy_large(&self, of: &Missing) -> Result<Option<u64>> {
        let Some(metadata) = self.first.container.metadata(&of.name).await? else { return Ok(None) };
        let item = of.item();
        let copied = match self.transfer.blob(&item, &of.name, metadata.clone()).await {
            // Let go since its metadata was read.
            Err(error) if error.meaning == Meaning::NotFound => return Ok(None),
            copied => copied?,
        };
        if copied == Written::AlreadyThere {
            let listing = Listing { prefix: &of.name, from: None, page: 1, metadata: true };
            let pages = self.second.container.list(listing);
            pin_mut!(pages);
            let there = pages.try_next().await?.and_then(|page| page.into_iter().next());
            let wanted = Item { metadata, ..item };
            if Beside::of(Some(shown(&wanted)), there.as_ref().map(shown)) != Some(Beside::Same) {
                return Err(damaged(&of.name, &DIFFERS));
            }
        }
        Ok(Some(of.bytes))
    }

    async fn put(&self, name: &str, bytes: Bytes, metadata: Metadata) -> Result<u64> {
        let size = bytes.len() as u64;
        match self.second.container.add(name, bytes.into(), metadata).await? {
            Written::Created => Ok(size),
            Written::AlreadyThere => Err(damaged(name, &DIFFERS)),
        }
    }

    /// How far the second place is with a vault: when the newest point was planned that it has, and when the earliest of those
    /// was written that are newer and only in the first place. One request in each place, almost always.
    pub async fn newest(
        &self,
        vault: &SourceName,
    ) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
        let newest = self.second.newest_manifests(vault, |_| true).await?.pop();
        let is_newer = |found: &ManifestRef| newest.as_ref().is_none_or(|newest| found.name < newest.name);
        let found = self.first.newest_manifests(vault, |found| !found.last().is_some_and(is_newer)).await?;
        let since = found.iter().rev().filter(|found| is_newer(found)).find_map(|found| found.stored);
        Ok((newest.and_then(|newest| layout::planned(vault, &newest.name)), since))
    }

    /// The same with a Managed HSM: of its points, the copies of its backups, which alone can be brought back from there. One
    /// request in each place for 5,000 of them.
    pub async fn newest_copy(
        &self,
        hsm: &SourceName,
    ) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
        let (first, second) =
            futures::try_join!(self.first.times_of_copies(hsm), self.second.times_of_copies(hsm))?;
        let newest = second.iter().map(|(opened, _)| *opened).max();
        let newer = first.into_iter().filter(|(opened, _)| Some(*opened) > newest);
        Ok((newest, newer.filter_map(|(_, stored)| stored).min()))
    }

    /// Of how many points of a vault that are there something was lacking when they were copied. One request, and as many as it takes to
    /// list the points if there is any.
    pub async fn lacking(&self, vault: &SourceName) -> Result<usize> {
        let lacking = self.second.lacking(vault).await?;
        if lacking.is_empty() {
            return Ok(0);
        }
        let (points, marks) = futures::try_join!(
            self.second.newest_manifests(vault, |_| false),
            self.second.marks(SourceKind::Vault, vault)
        )?;
        let is_there = |point: &&ManifestRef| lacking.contains_key(&point.run) && !marks.hides(&point.run);
        Ok(points.iter().filter(is_there).count())
    }

    async fn compare(&self, prefix: &str, page: u16, takes: impl Fn(&str) -> bool) -> Result<Compared> {
        let mut found = Compared::default();
        let mut both = self.comparison(prefix, page);
        while let Some((beside, item)) = both.next().await? {
            if !takes(&item.name) || (beside == Beside::Missing && !is_settled(item.modified, self.began)) {
                continue;
            }
            found.names.insert(item.name.clone());
            match beside {
                Beside::Missing => found.missing.push(item.into()),
                Beside::Differs => found.differ.push(item.name),
                Beside::Same | Beside::Kept => {}
            }
        }
        Ok(found)
    }

    fn comparison(&self, prefix: &str, page: u16) -> Comparison {
        let listing = Listing { prefix, from: None, page, metadata: true };
        Comparison::new(self.first.container.list(listing), self.second.container.list(listing))
    }
}

/// What is said of a blob that the second place has otherwise.
pub const DIFFERS: &str = "the second place has something else by that name, which stays as it is";

/// The objects whose backups are not among the names that a run has stored.
pub fn lacking(
    vault: &SourceName,
    run: &RunId,
    named: &BTreeSet<ObjectId>,
    stored: &BTreeSet<String>,
) -> Vec<ObjectId> {
    let is_there = |id: &&ObjectId| stored.contains(&Catalogue::name_of_backup(vault, run, id));
    named.iter().filter(|id| !is_there(id)).cloned().collect()
}

impl From<Item> for Missing {
    fn from(item: Item) -> Self {
        // Of the many small ones it is not needed.
        let state = if item.bytes > WHOLE { (item.etag, item.md5) } else { (None, None) };
        Self { name: item.name, written: item.modified, bytes: item.bytes, state }
    }
}
