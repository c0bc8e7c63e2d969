//! What goes with the points of a vault that may go.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::{
    deletion::{bound_until, dropped},
    reading::Reading,
    seen::Seen,
};
use crate::{
    azure::container::Version,
    catalogue::Catalogue,
    domain::{
        object::ObjectId,
        retention::{DroppedBlob, Judged, Kept, Reason, Ruling, Unproved},
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

/// The backups that go with a point, by their runs: each with the run of the newer one that takes its place.
pub(super) type Backups = HashMap<RunId, Vec<(ObjectId, Option<RunId>)>>;

/// What goes with each point. A backup that several points name goes with the newest of them.
#[derive(Default)]
pub(super) struct Going(Judged);

impl Going {
    /// The backups that go with a point, or why it is kept although its policy lets it go. Points are judged from the
    /// newest to the oldest.
    pub(super) async fn next(
        &mut self,
        reading: &Reading<'_>,
        at: usize,
        kept: &Kept,
        seen: &mut Seen<'_>,
    ) -> Result<Result<Backups, Reason>> {
        let (manifest, named) = (&reading.manifests[at], reading.candidates[at].named);
        self.0.go_back_to(named);
        let (mut newer, mut going) = (Vec::new(), Backups::new());
        for line in reading.lines(&manifest.name).await? {
            let line = line?;
            for (entry, ruling) in kept.judge(&line, named, reading.terms()) {
                let by = match ruling {
                    Ruling::Named => continue,
                    // A newer point that goes has it, and was judged with it.
                    _ if self.0.has(entry) => continue,
                    Ruling::LongGone => None,
                    Ruling::Succeeded(by) => Some(by),
                    Ruling::Stays(why) => return Ok(Err(names(line.id(), why))),
                };
                self.0.insert(entry);
                newer.extend(by.map(|by| (line.id(), by.run.clone(), by.bytes)));
                going.entry(entry.run.clone()).or_default().push((line.id(), by.map(|by| by.run.clone())));
            }
        }
        let unseen = seen.first_unseen(newer).await?;
        Ok(unseen.map_or(Ok(going), |(object, run)| Err(names(object, Unproved::NotSeen(run)))))
    }
}

fn names(object: ObjectId, why: Unproved) -> Reason {
    Reason::Names { object: Box::new(object), why }
}

/// What goes with a point: these backups, and what its run left beside them.
pub(super) async fn draft(reading: &Reading<'_>, at: usize, backups: Backups) -> Result<Draft> {
    let Reading { catalogue, vault, now, .. } = *reading;
    let manifest = &reading.manifests[at];
    let mut draft = Draft::default();
    for (run, objects) in backups {
        let versions = versions(catalogue, vault, &run, &objects).await?;
        for (id, successor) in objects {
            let name = Catalogue::name_of_backup(vault, &run, &id);
            let found = versions.get(&name).map(Vec::as_slice).unwrap_or_default();
            match deletable(found, now) {
                Ok(None) => {}
                Ok(Some(version)) => draft.blobs.push(dropped(version, successor)),
                Err(why) => draft.bound = Some(names(id, why)),
            }
        }
    }
    let is_record = |name: &str| Catalogue::is_record_of(vault, &manifest.run, name);
    let mut own = catalogue.versions_of_run(vault, &manifest.run, is_record).await?;
    own.extend(catalogue.versions_of_manifest(vault, &manifest.name).await?);
    for (at, version) in own.iter().enumerate() {
        if own.iter().skip(at + 1).any(|other| other.name == version.name) {
            draft.bound = Some(Reason::Blob(Unproved::Overwritten));
        }
        if let Some(why) = bound_until(version, now) {
            draft.bound = Some(Reason::Blob(why));
        }
        draft.blobs.push(dropped(version, None));
    }
    Ok(draft)
}

/// The only version of a blob, if it may be deleted now; `None` if the blob is gone.
fn deletable(found: &[Version], now: OffsetDateTime) -> Result<Option<&Version>, Unproved> {
    match found {
        [] => Ok(None),
        [version] => bound_until(version, now).map_or(Ok(Some(version)), Err),
        _ => Err(Unproved::Overwritten),
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
        let name = |(id, _): &(ObjectId, _)| Catalogue::name_of_backup(vault, run, id);
        let wanted: HashSet<String> = objects.iter().map(name).collect();
        catalogue.versions_of_run(vault, run, |name| wanted.contains(name)).await?
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
