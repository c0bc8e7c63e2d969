//! What a vault's newest index names, and what storage lists.

use std::collections::HashSet;

use futures::{TryStreamExt as _, pin_mut};

use super::scope::Scope;
use crate::{
    azure::container::Version,
    catalogue::{Catalogue, Sighting, View},
    domain::{
        entry::Entry,
        forgotten::Forgotten,
        moment::minute,
        object::ObjectId,
        record::count,
        run::RunId,
        source::{SourceKind, SourceName},
        verification::{Address, Counts, Fault, Finding, Named},
    },
    error::{Error, Result},
};

/// A backup that is read in a pass.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) run: RunId,
    pub(super) id: ObjectId,
}

/// What a listing of a vault shows.
pub(super) struct Presence {
    /// The backups that the newest index names.
    pub(super) named: Named,
    /// Every backup that is there.
    pub(super) there: HashSet<Address>,
    /// The backups to read, in the order of their names.
    pub(super) turns: Vec<Turn>,
    /// The objects whose backups people had deleted.
    pub(super) forgotten: Forgotten,
    /// The newest whole manifest.
    pub(super) base: Option<RunId>,
    pub(super) findings: Vec<Finding>,
}

impl Presence {
    /// Reads the newest index of a vault, lists the vault, and compares.
    ///
    /// The index comes first: what is stored meanwhile is not in it. What seems to be missing is looked up once more.
    pub(super) async fn of(catalogue: &Catalogue, scope: &Scope) -> Result<Self> {
        let vault = &scope.source.name;
        let view = catalogue.view(vault, None).await?;
        let (named, unreadable) = match named(catalogue, &view).await {
            Err(error @ Error::Damaged { .. }) => (Named::default(), Some(error)),
            named => (named?, None),
        };
        let mut this = Self {
            named,
            there: HashSet::new(),
            turns: Vec::new(),
            forgotten: catalogue.forgotten(vault).await?,
            base: view.base.as_ref().map(|base| base.run.clone()),
            findings: Vec::new(),
        };
        if let Some(error) = unreadable
            && let Some(newest) = view.base.as_ref().or(view.folds.first())
        {
            let text = format!("the newest index cannot be read: {error}");
            let (blob, run) = (newest.name.clone(), newest.run.clone());
            this.findings.push(finding(scope, Fault::Catalogue, blob, run, None, text));
        }
        let mut deleted = Vec::new();
        let sightings = catalogue.sightings(vault);
        pin_mut!(sightings);
        while let Some(sighting) = sightings.try_next().await? {
            this.see(scope, &sighting, &mut deleted);
        }
        this.explain(catalogue, scope, deleted).await?;
        if this.named.missing() > 0 {
            for line in catalogue.lines(&view).await? {
                let line = line?;
                for entry in line.entry.iter().chain(line.former.as_deref()) {
                    this.look_up(catalogue, scope, entry).await?;
                }
            }
        }
        Ok(this)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { named: count(self.named.len()), stored: count(self.there.len()), ..Counts::default() }
    }

    fn see(&mut self, scope: &Scope, sighting: &Sighting, deleted: &mut Vec<Sighting>) {
        let Some((run, object)) = Catalogue::run_of(&scope.source.name, sighting.name()) else { return };
        let Some(current) = sighting.current() else {
            deleted.push(sighting.clone());
            return;
        };
        let address = object.as_ref().map(|id| Address::of(&run, id));
        let expected = address.and_then(|address| self.named.get(address));
        let is_other = expected.is_some_and(|of| of.is_other_version(current.id.as_deref()));
        if sighting.versions.len() > 1 || is_other {
            let text = match sighting.versions.len() {
                1 => OTHER_VERSION.to_owned(),
                _ => rewritten(&sighting.versions),
            };
            let newest = expected.is_some();
            let finding =
                finding(scope, Fault::Rewritten, current.name.clone(), run.clone(), object.clone(), text);
            self.findings.push(Finding { newest, ..finding });
        }
        let (Some(id), Some(address)) = (object, address) else { return };
        self.named.see(address, current.bytes);
        self.there.insert(address);
        let is_suspect = || scope.suspects.iter().any(|known| known.blob == current.name);
        if scope.choice.takes(address, self.named.get(address).is_some()) || is_suspect() {
            self.turns.push(Turn { run, id });
        }
    }

