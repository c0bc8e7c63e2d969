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
        index::Index,
        location::Location,
        loss::Loss,
        manifest::Summary,
        observed_location::{Moved, ObservedLocation},
        plan::{PlanHeader, Unlisted},
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
struct Listed {
    manifests: Vec<ManifestRef>,
    forgotten: Forgotten,
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

impl View {
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

/// The basis of a plan: the index, and what the manifests say beside it.
#[derive(Default)]
pub struct Basis {
    /// The newest backup of every object.
    pub index: Index,
    /// When everything was last backed up regardless of changes. Also `None` if that is unknown because a manifest
    /// could not be read.
    pub full_pass: Option<OffsetDateTime>,
    /// The name of the newest whole manifest.
    pub base: Option<String>,
    /// The names of the manifests whose entries are missing from it.
    pub folds: Vec<String>,
    /// The names of the manifests that could not be read.
    pub unread: Vec<String>,
    /// The objects that people forgot since the newest whole manifest was made.
    pub forgotten: Forgotten,
    /// The kinds that the newest whole manifest left out.
    pub unlisted: Vec<Unlisted>,
    /// Whether any object failed in the newest run that saw it.
    pub failing: bool,
    /// The losses that were open as of the newest whole manifest, readable or not.
    pub losses: Vec<Loss>,
    /// The vault's observed location. From a whole manifest that cannot be read, the location alone.
    pub observed_location: ObservedLocation,
    /// The vault's change of location, as of the newest whole manifest, readable or not.
    pub moved: Option<Box<Moved>>,
}

impl Basis {
    /// Takes losses and location from the newest whole manifest's summary, which a listing shows even if the manifest
    /// cannot be read.
    fn with_newest(self, newest: Summary) -> Self {
        let observed_location = ObservedLocation {
            location: newest.location.or(&self.observed_location.location),
            ..self.observed_location
        };
        Self { losses: newest.losses, moved: newest.moved, observed_location, ..self }
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
    async fn listed(
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
    async fn view_without(
        &self,
        vault: &SourceName,
        at: Option<OffsetDateTime>,
        unread: &[String],
    ) -> Result<View> {
        // A run that was in progress at `at` is folded in as far as it had come.
        let whole = |found: &ManifestRef| {
            let summary = found.summary.as_ref().filter(|summary| summary.scope == Scope::Vault)?;
            let counts = at.is_none_or(|at| summary.finished <= at) && !unread.contains(&found.name);
            counts.then_some(summary.planned)
        };
        // The newest state is never let go, so an ordinary night asks for no marks.
        let is_newest = at.is_none() && unread.is_empty();
        let (marks, earlier) = if is_newest {
            (None, None)
        } else {
            let kind = SourceKind::Vault;
            let both = futures::try_join!(self.marks(kind, vault), self.forgotten(vault))?;
            (Some(both.0), Some(both.1))
        };
        let listed = self.listed(vault, at, marks.as_ref(), |found| {
            let base = found.iter().find_map(whole);
            let last = found.last().and_then(|last| last.summary.as_ref()).map(|summary| summary.planned);
            base.zip(last).is_some_and(|(base, last)| base - last > CLOSES_WITHIN)
        });
        let Listed { manifests: mut folds, forgotten } = listed.await?;
        // The names beside the manifests say where to look. What is forgotten is what people recorded, and no app can add that.
        let forgotten = match earlier {
            Some(earlier) => earlier,
            None if forgotten.is_empty() => forgotten,
            None => self.forgotten(vault).await?,
        };
        let base = folds.iter().position(|found| whole(found).is_some()).map(|at| folds.remove(at));
        folds.retain(|found| !unread.contains(&found.name));
        if let Some(planned) = base.as_ref().and_then(whole) {
            folds.retain(|found| {
                found.summary.as_ref().is_none_or(|of| planned - of.planned <= CLOSES_WITHIN)
            });
        }
        Ok(View { base, folds, at, forgotten })
    }

    /// The basis of a vault's next plan.
    ///
    /// A manifest that cannot be read, because it is damaged and cannot be rebuilt, or because a newer program wrote
    /// it, must not stop backups: the index is then that of the other manifests, and a full pass is due.
    pub async fn basis(&self, vault: &SourceName) -> Result<Basis> {
        let (mut unread, mut newest) = (Vec::new(), None);
        loop {
            let view = self.view_without(vault, None, &unread).await?;
            newest = newest.or_else(|| view.base.as_ref().and_then(|base| base.summary.clone()));
            match self.basis_of(view).await {
                Ok(basis) => {
                    let full_pass = basis.full_pass.filter(|_| unread.is_empty());
                    unread.extend(basis.unread);
                    let basis = Basis { full_pass, unread, ..basis };
                    return Ok(match newest {
                        Some(newest) => basis.with_newest(newest),
                        None => basis,
                    });
                }
                Err(Unread { name, error }) if error.is_unreadable() => {
                    tracing::error!(
                        blob.name = %name, vault.name = %vault,
                        "A manifest of vault {vault} is passed over, and everything is due to be backed up: {error}"
                    );
                    unread.push(name);
                }
                Err(other) => return Err(other.error),
            }
        }
    }

    async fn basis_of(&self, view: View) -> Result<Basis, Unread> {
        let (base, folds) = self.open(&view).await?;
        let header = base.as_ref().map(ManifestReader::header);
        let full_pass = header.map(|header| header.full_pass);
        let left_out = header.map(|header| header.unlisted.clone()).unwrap_or_default();
        let observed_location =
            header.and_then(|header| header.observed_location.clone()).map(|of| *of).unwrap_or_default();
        // Manifests that the base had to skip and that are still listed: they still cannot be read.
        let passed = |name: &&String| view.folds.iter().any(|fold| fold.name == **name);
        let passed = header.into_iter().flat_map(|header| &header.unread).filter(passed).cloned().collect();
        let base_name = view.base.as_ref().map(|base| base.name.clone());
        // `folded` reads the later manifests whole, so an error after it comes from the base.
        let unread = |error| Unread::new(base_name.as_deref().unwrap_or_default(), error);
        let (mut index, mut failing) = (Index::default(), false);
        let forgotten = view.forgotten;
        for line in self.folded(base, &folds, None, &forgotten).await? {
            let line = line.map_err(unread)?;
            failing |= line.is_failing();
            index.insert(&line);
        }
        let (base, unread, unlisted) = (base_name, passed, left_out);
        Ok(Basis {
            index,
            full_pass,
            base,
            folds,
            unread,
            forgotten,
            unlisted,
            failing,
            observed_location,
            ..Basis::default()
        })
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
    async fn open(&self, view: &View) -> Result<(Option<ManifestReader>, Vec<String>), Unread> {
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

    async fn folded(
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
struct Unread {
    name: String,
    error: Error,
}

impl Unread {
    fn new(name: &str, error: Error) -> Self {
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
