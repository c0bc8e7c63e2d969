//! A cache of the restore whose messages arrive.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Jobs;
use crate::{
    domain::restore::{RestoreId, RestoreJob, RestorePlan},
    error::{Error, Result},
};

/// A restore and its plan.
#[derive(Debug)]
pub struct KnownRestore {
    /// Its record as it was first read. What it says of the restore's begin does not change.
    pub job: RestoreJob,
    /// Its plan.
    pub plan: RestorePlan,
}

/// The most recently used restore.
pub(super) type LastRestore = Mutex<Option<Arc<KnownRestore>>>;

impl Jobs {
    /// A restore with its plan, or `None` if there is no such restore. The last one is cached: its plan never changes,
    /// and its messages arrive together.
    ///
    /// # Errors
    /// As [`Jobs::plan_of`].
    pub async fn known_restore(&self, id: &RestoreId) -> Result<Option<Arc<KnownRestore>>> {
        let known = self.last_restore.lock().clone().filter(|known| known.job.id == *id);
        if known.is_some() {
            return Ok(known);
        }
        let Some(stored) = self.restore(id).await? else { return Ok(None) };
        let plan = self.plan_of(&stored.job).await?;
        let known = Arc::new(KnownRestore { job: stored.job, plan });
        *self.last_restore.lock() = Some(Arc::clone(&known));
        Ok(Some(known))
    }

    /// The plan of a recorded restore.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is gone, or is not the plan that was agreed to.
    pub async fn plan_of(&self, job: &RestoreJob) -> Result<RestorePlan> {
        let gone = || Error::Damaged {
            blob: format!("the plan {} of restore {}", job.plan, job.id),
            text: "it is gone".into(),
        };
        self.restore_plan(&job.plan).await?.ok_or_else(gone)
    }
}
