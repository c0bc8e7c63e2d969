//! A cache of the runs whose messages arrive.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

use super::Catalogue;
use crate::{
    domain::{
        object::ObjectKind,
        plan::{Plan, PlanHeader},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// A run and its plan.
#[derive(Debug)]
pub struct KnownRun {
    /// The run's plan.
    pub plan: Plan,
    /// When the run was last seen without a manifest.
    seen_open: Mutex<OffsetDateTime>,
}

/// The most recently used run of each vault.
pub(super) type LastRuns = Mutex<BTreeMap<SourceName, Arc<Slot>>>;

pub(super) type Slot = tokio::sync::Mutex<Option<Arc<KnownRun>>>;

impl Catalogue {
    /// A run with its plan, or `None` if there is no such run. The plan is complete for `kind`.
    ///
    /// A plan never changes except for kinds that it left open, and the messages of a run arrive together: the last run
    /// of each vault is cached, and read once for all concurrent callers. For configured vaults only, because each name
    /// takes a slot.
    ///
    /// # Errors
    /// When the plan cannot be read.
    pub async fn known_run(
        &self,
        vault: &SourceName,
        run: &RunId,
        kind: ObjectKind,
    ) -> Result<Option<Arc<KnownRun>>> {
        let slot = Arc::clone(self.last_runs.lock().entry(vault.clone()).or_default());
        let mut slot = slot.lock().await;
        let says = |header: &PlanHeader| header.run == *run && !header.open_kinds().any(|open| open == kind);
        if let Some(known) = slot.as_ref().filter(|known| says(&known.plan.header)) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(plan) = self.plan(vault, run).await? else { return Ok(None) };
        let known = Arc::new(KnownRun { seen_open: Mutex::new(plan.header.planned), plan });
        *slot = Some(Arc::clone(&known));
        Ok(Some(known))
    }

    /// Whether a run has its manifest, as of a time at most `believed` before `now`.
    pub async fn was_closed(&self, run: &KnownRun, believed: Duration, now: OffsetDateTime) -> Result<bool> {
        if now - *run.seen_open.lock() < believed {
            return Ok(false);
        }
        let closed = self.is_closed(&run.plan.header).await?;
        if !closed {
            *run.seen_open.lock() = now;
        }
        Ok(closed)
    }
}
