//! How each vault is doing.

use super::runs::open_jobs;
use crate::{
    app::App,
    domain::{
        job::BackupJob,
        manifest::{Fared, Line, Summary},
        object::{ObjectId, VaultName},
        run::Scope,
        versions::VERSIONS_WARNING,
    },
    error::{Error, Result},
};

/// How a vault is doing.
#[derive(Debug)]
pub struct Doing {
    /// The vault.
    pub vault: VaultName,
    /// Its open runs.
    pub open: Vec<BackupJob>,
    /// What its catalogue says, or why that cannot be read.
    pub known: Result<Known>,
}

/// The newest runs of a whole vault.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// The newest of all.
    pub last: Option<Summary>,
    /// The newest that covers the vault, as [`Numbers::covers`](crate::domain::run::Numbers::covers) says.
    pub covering: Option<Summary>,
}

/// What the catalogue says of a vault.
#[derive(Debug, Default)]
pub struct Known {
    /// Its newest runs.
    pub newest: Newest,
    /// Objects whose newest backup could not be taken, up to the limit.
    pub failing: Vec<Line>,
    /// How many there are.
    pub failing_total: usize,
    /// Objects with many versions, as far as their newest backups tell, and how many.
    pub many_versions: Vec<(ObjectId, u32)>,
}

/// Looks at every configured vault, and names up to `most` failing objects of each.
///
/// # Errors
/// When a service refuses or does not answer. A damaged catalogue is part of the answer.
pub async fn all(app: &App, most: usize) -> Result<Vec<Doing>> {
    let jobs = open_jobs(app).await?;
    let mut all = Vec::new();
    for vault in app.vaults().map(|vault| vault.url().name()) {
        let known = match known(app, vault, most).await {
            Err(error @ Error::Service(_)) => return Err(error),
            known => known,
        };
        let open = jobs.iter().filter(|job| job.vault == *vault).cloned().collect();
        all.push(Doing { vault: vault.clone(), open, known });
    }
    Ok(all)
}

/// The newest runs of a vault: one request, unless the vault was not covered for long.
pub async fn newest(app: &App, vault: &VaultName) -> Result<Newest> {
    let covers = |summary: &Summary| summary.scope == Scope::Vault && summary.numbers.covers();
    let manifests = app.catalogue()?.manifests(vault, None, |found| {
        found.last().and_then(|last| last.summary.as_ref()).is_some_and(covers)
    });
    let whole = manifests.await?.into_iter().filter_map(|found| found.summary);
    let mut whole: Vec<_> = whole.filter(|summary| summary.scope == Scope::Vault).collect();
    let covering = whole.pop_if(|last| covers(last));
    Ok(Newest { last: whole.into_iter().next().or_else(|| covering.clone()), covering })
}

/// What the catalogue says of a vault, with up to `most` failing objects.
///
/// # Errors
/// As storage answers, and when the catalogue is damaged.
pub async fn known(app: &App, vault: &VaultName, most: usize) -> Result<Known> {
    let catalogue = app.catalogue()?;
    let mut known = Known { newest: newest(app, vault).await?, ..Known::default() };
    let view = catalogue.view(vault, None).await?;
    for line in catalogue.lines(&view).await? {
        let line = line?;
        let versions = line.entry.as_ref().map_or(0, |entry| entry.versions);
        if versions >= VERSIONS_WARNING && line.fared != Fared::Gone {
            known.many_versions.push((line.id(), versions));
        }
        if line.fared == Fared::Failed {
            known.failing_total += 1;
            if known.failing.len() < most {
                known.failing.push(line);
            }
        }
    }
    Ok(known)
}
