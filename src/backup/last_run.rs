//! The run that a message speaks of.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

use super::object::Attempt;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        message::Message,
        object::VaultName,
        plan::{Plan, Planned},
        run::RunId,
    },
    error::{Error, Result},
};

/// How long a run that was seen open is believed to be open by the first try of a message. A look at every
/// message would be one request more for each object.
const BELIEVED_OPEN: Duration = Duration::MINUTE;

/// A run, as its plan has it.
#[derive(Debug)]
pub struct Known {
    /// The run's plan.
    pub plan: Plan,
    /// When the run was last seen without a manifest.
    seen_open: Mutex<OffsetDateTime>,
}

impl Known {
    /// What the plan says of the object that a message asks for.
    ///
    /// # Errors
    /// When the plan does not back it up.
    pub fn planned(&self, message: &Message) -> Result<Planned> {
        let (id, header) = (message.id(), &self.plan.header);
        let planned = self.plan.objects.find(&id).filter(|planned| planned.decision.backs_up());
        planned.ok_or_else(|| {
            Error::Refused(format!("run {} of vault {} does not back up {id}", header.run, header.vault))
        })
    }

    /// Whether the run has its manifest. For the first try of a message, the answer may be a minute old.
    pub async fn is_closed(&self, app: &App, attempt: Attempt, clock: &Clock) -> Result<bool> {
        let now = clock.now();
        if attempt == Attempt::First && now - *self.seen_open.lock() < BELIEVED_OPEN {
            return Ok(false);
        }
        let closed = app.catalogue()?.is_closed(&self.plan.header).await?;
        if !closed {
            *self.seen_open.lock() = now;
        }
        Ok(closed)
    }
}

/// The run of each vault that was last worked on: its messages come one after the other, and its plan never
/// changes.
#[derive(Debug, Default)]
pub struct LastRuns(Mutex<BTreeMap<VaultName, Arc<Slot>>>);

type Slot = tokio::sync::Mutex<Option<Arc<Known>>>;

impl LastRuns {
    /// A run of a configured vault. Its plan is read once, however many ask for it at the same time.
    ///
    /// # Errors
    /// When there is no such run, or its plan cannot be read.
    pub async fn get(&self, app: &App, vault: &VaultName, run: &RunId) -> Result<Arc<Known>> {
        let slot = Arc::clone(self.0.lock().entry(vault.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.plan.header.run == *run) {
            return Ok(Arc::clone(known));
        }
        let unknown = || Error::Refused(format!("there is no run {run} of vault {vault}"));
        let plan = app.catalogue()?.plan(vault, run).await?.ok_or_else(unknown)?;
        let known = Arc::new(Known { seen_open: Mutex::new(plan.header.planned), plan });
        *slot = Some(Arc::clone(&known));
        Ok(known)
    }
}
