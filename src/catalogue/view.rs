//! A vault's current index: the newest whole manifest and the manifests after it.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, Lines, ManifestReader, Marks, layout};
use crate::{
    azure::container::{Listing, Metadata},
    domain::{
        folded::{Folded, fold_line},
        forgotten::Forgotten,
        location::Location,
        manifest::Summary,
        plan::PlanHeader,
        run::{CLOSES_WITHIN, RunId, Scope},
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// Manifests per listing request. The newest whole one is almost always among them.
const PAGE: u16 = 100;

/// A manifest as a listing shows it.
#[derive(Clone, Debug)]
pub struct ManifestRef {
    /// The blob's name.
    pub name: String,
    /// Its run.
    pub run: RunId,
    /// When it was written, by storage's clock.
    pub stored: Option<OffsetDateTime>,
    /// The run's summary. `None` if the blob has lost its metadata.
    pub summary: Option<Summary>,
}

/// What a listing of a vault's manifests shows.
pub(super) struct Listed {
    pub(super) manifests: Vec<ManifestRef>,
    pub(super) forgotten: Forgotten,
}

/// The manifests that make up a vault's index.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The newest whole manifest.
    pub base: Option<ManifestRef>,
    /// The manifests whose entries may be missing from it.
    pub folds: Vec<ManifestRef>,
    /// The time of the view. Entries of later backups do not count.
    pub at: Option<OffsetDateTime>,
    /// The objects that people forgot, as far as these manifests may have them.
    pub forgotten: Forgotten,
}

/// When the run of a manifest that has a whole vault was planned. A run that was in progress at `at` is folded in as far
/// as it had come.
fn whole(found: &ManifestRef, at: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    let summary = found.summary.as_ref().filter(|summary| summary.scope == Scope::Vault)?;
    at.is_none_or(|at| summary.finished <= at).then_some(summary.planned)
}

/// Whether manifests, newest first, have the newest whole one and all that may not be folded into it.
fn reaches_past_base(found: &[ManifestRef], whole: impl Fn(&ManifestRef) -> Option<OffsetDateTime>) -> bool {
    let base = found.iter().find_map(whole);
    let last = found.last().and_then(|last| last.summary.as_ref()).map(|summary| summary.planned);
    base.zip(last).is_some_and(|(base, last)| base - last > CLOSES_WITHIN)
}

impl View {
    /// Whether manifests, newest first, are enough for [`View::of`] the newest state.
    pub(super) fn is_in(found: &[ManifestRef]) -> bool {
        reaches_past_base(found, |found| whole(found, None))
    }

    /// The view that these manifests, newest first, make up. More than are needed do no harm.
    pub(super) fn of(
        mut manifests: Vec<ManifestRef>,
        forgotten: Forgotten,
        at: Option<OffsetDateTime>,
    ) -> Self {
        let base = manifests.iter().position(|found| whole(found, at).is_some());
        let base = base.map(|found| manifests.remove(found));
        if let Some(planned) = base.as_ref().and_then(|base| whole(base, at)) {
            manifests.retain(|found| {
                found.summary.as_ref().is_none_or(|of| planned - of.planned <= CLOSES_WITHIN)
            });
        }
        Self { base, folds: manifests, at, forgotten }
    }

    /// Whether there was no manifest at that time.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.folds.is_empty()
    }

    /// The vault's location, as far as it was known.
    pub fn location(&self) -> Location {
        let summary = self.base.as_ref().and_then(|base| base.summary.as_ref());
        summary.map(|summary| (*summary.location).clone()).unwrap_or_default()
    }
}

impl Catalogue {
    /// Manifests of a vault, newest first, until `enough`, whether or not retention has let their points go. It never
    /// lets the newest state go, so a search for that alone needs no marks.
    pub async fn newest_manifests(
        &self,
        vault: &SourceName,
        enough: impl FnMut(&[ManifestRef]) -> bool,
    ) -> Result<Vec<ManifestRef>> {
        Ok(self.listed(vault, None, None, enough).await?.manifests)
    }

    /// Manifests of a vault, newest first, until `enough`, without those whose points retention has let go; with `at`,
    /// those of runs planned by then.
    pub async fn manifests(
        &self,
        vault: &SourceName,
        at: Option<OffsetDateTime>,
        enough: impl FnMut(&[ManifestRef]) -> bool,
    ) -> Result<Vec<ManifestRef>> {
        let marks = self.marks(SourceKind::Vault, vault).await?;
        Ok(self.listed(vault, at, Some(&marks), enough).await?.manifests)
    }

