//! Restores into vaults and Managed HSMs.

use std::cmp::Reverse;

use crate::{
    app::App,
    domain::{
        hsm::HsmJob,
        restore::{RestoreId, RestoreJob},
        run::RunId,
    },
    error::Result,
};

/// A restore.
#[derive(Clone, Debug)]
pub enum Restore {
    /// Into a vault.
    Vault(Box<RestoreJob>),
    /// Into an HSM.
    Hsm(Box<HsmJob>),
}

impl Restore {
    /// Its name.
    pub fn id(&self) -> RunId {
        match self {
            Self::Vault(job) => job.id.clone().into(),
            Self::Hsm(job) => job.id.clone(),
        }
    }
}

/// A page of restores, newest first.
#[derive(Debug)]
pub struct Page {
    /// The restores.
    pub restores: Vec<Restore>,
    /// The last of them, when there may be more after it.
    pub next: Option<RestoreId>,
}

/// Up to `limit` restores after `after`, or the newest ones.
pub async fn page(app: &App, after: Option<&RestoreId>, limit: usize) -> Result<Page> {
    let jobs = app.jobs()?;
    let of_vaults = jobs.restores(after, limit).await?.into_iter();
    let of_vaults = of_vaults.map(|job| (job.id.clone(), Restore::Vault(Box::new(job))));
    let of_hsms = jobs.hsm_restores(after, limit).await?.into_iter();
    let of_hsms = of_hsms.filter_map(|job| Some((job.restore()?, Restore::Hsm(Box::new(job)))));
    let mut found: Vec<_> = of_vaults.chain(of_hsms).collect();
    found.sort_by_key(|(id, _)| (Reverse(id.asked()), id.clone()));
    found.truncate(limit);
    let next = found.last().filter(|_| found.len() == limit).map(|(id, _)| id.clone());
    Ok(Page { restores: found.into_iter().map(|(_, restore)| restore).collect(), next })
}

/// A restore by its name, or `None` when there is none of that name.
pub async fn one(app: &App, id: &RestoreId) -> Result<Option<Restore>> {
    if let Some(stored) = app.jobs()?.restore(id).await? {
        return Ok(Some(Restore::Vault(Box::new(stored.job))));
    }
    Ok(of_hsm(app, id).await?.map(|job| Restore::Hsm(Box::new(job))))
}

/// A restore into an HSM by its name, or `None` when there is none of that name.
pub async fn of_hsm(app: &App, id: &RestoreId) -> Result<Option<HsmJob>> {
    app.jobs()?.hsm_restore(id).await
}
