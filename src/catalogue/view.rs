//! A vault's index as of now: the newest whole manifest, and what came after it.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::{Duration, OffsetDateTime};

use super::{Catalogue, Lines, ManifestReader, damaged, layout};
use crate::{
    azure::container::{Listing, Metadata},
    domain::{
        index::Index,
        manifest::{Folded, Summary, fold_line},
        object::VaultName,
        plan::PlanHeader,
        run::{RunId, Scope},
    },
    error::Result,
};

/// How long after its planning a run may close. A manifest of this age may have been missed by a newer
/// whole run, which was planned before the older one closed.
const CLOSES_WITHIN: Duration = Duration::hours(26);

/// Manifests a listing request. The newest whole one is almost always among them.
const PAGE: u16 = 100;

/// A manifest, as listing shows it.
#[derive(Clone, Debug)]
pub struct ManifestRef {
    /// The blob's name.
    pub name: String,
    /// The run it speaks of.
    pub run: RunId,
    /// The run as a whole. `None` when the blob has lost its metadata.
    pub summary: Option<Summary>,
}

/// Which manifests make up a vault's index.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The newest whole manifest.
    pub base: Option<ManifestRef>,
    /// Those whose entries may be missing from it.
    pub folds: Vec<ManifestRef>,
}

impl Catalogue {
    /// Manifests of a vault, newest first, until `enough`.
    pub async fn manifests(
        &self,
        vault: &VaultName,
        mut enough: impl FnMut(&[ManifestRef]) -> bool,
    ) -> Result<Vec<ManifestRef>> {
        let prefix = layout::manifests(vault);
        let pages = self.container.list(Listing { prefix: &prefix, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let Some(run) = layout::parse_manifest(&prefix, &item.name) else { continue };
                found.push(ManifestRef { run, summary: summary_of(&item.metadata), name: item.name });
                if enough(&found) {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// The manifests that make up a vault's index now.
    pub async fn view(&self, vault: &VaultName) -> Result<View> {
        let whole = |found: &ManifestRef| {
            found
                .summary
                .as_ref()
                .filter(|summary| summary.scope == Scope::Vault)
                .map(|summary| summary.planned)
        };
        let found = self.manifests(vault, |found| {
            let base = found.iter().find_map(whole);
            let last = found.last().and_then(|last| last.summary.as_ref()).map(|summary| summary.planned);
            base.zip(last).is_some_and(|(base, last)| base - last > CLOSES_WITHIN)
        });
        let mut folds = found.await?;
        let base = folds.iter().position(|found| whole(found).is_some()).map(|at| folds.remove(at));
        if let Some(planned) = base.as_ref().and_then(whole) {
            folds.retain(|found| {
                found.summary.as_ref().is_none_or(|of| planned - of.planned <= CLOSES_WITHIN)
            });
        }
        Ok(View { base, folds })
    }

    /// A vault's index, for planning, and when everything was last backed up.
    pub async fn index(&self, view: &View) -> Result<(Index, Option<OffsetDateTime>)> {
        let mut index = Index::default();
        for line in self.lines(view).await? {
            index.insert(&line?);
        }
        let full_pass =
            view.base.as_ref().and_then(|base| base.summary.as_ref()).map(|summary| summary.full_pass);
        Ok((index, full_pass))
    }

    /// The lines of a vault's index, in order.
    pub async fn lines(&self, view: &View) -> Result<Lines> {
        let Some(base) = &view.base else {
            let folds: Vec<_> = view.folds.iter().map(|fold| fold.name.clone()).collect();
            return self.folded(None, &folds).await;
        };
        let base = self.manifest(&base.name).await?;
        // What the base has folded in needs no second reading.
        let known = |name: &String| {
            let header = base.header();
            header.base.as_ref() == Some(name) || header.folds.contains(name)
        };
        let folds: Vec<_> =
            view.folds.iter().map(|fold| fold.name.clone()).filter(|name| !known(name)).collect();
        self.folded(Some(base), &folds).await
    }

    /// The index that a plan starts from.
    pub(super) async fn before(&self, header: &PlanHeader) -> Result<Lines> {
        if header.scope == Scope::Objects {
            return Ok(Box::new(std::iter::empty()));
        }
        let base = match &header.base {
            Some(name) => Some(self.manifest(name).await?),
            None => None,
        };
        self.folded(base, &header.folds).await
    }

    async fn folded(&self, base: Option<ManifestReader>, folds: &[String]) -> Result<Lines> {
        let mut later = BTreeMap::new();
        for fold in folds {
            for line in self.manifest(fold).await? {
                fold_line(&mut later, line?);
            }
        }
        let planned = base.as_ref().map(|base| base.header().planned);
        let base: Lines = match base {
            Some(base) => Box::new(base),
            None => Box::new(std::iter::empty()),
        };
        Ok(if later.is_empty() { base } else { Box::new(Folded::new(base, later, planned)) })
    }

    /// Opens a manifest by its blob name.
    pub async fn manifest(&self, name: &str) -> Result<ManifestReader> {
        let bytes = self.container.read(name).await?;
        let bytes = bytes.ok_or_else(|| damaged(name, &"it is gone; `rebuild` makes it again"))?;
        ManifestReader::new(name, bytes)
    }
}

pub(super) fn summary_of(metadata: &Metadata) -> Option<Summary> {
    serde_json::from_str(metadata.get("summary")?).ok()
}
