//! The actors that opened the open jobs, and turns to open more.

use std::{collections::BTreeMap, sync::Arc};

use futures::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::{Jobs, forms::read, restores::OPEN};
use crate::{
    azure::container::{Item, Listing},
    domain::{actor::Actor, right::Right},
    error::Result,
};

/// Locks of the callers that have opened jobs in this process, by right. Each caller holds a key or a role, so there
/// are few.
pub(super) type Turns = Mutex<BTreeMap<(Right, String), Arc<tokio::sync::Mutex<()>>>>;

/// A turn to open a job. Dropping it ends it.
pub type Turn = OwnedMutexGuard<()>;

impl Jobs {
    /// Waits until no other request of the caller opens a job by this right in this process. `None` for actors without
    /// a limit.
    pub async fn turn(&self, right: Right, by: &Actor) -> Option<Turn> {
        let turn = Arc::clone(self.turns.lock().entry((right, by.caller()?)).or_default());
        Some(turn.lock_owned().await)
    }

    /// The actor of each open job of a right. One request; with HSMs one more, and one for each of their open jobs.
    pub async fn openers(&self, right: Right, hsms: bool) -> Result<Vec<Actor>> {
        let mut openers = match right {
            Right::Backup => {
                self.backup_runs().await?.into_iter().filter_map(|stored| stored.job.by).collect()
            }
            Right::Restore => self.restorers().await?,
            Right::Terminal => Vec::new(),
        };
        if hsms {
            let jobs = self.hsm_jobs().await?.into_iter().map(|stored| stored.job);
            openers.extend(jobs.filter(|job| job.right() == Some(right)).map(|job| job.by));
        }
        Ok(openers)
    }

    /// The actors of the open restores. Announcements of older programs do not name theirs.
    async fn restorers(&self) -> Result<Vec<Actor>> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: true });
        let items: Vec<Item> = pages.try_concat().await?;
        Ok(items.iter().filter_map(|item| read(&item.metadata, "by")).collect())
    }
}