    /// Manifests of a vault, newest first, until `enough`, without those that `marks` hides; with `at`, those of runs
    /// planned by then. With them come the decisions to forget an object that lie between them.
    pub(super) async fn listed(
        &self,
        vault: &SourceName,
        at: Option<OffsetDateTime>,
        marks: Option<&Marks>,
        mut enough: impl FnMut(&[ManifestRef]) -> bool,
    ) -> Result<Listed> {
        let prefix = layout::manifests(vault);
        let from = at.map(|at| layout::manifests_from(vault, at));
        let listing = Listing { prefix: &prefix, from: from.as_deref(), page: PAGE, metadata: true };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let (mut found, mut forgotten) = (Vec::new(), Vec::new());
        'pages: while let Some(page) = pages.try_next().await? {
            for item in page {
                forgotten.extend(layout::parse_forgotten(&prefix, &item.name));
                let Some(run) = layout::parse_manifest(&prefix, &item.name) else { continue };
                if from.as_ref().is_some_and(|from| item.name < *from) {
                    continue;
                }
                if marks.is_some_and(|marks| marks.hides(&run)) {
                    continue;
                }
                let (stored, summary) = (item.modified, summary_of(&item.metadata));
                found.push(ManifestRef { run, stored, summary, name: item.name });
                if enough(&found) {
                    break 'pages;
                }
            }
        }
        Ok(Listed { manifests: found, forgotten: forgotten.into_iter().collect() })
    }

    /// The manifests that make up a vault's index, now or as of an earlier time.
    ///
    /// Costs a page or two of a listing, however many manifests there are.
    pub async fn view(&self, vault: &SourceName, at: Option<OffsetDateTime>) -> Result<View> {
        self.view_without(vault, at, &[]).await
    }

    /// [`Catalogue::view`] without the manifests whose names are in `unread`.
    pub(super) async fn view_without(
        &self,
        vault: &SourceName,
        at: Option<OffsetDateTime>,
        unread: &[String],
    ) -> Result<View> {
        // The newest state is never let go, so an ordinary night asks for no marks.
        let is_newest = at.is_none() && unread.is_empty();
        let (marks, earlier) = if is_newest {
            (None, None)
        } else {
            let kind = SourceKind::Vault;
            let both = futures::try_join!(self.marks(kind, vault), self.forgotten(vault))?;
            (Some(both.0), Some(both.1))
        };
        let whole = |found: &ManifestRef| whole(found, at).filter(|_| !unread.contains(&found.name));
        let mut listed =
            self.listed(vault, at, marks.as_ref(), |found| reaches_past_base(found, whole)).await?;
        listed.manifests.retain(|found| !unread.contains(&found.name));
        let forgotten = match earlier {
            Some(earlier) => earlier,
            None => self.forgotten_beside(vault, listed.forgotten).await?,
        };
        Ok(View::of(listed.manifests, forgotten, at))
    }

    /// The names beside the manifests say where to look. What is forgotten is what people recorded, and no app can add
    /// that.
    pub(super) async fn forgotten_beside(&self, vault: &SourceName, names: Forgotten) -> Result<Forgotten> {
        if names.is_empty() { Ok(names) } else { self.forgotten(vault).await }
    }

    /// The lines of a vault's index, in order.
    ///
    /// # Errors
    /// Also if one of its manifests cannot be read: the others would not show what is missing.
    pub async fn lines(&self, view: &View) -> Result<Lines> {
        let (base, folds) = self.open(view).await?;
        Ok(self.folded(base, &folds, view.at, &view.forgotten).await?)
    }

    /// Opens the whole manifest of a view, and names the manifests that it has not folded in itself.
    pub(super) async fn open(&self, view: &View) -> Result<(Option<ManifestReader>, Vec<String>), Unread> {
        let base = self.open_base(view.base.as_ref().map(|base| base.name.as_str())).await?;
        let header = base.as_ref().map(ManifestReader::header);
        let has = |name: &String| header.is_some_and(|header| header.covers(name));
        let folds = view.folds.iter().map(|fold| fold.name.clone()).filter(|name| !has(name)).collect();
        Ok((base, folds))
    }

    async fn open_base(&self, name: Option<&str>) -> Result<Option<ManifestReader>, Unread> {
        let Some(name) = name else { return Ok(None) };
        self.manifest(name).await.map(Some).map_err(|error| Unread::new(name, error))
    }

    /// The index from which a plan starts.
    pub(super) async fn before(&self, header: &PlanHeader) -> Result<Lines> {
        if header.scope == Scope::Objects {
            return Ok(Box::new(std::iter::empty()));
        }
        let base = self.open_base(header.base.as_deref()).await?;
        let forgotten = header.forgotten.iter().cloned().collect();
        Ok(self.folded(base, &header.folds, None, &forgotten).await?)
    }

    pub(super) async fn folded(
        &self,
        base: Option<ManifestReader>,
        folds: &[String],
        at: Option<OffsetDateTime>,
        forgotten: &Forgotten,
    ) -> Result<Lines, Unread> {
        let mut later = BTreeMap::new();
        for fold in folds {
            let unread = |error| Unread::new(fold, error);
            for line in self.manifest(fold).await.map_err(unread)? {
                let line = line.map_err(unread)?;
                let taken = line.last_backup().map(|entry| entry.taken);
                if at.is_none_or(|at| taken.is_some_and(|taken| taken <= at)) {
                    fold_line(&mut later, line);
                }
            }
        }
        let header = base.as_ref().map(|base| base.header().clone());
        let base: Lines = match base {
            Some(base) => Box::new(base),
            None => Box::new(std::iter::empty()),
        };
        let lines: Lines =
            if later.is_empty() { base } else { Box::new(Folded::new(base, later, header.as_ref())) };
        Ok(if forgotten.is_empty() { lines } else { Box::new(forgotten.strip_all(lines)) })
    }
}

/// A manifest that could not be read, and why.
pub(super) struct Unread {
    pub(super) name: String,
    pub(super) error: Error,
}

impl Unread {
    pub(super) fn new(name: &str, error: Error) -> Self {
        Self { name: name.to_owned(), error }
    }
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        unread.error
    }
}

pub(super) fn summary_of(metadata: &Metadata) -> Option<Summary> {
    serde_json::from_str(metadata.get("summary")?).ok()
}
