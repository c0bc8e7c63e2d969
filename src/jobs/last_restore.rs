//! The restore whose messages come in.

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
    id: RestoreId,
    /// Its plan.
    pub plan: RestorePlan,
}

/// The restore that was last asked for.
pub(super) type LastRestore = Mutex<Option<Arc<KnownRestore>>>;

impl Jobs {
    /// A restore by its plan, or `None` when there is no such restore. The last one is kept: its plan never changes,
    /// and its messages come one after the other.
    ///
    /// # Errors
    /// As [`Jobs::plan_of`].
    pub async fn known_restore(&self, id: &RestoreId) -> Result<Option<Arc<KnownRestore>>> {
        let known = self.last_restore.lock().clone().filter(|known| known.id == *id);
        if known.is_some() {
            return Ok(known);
        }
        let Some(stored) = self.restore(id).await? else { return Ok(None) };
        let plan = self.plan_of(&stored.job).await?;
        let known = Arc::new(KnownRestore { id: id.clone(), plan });
        *self.last_restore.lock() = Some(Arc::clone(&known));
        Ok(Some(known))
    }

    /// The plan of a recorded restore.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is gone or not the plan that was agreed to.
    pub async fn plan_of(&self, job: &RestoreJob) -> Result<RestorePlan> {
        let gone = || Error::Damaged {
            blob: format!("the plan {} of restore {}", job.plan, job.id),
            text: "it is gone".into(),
        };
        self.restore_plan(&job.plan).await?.ok_or_else(gone)
    }
}
