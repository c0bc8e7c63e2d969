//! What goes with the points of a vault that may go.

use std::collections::HashMap;

use super::{
    deletion::{bound_until, dropped},
    reading::Reading,
};
use crate::{
    azure::container::Version,
    catalogue::Catalogue,
    domain::{
        manifest::Line,
        object::ObjectId,
        retention::{Backups, DroppedBlob, Kept, Reason, Ruling, Unproved},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// What goes with a point.
#[derive(Default)]
pub(super) struct Draft {
    /// Its blobs, the manifest last.
    pub(super) blobs: Vec<DroppedBlob>,
    /// Why one of them cannot be deleted, if one cannot.
    pub(super) bound: Option<Reason>,
}

/// What goes with each point. A backup that several points name goes with the newest of them.
pub(super) struct Drafts<'a> {
    reading: &'a Reading<'a>,
    kept: &'a Kept,
    drafted: Backups,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(reading: &'a Reading<'a>, kept: &'a Kept) -> Self {
        Self { reading, kept, drafted: Backups::default() }
    }

    /// What goes with a point. Points are drafted from the newest to the oldest.
    pub(super) async fn next(&mut self, at: usize) -> Result<Draft> {
        let Reading { catalogue, vault, .. } = *self.reading;
        let (manifest, named) = (&self.reading.manifests[at], self.reading.candidates[at].named);
        let mut going: HashMap<RunId, Vec<(ObjectId, Option<RunId>)>> = HashMap::new();
        for line in self.reading.lines(&manifest.name).await? {
            let line: Line = line?;
            for (entry, ruling) in self.kept.judge(&line, named, self.reading.terms()) {
                let by = match ruling {
                    Ruling::Named | Ruling::Stays(_) => continue,
                    Ruling::Succeeded(by) => Some(by.run.clone()),
                    Ruling::LongGone => None,
                };
                if self.drafted.insert(entry) {
                    going.entry(entry.run.clone()).or_default().push((line.id(), by));
                }
            }
        }
        let mut draft = Draft::default();
        for (run, objects) in going {
            let versions = versions(catalogue, vault, &run, &objects).await?;
            for (id, successor) in objects {
                let name = Catalogue::name_of_backup(vault, &run, &id);
                let found = versions.get(&name).map(Vec::as_slice).unwrap_or_default();
                match self.deletable(found) {
                    Ok(None) => {}
                    Ok(Some(version)) => draft.blobs.push(dropped(version, successor)),
                    Err(why) => draft.bound = Some(Reason::Names { object: Box::new(id), why }),
                }
            }
        }
        let mut own = catalogue.versions_of_run(vault, &manifest.run).await?;
        own.retain(|version| Catalogue::is_record_of(vault, &manifest.run, &version.name));
        own.extend(catalogue.versions_of_manifest(vault, &manifest.name).await?);
        for (at, version) in own.iter().enumerate() {
            if own.iter().skip(at + 1).any(|other| other.name == version.name) {
                draft.bound = Some(Reason::Blob(Unproved::Overwritten));
            }
            if let Some(why) = bound_until(version, self.reading.now) {
                draft.bound = Some(Reason::Blob(why));
            }
            draft.blobs.push(dropped(version, None));
        }
        Ok(draft)
    }

    /// The only version of a blob, if it may be deleted now; `None` if the blob is gone.
    fn deletable<'v>(&self, found: &'v [Version]) -> Result<Option<&'v Version>, Unproved> {
        match found {
            [] => Ok(None),
            [version] => bound_until(version, self.reading.now).map_or(Ok(Some(version)), Err),
            _ => Err(Unproved::Overwritten),
        }
    }
}

/// The versions of backups of one run, by blob: one listing of the run for many, one of each blob for a few.
async fn versions(
    catalogue: &Catalogue,
    vault: &SourceName,
    run: &RunId,
    objects: &[(ObjectId, Option<RunId>)],
) -> Result<HashMap<String, Vec<Version>>> {
    const FEW: usize = 20;
    let all = if objects.len() > FEW {
        catalogue.versions_of_run(vault, run).await?
    } else {
        let mut all = Vec::new();
        for (id, _) in objects {
            all.extend(catalogue.versions_of_backup(vault, run, id).await?);
        }
        all
    };
    let mut by_name: HashMap<String, Vec<Version>> = HashMap::new();
    for version in all {
        by_name.entry(version.name.clone()).or_default().push(version);
    }
    Ok(by_name)
}
