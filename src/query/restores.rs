//! Restores into vaults and Managed HSMs.

use std::cmp::Reverse;

use time::{Duration, OffsetDateTime};

use super::listed::State;
use crate::{
    app::App,
    domain::{
        actor::Actor,
        hsm::{HsmJob, Task},
        restore::{RestoreId, RestoreJob},
        run::{RunId, Verdict},
        source::SourceName,
    },
    error::Result,
};

/// How many restores are read at once to find those that are wanted.
const FILTERED: usize = 100;

/// How often that many are read for one page.
const MOST_READS: usize = 20;

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

    /// The source whose backups are restored.
    pub fn source(&self) -> &SourceName {
        match self {
            Self::Vault(job) => &job.source,
            Self::Hsm(job) => match &job.task {
                Task::RestoreAll { source, .. } | Task::RestoreKeys { source, .. } => source,
                Task::Backup { .. } => &job.hsm,
            },
        }
    }

    /// The source that they are restored into.
    pub fn target(&self) -> &SourceName {
        match self {
            Self::Vault(job) => &job.target,
            Self::Hsm(job) => &job.hsm,
        }
    }

    /// Whether it is into a Managed HSM.
    pub const fn is_of_hsm(&self) -> bool {
        matches!(self, Self::Hsm(_))
    }

    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        matches!(self.state(), State::Open)
    }

    /// Who requested it.
    pub fn by(&self) -> &Actor {
        match self {
            Self::Vault(job) => &job.by,
            Self::Hsm(job) => &job.by,
        }
    }

    /// When it was requested.
    pub fn began(&self) -> OffsetDateTime {
        match self {
            Self::Vault(job) => job.opened,
            Self::Hsm(job) => job.opened,
        }
    }

    /// How it ended; `None` while it is open.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Vault(job) => job.ended.as_ref().map(|ended| ended.verdict),
            Self::Hsm(job) => job.ended.as_ref().map(|ended| ended.verdict),
        }
    }

    fn state(&self) -> State {
        self.verdict().map_or(State::Open, State::Ended)
    }
}

/// The restores to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those of this source's backups.
    pub source: Option<SourceName>,
    /// Only those into this vault or HSM.
    pub target: Option<SourceName>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that began at this time or later.
    pub since: Option<OffsetDateTime>,
}

impl Wanted {
    fn is_everything(&self) -> bool {
        let Self { source, target, state, since } = self;
        source.is_none() && target.is_none() && state.is_none() && since.is_none()
    }

    fn takes(&self, restore: &Restore) -> bool {
        self.source.as_ref().is_none_or(|source| source == restore.source())
            && self.target.as_ref().is_none_or(|target| target == restore.target())
            && self.state.is_none_or(|state| state == restore.state())
            && self.since.is_none_or(|since| restore.began() >= since)
    }
}

/// A page of restores, newest first.
#[derive(Debug)]
pub struct Page {
    /// The restores.
    pub restores: Vec<Restore>,
    /// The last one that was read, when there may be more after it.
    pub next: Option<RestoreId>,
}

/// Up to `limit` restores after `after`, or the newest ones. A page may have fewer, even none, and more may follow.
///
/// # Errors
/// Those of storage.
pub async fn page(app: &App, wanted: &Wanted, after: Option<&RestoreId>, limit: usize) -> Result<Page> {
    let (mut restores, mut last) = (Vec::new(), after.cloned());
    let size = if wanted.is_everything() { limit } else { limit.max(FILTERED) };
    for _ in 0..MOST_READS {
        let read = read(app, last.as_ref(), size).await?;
        let is_end = read.len() < size;
        for (id, restore) in read {
            if wanted.since.is_some_and(|since| restore.began() < since - Duration::MINUTE) {
                return Ok(Page { restores, next: None });
            }
            last = Some(id);
            restores.extend(Some(restore).filter(|restore| wanted.takes(restore)));
            if restores.len() == limit {
                return Ok(Page { restores, next: last });
            }
        }
        if is_end {
            return Ok(Page { restores, next: None });
        }
    }
    Ok(Page { restores, next: last })
}

/// Up to `limit` restores after `after`, newest first, whatever they are.
async fn read(app: &App, after: Option<&RestoreId>, limit: usize) -> Result<Vec<(RestoreId, Restore)>> {
    let jobs = app.jobs()?;
    let of_vaults = jobs.restores(after, limit).await?.into_iter();
    let of_vaults = of_vaults.map(|job| (job.id.clone(), Restore::Vault(Box::new(job))));
    let of_hsms = jobs.hsm_restores(after, limit).await?.into_iter();
    let of_hsms = of_hsms.filter_map(|job| Some((job.restore()?, Restore::Hsm(Box::new(job)))));
    let mut found: Vec<_> = of_vaults.chain(of_hsms).collect();
    found.sort_by_key(|(id, _)| (Reverse(id.asked()), id.clone()));
    found.truncate(limit);
    Ok(found)
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
