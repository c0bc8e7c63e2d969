//! The basis of a vault's next plan: its index, and what the manifests say beside it.

use time::OffsetDateTime;

use super::{Catalogue, ManifestReader, View, view::Unread};
use crate::{
    domain::{
        forgotten::Forgotten,
        index::Index,
        loss::Loss,
        manifest::Summary,
        observed_location::{Moved, ObservedLocation},
        plan::Unlisted,
        source::SourceName,
    },
    error::Result,
};

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
}
