//! Records of retention: what was done about points, and second copies of manifests.

use std::collections::{BTreeMap, HashSet};

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, codec, layout};
use crate::{
    azure::container::{Container, Listing, Metadata, Version, Written},
    domain::{
        hsm::HsmBackup,
        object::{ObjectId, ObjectKind},
        retention::{Drop, DroppedBlob, Mark},
        run::RunId,
        source::{SourceKind, SourceName},
    },
    error::{Result, damaged},
};

/// Names per listing request.
const PAGE: u16 = 5000;

/// The metadata of a mark.
pub(super) const MARK: &str = "mark";

fn marked(mark: Mark) -> Metadata {
    [(MARK.to_owned(), mark.to_string())].into()
}

/// What retention did about the points of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<RunId, Marked>);

/// The newest mark of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its number.
    pub number: u32,
    /// What it says.
    pub mark: Mark,
    /// When it was written, by storage's clock.
    pub stored: Option<OffsetDateTime>,
}

impl Marks {
    /// Whether the point that a run left must not be offered.
    pub fn hides(&self, run: &RunId) -> bool {
        self.0.get(run).is_some_and(|marked| marked.mark.hides())
    }

    /// Whether the point was let go and nothing of it is deleted, so that it may be offered again.
    pub fn is_dropped(&self, run: &RunId) -> bool {
        self.0.get(run).is_some_and(|marked| marked.mark == Mark::Dropped)
    }

    /// The points of which something is still to be deleted.
    pub fn pending(&self) -> impl Iterator<Item = (&RunId, Marked)> {
        self.0.iter().filter(|(_, marked)| marked.mark.is_pending()).map(|(run, marked)| (run, *marked))
    }

    /// When the mark was stored that everything of a point is deleted, if that is its newest.
    pub fn swept(&self, run: &RunId) -> Option<OffsetDateTime> {
        self.0.get(run).filter(|marked| marked.mark == Mark::Swept)?.stored
    }

    /// The number of the next mark of a point.
    pub fn next(&self, run: &RunId) -> u32 {
        self.0.get(run).map_or(1, |marked| marked.number + 1)
    }
}

impl Catalogue {
    /// What retention did about the points of a source. One request for each 5,000 marks. In the second place that is what its
    /// owners let go there: what the first place let go hides nothing.
    pub async fn marks(&self, kind: SourceKind, source: &SourceName) -> Result<Marks> {
        self.marks_under(self.own(&layout::marks(kind, source))).await
    }

    /// In the second place, what retention of the first one did about the points of a source, as far as that was copied. When a
    /// mark was stored is when it arrived.
    pub async fn marks_of_first(&self, kind: SourceKind, source: &SourceName) -> Result<Marks> {
        self.marks_under(layout::marks(kind, source)).await
    }

