//! Comparing manifests with their runs' plans and backups.

use futures::{TryStreamExt as _, pin_mut};

use super::{
    presence::{OTHER_VERSION, Presence, finding},
    scope::Scope,
};
use crate::{
    catalogue::{Catalogue, ManifestRef},
    domain::{
        entry::Entry,
        source::SourceKind,
        verification::{Address, Agreement, Disagreement, Fault, Finding},
    },
    error::{Error, Result, damaged},
};

/// What the comparison came to.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) manifests: u32,
    pub(super) strays: u32,
    pub(super) unverified: u32,
    pub(super) findings: Vec<Finding>,
}

/// Compares the newest whole manifest of a vault, and those whose turn it is, with what lies beside them; in the first pass, all.
pub(super) async fn compare(catalogue: &Catalogue, scope: &Scope, presence: &Presence) -> Result<Compared> {
    let vault = &scope.source.name;
    let mut compared = Compared {
        strays: u32::try_from(catalogue.strays(vault).await?.backups).unwrap_or(u32::MAX),
        ..Compared::default()
    };
    for manifest in catalogue.manifests(vault, None, |_| false).await? {
        let is_suspect = || scope.suspects.iter().any(|known| known.run == manifest.run);
        let is_newest = presence.base.as_ref() == Some(&manifest.run);
        // The first pass has to know all that is gone, and puts it on record.
        if is_newest
            || scope.first
            || scope.choice.takes(Address::of_manifest(&manifest.run), false)
            || is_suspect()
        {
            one(catalogue, scope, presence, &manifest, &mut compared).await?;
        }
    }
    Ok(compared)
}

async fn one(
    catalogue: &Catalogue,
    scope: &Scope,
    presence: &Presence,
    manifest: &ManifestRef,
    compared: &mut Compared,
) -> Result<()> {
    let mut found = Vec::new();
    match disagreements(catalogue, scope, presence, manifest, &mut found).await {
        Ok(()) => compared.manifests += 1,
        Err(Error::TooNew { .. }) => {
            compared.unverified += 1;
            return Ok(());
        }
        Err(error) => {
            let Some((name, text)) = error.damaged_blob() else { return Err(error) };
            compared.manifests += 1;
            let (name, text) = (name.to_owned(), text.to_owned());
            compared.findings.push(finding(scope, Fault::Catalogue, name, manifest.run.clone(), None, text));
        }
    }
    // Retention may have let the point go meanwhile.
    if !found.is_empty() && catalogue.marks(SourceKind::Vault, &scope.source.name).await?.hides(&manifest.run)
    {
        return Ok(());
    }
    for disagreement in found {
        compared.add(scope, presence, manifest, disagreement);
    }
    Ok(())
}

impl Compared {
    fn add(&mut self, scope: &Scope, presence: &Presence, manifest: &ManifestRef, of: Disagreement) {
        let run = manifest.run.clone();
        let (fault, entry, text) = match of {
            Disagreement::Unnamed(_) => {
                self.strays += 1;
                return;
            }
            Disagreement::Unaccounted(id) => {
                let text = format!("the run's plan has {id}, and the manifest does not account for it");
                self.findings.push(finding(scope, Fault::Catalogue, manifest.name.clone(), run, None, text));
                return;
            }
            Disagreement::Missing(entry) if presence.there.contains(&Address::of_entry(&entry)) => {
                (Fault::Damaged, entry, "what lies with it is not an entry of it".to_owned())
            }
            Disagreement::Missing(entry) => {
                (Fault::Missing, entry, format!("the manifest of {run} names it, and it is not there"))
            }
            Disagreement::OtherVersion(entry) => (Fault::Rewritten, entry, OTHER_VERSION.to_owned()),
            Disagreement::Differs(entry) => (
                Fault::Differs,
                entry,
                format!("the manifest of {run} has another entry of it than lies with it"),
            ),
        };
        let name = Catalogue::name_of_backup(&scope.source.name, &entry.run, &entry.id());
        let newest = presence.named.get(Address::of_entry(&entry)).is_some();
        let found = finding(scope, fault, name, entry.run.clone(), Some(entry.id()), text);
        self.findings.push(Finding { newest, ..found });
    }
}

/// Compares one manifest with its plan and the entries of its run, and the backups of other runs that it names with what is
/// there.
async fn disagreements(
    catalogue: &Catalogue,
    scope: &Scope,
    presence: &Presence,
    manifest: &ManifestRef,
    found: &mut Vec<Disagreement>,
) -> Result<()> {
    let vault = &scope.source.name;
    let lines = catalogue.stored_manifest(&manifest.name).await?;
    let plan = catalogue.plan(vault, &manifest.run).await?;
    let gone = || damaged(&manifest.name, &"its run's plan is gone, so it cannot be compared with it");
    let plan = plan.ok_or_else(gone)?;
    let mut carried = Vec::new();
    let lines = lines.inspect(|line| {
        let Ok(line) = line else { return };
        let of_others = line.entry.iter().chain(line.former.as_deref());
        let missing = |entry: &&Entry| {
            entry.run != manifest.run
                && !presence.there.contains(&Address::of_entry(entry))
                && !presence.forgotten.has(entry)
        };
        carried.extend(of_others.filter(missing).cloned());
    });
    let forgotten = |of: &Disagreement| match of {
        Disagreement::Missing(entry) => presence.forgotten.has(entry),
        _ => false,
    };
    let mut add = |of: Disagreement| {
        if !forgotten(&of) {
            found.push(of);
        }
    };
    let mut agreement = Agreement::new(&plan, lines);
    let entries = catalogue.entries_of_run(vault, &manifest.run);
    pin_mut!(entries);
    while let Some(page) = entries.try_next().await? {
        for entry in &page {
            agreement.with(entry, &mut add)?;
        }
    }
    agreement.finish(&mut add)?;
    found.extend(carried.into_iter().map(|entry| Disagreement::Missing(Box::new(entry))));
    Ok(())
}
