//! The backups of one vault: its runs, and last their manifests.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::{Copied, blobs};
use crate::{
    catalogue::second::{MissingPoint, Places, PointToCopy, PointsBeside, lacking},
    domain::{run::RunId, second::is_compared, source::SourceName},
    error::{Error, Result},
};

/// A vault in a pass.
pub(super) struct Vault<'a> {
    pub(super) places: &'a Places<'a>,
    pub(super) name: &'a SourceName,
    pub(super) began: OffsetDateTime,
}

/// What is in the second place of runs that have no manifest there, as far as this pass compared them.
type Known = BTreeMap<RunId, BTreeSet<String>>;

impl Vault<'_> {
    /// Copies the points that the second place lacks, the oldest first, and compares those whose turn it is.
    pub(super) async fn copy(self) -> Copied {
        let mut copied = Copied::default();
        if let Err(error) = Box::pin(self.copy_into(&mut copied)).await {
            copied.failed(self.name.as_str(), &error);
        }
        copied
    }

    async fn copy_into(&self, copied: &mut Copied) -> Result<()> {
        let PointsBeside { missing, mut whole, beside, differ } = self.places.points(self.name).await?;
        copied.differs(differ);
        let mut known = Known::new();
        let mut all = true;
        for point in missing {
            match self.point(&point, &whole, &mut known, copied).await {
                Ok(true) => {
                    copied.points += 1;
                    known.remove(&point.run);
                    whole.insert(point.run);
                }
                Ok(false) => {}
                // What is wrong with one point says nothing about others; what storage refuses, it will go on refusing.
                Err(error @ Error::Service(_)) => return Err(error),
                Err(error) => {
                    copied.failed(&point.name, &error);
                    all = false;
                }
            }
        }
        for run in whole.iter().filter(|run| is_compared(run, self.began.date())) {
            self.run(run, copied).await?;
        }
        blobs(self.places, beside, copied).await?;
        if all {
            let found = self.places.copies(self.name).await?;
            copied.differs(found.differ);
            blobs(self.places, found.missing, copied).await?;
        }
        Ok(())
    }

    /// Copies what a point names, then its manifest. `false` if the first place has let it go meanwhile.
    async fn point(
        &self,
        point: &MissingPoint,
        whole: &BTreeSet<RunId>,
        known: &mut Known,
        copied: &mut Copied,
    ) -> Result<bool> {
        let Some(stored) = self.places.point(&point.name).await? else { return Ok(false) };
        let own = [&point.run].into_iter().chain(stored.named.keys());
        for run in own.filter(|run| !whole.contains(run)).collect::<BTreeSet<_>>() {
            if !known.contains_key(run) {
                known.insert(run.clone(), self.run(run, copied).await?);
            }
        }
        if !self.explain(point, &stored, known, copied).await? {
            return Ok(false);
        }
        copied.blob(Some(self.places.copy_point(&point.name, stored).await?));
        Ok(true)
    }

    /// Compares a run in both places, copies what is missing, and returns the names that the second place has then.
    ///
    /// # Errors
    /// Also if the second place has something else by one of these names: then the run is not complete there.
    async fn run(&self, run: &RunId, copied: &mut Copied) -> Result<BTreeSet<String>> {
        let mut found = self.places.run(self.name, run).await?;
        for gone in blobs(self.places, std::mem::take(&mut found.missing), copied).await? {
            found.names.remove(&gone.name);
        }
        if let Some(name) = found.differ.first() {
            let blob = name.clone();
            copied.differs(found.differ);
            return Err(Error::Damaged { blob, text: crate::catalogue::second::DIFFERS.to_owned() });
        }
        Ok(found.names)
    }

    /// Looks for what a point names and neither place has. Retention may have let the point go, which is then not copied, and
    /// people may have forgotten an object. Anything else is counted, and the point is copied without it, as the first place has
    /// it: waiting brings nothing back, and would keep the rest of the point away.
    async fn explain(
        &self,
        point: &MissingPoint,
        stored: &PointToCopy,
        known: &Known,
        copied: &mut Copied,
    ) -> Result<bool> {
        let lacks = |(run, ids)| known.get(run).map(|names| lacking(self.name, run, ids, names));
        let lacks: Vec<_> = stored.named.iter().filter_map(lacks).flatten().collect();
        if lacks.is_empty() {
            return Ok(true);
        }
        let Some(lacks) = self.places.unexplained(self.name, &point.run, lacks).await? else {
            return Ok(false);
        };
        if let Some(first) = lacks.first() {
            tracing::warn!(
                event = "second.lacking", vault.name = %self.name, run.id = %point.run, backups.lacking = lacks.len(),
                "{} of {} names {} backups that the first place does not have, such as that of {first}; it is copied without them",
                point.run, self.name, lacks.len()
            );
            self.places.note_lacking(self.name, &point.run, &lacks).await?;
            copied.lacking += lacks.len();
        }
        Ok(true)
    }
}