    async fn marks_under(&self, prefix: String) -> Result<Marks> {
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut marks = Marks::default();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let Some((run, number)) = layout::parse_mark(&prefix, &item.name) else { continue };
                // A newer program may know more marks. Such a point is not offered, and nothing of it is deleted.
                let mark = item.metadata.get(MARK).and_then(|mark| mark.parse().ok()).unwrap_or(Mark::Swept);
                marks.0.insert(run, Marked { number, mark, stored: item.modified });
            }
        }
        Ok(marks)
    }

    /// Records that a point is let go, with the blobs that go with it. From then on it is not offered. Safe to run
    /// twice: of two records with one number the first stays.
    pub async fn create_drop(&self, number: u32, drop: &Drop, blobs: &[DroppedBlob]) -> Result<Written> {
        let name = self.own(&layout::mark(drop.kind, &drop.source, &drop.run, number));
        let bytes = codec::write_drop(drop, blobs).map_err(|error| damaged(&name, &error))?;
        Ok(self.container.add(&name, bytes, marked(Mark::Dropped)).await?)
    }

    /// Records what happened to a point after its drop. Safe to run twice.
    pub async fn create_mark(
        &self,
        kind: SourceKind,
        source: &SourceName,
        run: &RunId,
        number: u32,
        mark: Mark,
    ) -> Result<Written> {
        let name = self.own(&layout::mark(kind, source, run, number));
        Ok(self.container.add(&name, Vec::new(), marked(mark)).await?)
    }

    /// The newest record of a point's drop up to a number, with the blobs that go with it.
    ///
    /// # Errors
    /// Also if there is none.
    pub async fn drop_record(
        &self,
        kind: SourceKind,
        source: &SourceName,
        run: &RunId,
        number: u32,
    ) -> Result<(Drop, Vec<DroppedBlob>)> {
        for number in (1..=number).rev() {
            let name = self.own(&layout::mark(kind, source, run, number));
            if let Some(bytes) = self.container.read(&name).await?.filter(|bytes| !bytes.is_empty()) {
                return codec::read_drop(&name, bytes);
            }
        }
        Err(damaged(&layout::mark(kind, source, run, number), &"the record of the drop is gone"))
    }

    /// The versions of what a run left beside its manifest, as far as their names are wanted. A page of the listing is
    /// held at a time.
    pub async fn versions_of_run(
        &self,
        vault: &SourceName,
        run: &RunId,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Version>> {
        let pages = self.container.versions(&layout::run(vault, run)).map_ok(|mut page| {
            page.retain(|version| is_wanted(&version.name));
            page
        });
        Ok(pages.try_concat().await?)
    }

    /// The versions of a backup.
    pub async fn versions_of_backup(
        &self,
        vault: &SourceName,
        run: &RunId,
        id: &ObjectId,
    ) -> Result<Vec<Version>> {
        Ok(self.container.versions_of(&layout::object(vault, run, id, layout::Leaf::Backup)).await?)
    }

    /// The name of a backup.
    pub fn name_of_backup(vault: &SourceName, run: &RunId, id: &ObjectId) -> String {
        layout::object(vault, run, id, layout::Leaf::Backup)
    }

    /// The name of the record of a backup of a whole HSM.
    pub fn name_of_hsm_backup(backup: &HsmBackup) -> String {
        layout::hsm_backup(&backup.hsm, backup.opened, &backup.run)
    }

    /// The container, for deletions and listings of versions by names that this catalogue gave.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Stores a second copy of a manifest, from which it can be read after the manifest that it is a change of is gone.
    /// Safe to run twice.
    pub async fn copy_manifest(&self, vault: &SourceName, manifest: &str) -> Result<()> {
        let Some(copy) = layout::copy(vault, manifest) else { return Ok(()) };
        if self.container.metadata(&copy).await?.is_some() {
            return Ok(());
        }
        let bytes = self.manifest_bytes(manifest).await?;
        self.container.add(&copy, bytes.to_vec(), Metadata::new()).await?;
        Ok(())
    }

    /// Whether a name is that of a record of a run that goes with its point: its plan, a supplement, or an outcome.
    pub fn is_record_of(vault: &SourceName, run: &RunId, name: &str) -> bool {
        let supplement = |kind| layout::supplement(vault, run, kind) == name;
        let outcome = layout::parse_object(&layout::objects(vault, run), name);
        layout::plan(vault, run) == name
            || ObjectKind::ALL.into_iter().any(supplement)
            || outcome.is_some_and(|(_, leaf)| leaf == layout::Leaf::Outcome)
    }

    /// The prefix of everything that the runs of a vault left.
    pub fn prefix_of(vault: &SourceName) -> String {
        layout::vault(vault)
    }

    /// The run that left a blob of a vault, and whose backup it is, if it is one.
    pub fn run_of(vault: &SourceName, name: &str) -> Option<(RunId, Option<ObjectId>)> {
        if let Some(run) = layout::parse_manifest(&layout::manifests(vault), name) {
            return Some((run, None));
        }
        let run = layout::parse_run(&layout::runs(vault), name)?;
        let object = layout::parse_object(&layout::objects(vault, &run), name);
        Some((run, object.filter(|(_, leaf)| *leaf == layout::Leaf::Backup).map(|(id, _)| id)))
    }

    /// Whether a name is that of the manifest of a run, or of its second copy.
    pub fn is_manifest_of(vault: &SourceName, run: &RunId, name: &str) -> bool {
        let own = layout::parse_manifest(&layout::manifests(vault), name);
        let copy = layout::parse_manifest(&layout::copies(vault), name);
        own.or(copy).is_some_and(|of| of == *run)
    }

    /// The manifests of a vault that were written again in storage: what they say now is not what their runs left.
    pub async fn overwritten_manifests(&self, vault: &SourceName) -> Result<HashSet<String>> {
        let versions: Vec<Version> = self.container.versions(&layout::manifests(vault)).try_concat().await?;
        let again = versions.windows(2).filter(|pair| pair[0].name == pair[1].name);
        Ok(again.map(|pair| pair[0].name.clone()).collect())
    }

    /// When a manifest's run was planned, by the manifest's name.
    pub fn planned_by_name(vault: &SourceName, manifest: &str) -> Option<OffsetDateTime> {
        layout::planned(vault, manifest)
    }

    /// Whether a name is that of a manifest.
    pub fn is_manifest(name: &str) -> bool {
        layout::parse_manifest_name(name).is_some()
    }

    /// When the newest pass of retention ended well for every source; `None` if there was none. One request.
    pub async fn last_retention(&self) -> Result<Option<OffsetDateTime>> {
        let listing = Listing { prefix: layout::PASSES, from: None, page: 1, metadata: false };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let first = pages.try_next().await?.and_then(|page| page.into_iter().next());
        Ok(first.and_then(|item| layout::pass_time(&item.name)))
    }

    /// Records that a pass of retention ended well for every source. Safe to run twice.
    pub async fn note_retention(&self, at: OffsetDateTime) -> Result<Written> {
        Ok(self.container.add(&layout::pass(at), Vec::new(), Metadata::new()).await?)
    }

    /// The versions of a manifest and of its second copy, the manifest's last.
    pub async fn versions_of_manifest(&self, vault: &SourceName, manifest: &str) -> Result<Vec<Version>> {
        let mut versions = match layout::copy(vault, manifest) {
            Some(copy) => self.container.versions_of(&copy).await?,
            None => Vec::new(),
        };
        versions.extend(self.container.versions_of(manifest).await?);
        Ok(versions)
    }
}
