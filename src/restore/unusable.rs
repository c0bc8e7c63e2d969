//! Backups that are not usable, and the older ones that may stand in for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalogue::{Catalogue, View},
    domain::{
        entry::Entry,
        object::ObjectId,
        restore::{OnDamaged, Reason, Request, Unusable},
        run::RunId,
        source::SourceKind,
        verification::{Fault, Suspects},
    },
    error::Result,
};

/// What is known to be unusable of the backups that a plan would restore.
#[derive(Debug, Default)]
pub(super) struct KnownUnusable {
    suspects: Suspects,
    seen: BTreeSet<(ObjectId, RunId)>,
    objects: BTreeMap<ObjectId, Unusable>,
}

impl KnownUnusable {
    /// The backups of a view about which a finding of the last verification is open. One request if there is none.
    ///
    /// A record that cannot be read stops no restore: each backup is checked before it is used.
    pub(super) async fn of_findings(catalogue: &Catalogue, request: &Request, view: &View) -> Result<Self> {
        let suspects = match catalogue.suspects(SourceKind::Vault, &request.source).await {
            Err(error) if error.is_unreadable() => {
                tracing::warn!("What the last verification found is not known: {error}");
                Suspects::default()
            }
            suspects => suspects?,
        };
        let mut known = Self { suspects, ..Self::default() };
        if known.suspects.is_empty() {
            return Ok(known);
        }
        let mut found = Vec::new();
        for line in catalogue.lines(view).await? {
            let Some(entry) = line?.entry else { continue };
            match known.suspects.fault(&entry) {
                // What was stored first is checked by itself.
                Some(Fault::Rewritten | Fault::Deleted) if request.first_version => {}
                Some(Fault::Missing | Fault::Deleted) => {
                    found.push((entry.id(), entry.run, Reason::BackupGone));
                }
                Some(_) => found.push((entry.id(), entry.run, Reason::Damaged)),
                None => {}
            }
        }
        known.add(catalogue, request, found).await?;
        Ok(known)
    }

    /// Adds backups that were found unusable, and looks for older ones if the request allows these.
    pub(super) async fn add(
        &mut self,
        catalogue: &Catalogue,
        request: &Request,
        found: Vec<(ObjectId, RunId, Reason)>,
    ) -> Result<()> {
        for (id, run, reason) in found {
            self.seen.insert((id.clone(), run));
            let older = match request.on_damaged {
                OnDamaged::Fail => None,
                OnDamaged::Older => {
                    let history = catalogue.history(&request.source, &id).await?.into_iter();
                    let mut entries = history.map(|point| point.entry);
                    let by = |taken| request.at.is_none_or(|at| taken <= at);
                    let newest = entries.find(|entry| by(entry.taken));
                    newest.and_then(|newest| {
                        entries.find(|older| self.is_usable(older) && newest.continues(older)).map(Box::new)
                    })
                }
            };
            self.objects.insert(id, Unusable { reason, older });
        }
        Ok(())
    }

    fn is_usable(&self, entry: &Entry) -> bool {
        !self.suspects.has(entry) && !self.seen.contains(&(entry.id(), entry.run.clone()))
    }

    /// Whether there is nothing new in what was found.
    pub(super) fn knows_all(&self, found: &[(ObjectId, RunId, Reason)]) -> bool {
        found.iter().all(|(id, run, _)| self.seen.contains(&(id.clone(), run.clone())))
    }

    /// The objects whose backup is unusable.
    pub(super) fn objects(&self) -> &BTreeMap<ObjectId, Unusable> {
        &self.objects
    }
}
