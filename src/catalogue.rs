//! The catalogue of backups, kept in the blobs themselves.
//!
//! There is no database. A run writes its plan first and its manifest last, and every blob once; a
//! reader trusts manifests and nothing else. A manifest can be rebuilt from the plan and the blobs'
//! metadata, byte for byte the same; a reader that finds one damaged rebuilds it and continues.
//!
//! The newest index of a vault costs a listing of one page and the reading of one manifest (and of those
//! that came after it), however many objects and nights there are.

mod acknowledged;
mod attestations;
mod audit;
mod basis;
mod codec;
mod copies;
mod drills;
mod evidence;
mod forgotten;
mod grants;
mod history;
mod hsm;
mod last_runs;
mod layout;
mod manifests;
mod people;
mod plans;
mod recent;
mod retention;
pub mod second;
mod sources;
mod strays;
mod verifications;
mod view;

use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _, pin_mut};

pub use self::{
    audit::{Audit, Checked, CheckedSection, DayTrail},
    basis::Basis,
    codec::ManifestReader,
    evidence::DayMark,
    history::Point,
    hsm::StoredHsmBackup,
    last_runs::KnownRun,
    layout::probe,
    people::StoredHold,
    recent::Recent,
    retention::{Marked, Marks},
    strays::Strays,
    verifications::{BackupWithEntry, Sighting},
    view::{ManifestRef, View},
};
use self::{last_runs::LastRuns, layout::Leaf};
use crate::{
    azure::container::{Container, Item, Listing, Metadata, Written},
    domain::{
        blob::BackupBlob,
        entry::{ENTRY_FORMAT, Entry},
        manifest::{Line, ObjectResult},
        object::ObjectId,
        outcome::{Failure, OUTCOME_FORMAT, Outcome, OutcomeKind},
        plan::PlanHeader,
        record::record,
        run::RunId,
        second::Place,
        source::SourceName,
        stored_version::{ContainerMark, StoredVersion},
    },
    error::{Error, Result, damaged},
    stored::read_metadata,
};

/// Blobs per listing request with metadata of about a kilobyte each. A page takes about ten times its size
/// in memory while it is read.
const RESULTS_PAGE: u16 = 128;

/// Blobs per listing request without metadata.
const NAMES_PAGE: u16 = 1000;

/// The catalogue of one container. Cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    container: Container,
    last_runs: Arc<LastRuns>,
    place: Place,
}

impl Catalogue {
    /// The catalogue in a container, which may be empty.
    pub fn new(container: Container) -> Self {
        Self { container, last_runs: Arc::default(), place: Place::First }
    }

    /// The catalogue of the second place. What the first has let go is offered here for as long as it is here.
    pub fn second(container: Container) -> Self {
        Self { place: Place::Second, ..Self::new(container) }
    }

    /// The name of what is decided and done in this place. In the second one that is its owners' own: what it has by the name
    /// itself was copied from the first.
    fn own(&self, name: &str) -> String {
        match self.place {
            Place::First => name.to_owned(),
            Place::Second => layout::of_owners(name),
        }
    }

    /// Checks that the container can be read, by listing one name.
    pub async fn reach(&self) -> Result<()> {
        let pages =
            self.container.list(Listing { prefix: layout::VAULTS, from: None, page: 1, metadata: false });
        pin_mut!(pages);
        Ok(pages.try_next().await.map(drop)?)
    }

    /// Stores a backup with its entry, in one request. Safe to run twice: the first one stays.
    pub async fn create_backup(&self, entry: &Entry, blob: BackupBlob) -> Result<Written> {
        let name = layout::object(&entry.vault, &entry.run, &entry.id(), Leaf::Backup);
        let record = entry.record().map_err(|error| damaged(&name, &error))?;
        let metadata = [("entry".to_owned(), record)].into();
        Ok(self.container.add(&name, blob.into_bytes(), metadata).await?)
    }

    /// Records that a planned object has no backup. Safe to run twice: the first record stays.
    pub async fn create_outcome(
        &self,
        vault: &SourceName,
        run: &RunId,
        outcome: &Outcome,
    ) -> Result<Written> {
        let name = layout::object(vault, run, &outcome.id(), Leaf::Outcome);
        let metadata = metadata(&name, "outcome", outcome)?;
        Ok(self.container.add(&name, Vec::new(), metadata).await?)
    }

    /// The objects of a run that have a backup or an outcome, in order, page by page. An object with both
    /// appears twice.
    pub fn answered(
        &self,
        vault: &SourceName,
        run: &RunId,
    ) -> impl Stream<Item = Result<Vec<ObjectId>>> + use<> {
        let prefix = layout::objects(vault, run);
        let pages =
            self.container.list(Listing { prefix: &prefix, from: None, page: NAMES_PAGE, metadata: false });
        pages.map(move |page| {
            Ok(page?.iter().filter_map(|item| Some(layout::parse_object(&prefix, &item.name)?.0)).collect())
        })
    }