    /// Adds findings about what was deleted, but for what retention deletes at the moment and what people forgot.
    async fn explain(&mut self, catalogue: &Catalogue, scope: &Scope, deleted: Vec<Sighting>) -> Result<()> {
        if deleted.is_empty() {
            return Ok(());
        }
        let vault = &scope.source.name;
        let known = going(catalogue, vault).await?;
        for sighting in deleted {
            let Some((run, object)) = Catalogue::run_of(vault, sighting.name()) else { continue };
            let is_forgotten = object.as_ref().is_some_and(|id| self.forgotten.until(id).is_some());
            if is_forgotten || known.contains(sighting.name()) {
                continue;
            }
            let text = "it was deleted in storage, and no record of retention says so; a former version of it is left. No app \
                        but the keeper may delete: look in the storage's log for who did"
                .to_owned();
            let newest = object.as_ref().is_some_and(|id| self.named.get(Address::of(&run, id)).is_some());
            let finding = finding(scope, Fault::Deleted, sighting.name().to_owned(), run, object, text);
            self.findings.push(Finding { newest, ..finding });
        }
        Ok(())
    }

    /// Adds a finding about a backup that the index names and that was not seen, unless it is there after all.
    async fn look_up(&mut self, catalogue: &Catalogue, scope: &Scope, entry: &Entry) -> Result<()> {
        let address = Address::of_entry(entry);
        if !self.named.misses(address) {
            return Ok(());
        }
        let vault = &scope.source.name;
        let name = Catalogue::name_of_backup(vault, &entry.run, &entry.id());
        let versions = catalogue.versions_of_backup(vault, &entry.run, &entry.id()).await?;
        let text = match versions.iter().find(|version| version.is_current) {
            Some(found) if found.bytes == entry.bytes => {
                self.named.see(address, found.bytes);
                return Ok(());
            }
            Some(found) => format!("it has {} bytes, and the index says {}", found.bytes, entry.bytes),
            None if catalogue.forgotten(vault).await?.has(entry) => return Ok(()),
            None => "the index names it, and it is not there".to_owned(),
        };
        let found = finding(scope, Fault::Missing, name, entry.run.clone(), Some(entry.id()), text);
        self.findings.push(Finding { newest: true, ..found });
        Ok(())
    }
}

/// The backups that an index names.
///
/// # Errors
/// Those of [`Catalogue::lines`].
pub(super) async fn named(catalogue: &Catalogue, view: &View) -> Result<Named> {
    let mut named = Named::in_container(catalogue.container_mark());
    for line in catalogue.lines(view).await? {
        let line = line?;
        line.entry.iter().chain(line.former.as_deref()).for_each(|entry| named.add(entry));
    }
    Ok(named)
}

/// The names of the blobs that retention is about to delete.
async fn going(catalogue: &Catalogue, vault: &SourceName) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for (run, marked) in catalogue.marks(SourceKind::Vault, vault).await?.pending() {
        match catalogue.drop_record(SourceKind::Vault, vault, run, marked.number).await {
            Err(error) if error.is_unreadable() => {}
            record => names.extend(record?.1.into_iter().map(|blob| blob.name)),
        }
    }
    Ok(names)
}

/// A finding of this pass.
pub(super) fn finding(
    scope: &Scope,
    fault: Fault,
    blob: String,
    run: RunId,
    object: Option<ObjectId>,
    text: String,
) -> Finding {
    let (kind, name) = object.map(|id| (id.kind, id.name)).unzip();
    Finding { fault, blob, run, kind, name, newest: false, text, since: scope.started }
}

/// What is said of a backup of which a manifest names another version.
pub(super) const OTHER_VERSION: &str = "the version of it that is there is not the one that was listed when its run closed: it was \
    written again in storage. No app may overwrite: look in the storage's log for who did";

/// What several versions of a blob say.
fn rewritten(versions: &[Version]) -> String {
    let last = versions.iter().filter_map(|version| version.written).max();
    let when = last.map_or_else(|| "at an unknown time".to_owned(), |at| format!("last on {}", minute(at)));
    format!(
        "it has {} versions: it was written again in storage, {when}. No app may overwrite: look in the storage's log for who \
         did. `--first-version` reads what was stored first",
        versions.len()
    )
}