    /// Whether a run has stored any backup.
    pub async fn has_backups(&self, vault: &SourceName, run: &RunId) -> Result<bool> {
        let prefix = layout::objects(vault, run);
        let listing = Listing { prefix: &prefix, from: None, page: NAMES_PAGE, metadata: false };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            let leaf = |item: &Item| layout::parse_object(&prefix, &item.name).map(|(_, leaf)| leaf);
            if page.iter().any(|item| matches!(leaf(item), Some(Leaf::Backup))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a run has its manifest.
    pub async fn is_closed(&self, header: &PlanHeader) -> Result<bool> {
        let name = layout::manifest(&header.vault, header.planned, &header.run);
        Ok(self.container.metadata(&name).await?.is_some())
    }

    /// The results of a run in order, page by page. Entries have the version in which their blobs are listed.
    fn results(
        &self,
        vault: &SourceName,
        run: &RunId,
    ) -> impl Stream<Item = Result<Vec<ObjectResult>>> + use<> {
        let prefix = layout::objects(vault, run);
        let container = self.container.mark();
        let listing = Listing { prefix: &prefix, from: None, page: RESULTS_PAGE, metadata: true };
        let pages = self.container.list_with_version(listing);
        let result = move |item: &Item| result_of(&prefix, item, container).transpose();
        pages.map(move |page| page?.iter().filter_map(&result).collect())
    }

    /// The runs of a vault that have any blob in the container, oldest first. Lists every name.
    pub async fn all_runs(&self, vault: &SourceName) -> Result<Vec<RunId>> {
        let prefix = layout::runs(vault);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: 5000, metadata: false });
        pin_mut!(pages);
        let mut runs: Vec<RunId> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for run in page.iter().filter_map(|item| layout::parse_run(&prefix, &item.name)) {
                if runs.last() != Some(&run) {
                    runs.push(run);
                }
            }
        }
        Ok(runs)
    }

    /// The entry of an object in a run, from the blob's metadata.
    pub async fn entry(&self, vault: &SourceName, run: &RunId, id: &ObjectId) -> Result<Option<Entry>> {
        let name = layout::object(vault, run, id, Leaf::Backup);
        let metadata = self.container.metadata(&name).await?;
        let entry = metadata.map(|metadata| read_metadata(&name, &metadata, "entry", ENTRY_FORMAT));
        entry.transpose().map(Option::flatten)
    }

    /// The stored bytes of a backup, or `None` if the blob is gone. The caller checks the digest.
    pub async fn backup(&self, vault: &SourceName, run: &RunId, id: &ObjectId) -> Result<Option<BackupBlob>> {
        let bytes = self.container.read(&layout::object(vault, run, id, Leaf::Backup)).await?;
        Ok(bytes.map(|bytes| BackupBlob::from(bytes.to_vec())))
    }
}

fn metadata(name: &str, key: &str, value: &impl serde::Serialize) -> Result<Metadata> {
    let record = record(value).map_err(|error| damaged(name, &error))?;
    Ok([(key.to_owned(), record)].into())
}

/// The result that a blob records. An unreadable record counts as a failure of its object, not of the run.
/// A record that a newer program wrote is an error, because that program can close the run.
fn result_of(prefix: &str, item: &Item, container: ContainerMark) -> Result<Option<ObjectResult>> {
    let Some((id, leaf)) = layout::parse_object(prefix, &item.name) else { return Ok(None) };
    let record = match leaf {
        Leaf::Backup => {
            read_metadata::<Entry>(&item.name, &item.metadata, "entry", ENTRY_FORMAT).map(|entry| {
                let entry = entry.filter(|entry| entry.id() == id && entry.bytes == item.bytes)?;
                let stored = item.version.clone().map(|version| StoredVersion { container, version });
                Some(ObjectResult::Entry(Entry { stored: stored.map(Box::new), ..entry }))
            })
        }
        Leaf::Outcome => read_metadata::<Outcome>(&item.name, &item.metadata, "outcome", OUTCOME_FORMAT)
            .map(|outcome| outcome.filter(|outcome| outcome.id() == id).map(ObjectResult::Outcome)),
    };
    let text = match record {
        Ok(Some(result)) => return Ok(Some(result)),
        Err(error @ Error::TooNew { .. }) => return Err(error),
        Err(error) => error.to_string(),
        Ok(None) => format!("blob {} does not carry its own record", item.name),
    };
    let failure = Failure::ours("RecordUnreadable", text);
    let outcome = Outcome::new(&id, OutcomeKind::Failed, failure, time::OffsetDateTime::UNIX_EPOCH);
    Ok(Some(ObjectResult::Outcome(outcome)))
}

/// The lines of an index, read lazily.
pub type Lines = Box<dyn Iterator<Item = Result<Line>> + Send>;
