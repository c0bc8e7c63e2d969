//! Records of the steps of a restore: waiting steps and outcomes.

use futures::{Stream, StreamExt as _};
use time::OffsetDateTime;

use super::{
    Jobs,
    forms::{outcome_in, record_in},
    metadata,
};
use crate::{
    azure::{
        container::{Listing, Written},
        error::Meaning,
    },
    domain::{
        object::ObjectId,
        outcome::Failure,
        restore::{Hindrance, RESTORE_FORMAT, RestoreId, StepOutcome, Waiting},
    },
    error::{Error, Result},
};

/// Outcomes per listing request. One with a failure has about a kilobyte, most of it text.
const PAGE: u16 = 500;

/// The state of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It has ended.
    Ended(StepOutcome),
    /// It waits for its vault, or for this program's own services. The failure is what they answered.
    Waiting(ObjectId, Option<Failure>),
}

impl Jobs {
    /// Whether a step has ended.
    pub async fn has_outcome(&self, id: &RestoreId, object: &ObjectId) -> Result<bool> {
        Ok(self.container.metadata(&step_name(id, object, "outcome")).await?.is_some())
    }

    /// Records the outcome of a step. Safe to run twice: the first record stays, unless it is a failure and this one is
    /// not. A result read from the vault counts for more than the failure of one try, or of a copy of its message.
    pub async fn record_step(&self, id: &RestoreId, outcome: &StepOutcome) -> Result<()> {
        let name = step_name(id, &outcome.id(), "outcome");
        let record = metadata("outcome", outcome)?;
        let created = self.container.create(&name, Vec::new(), record.clone()).await?;
        if created == Written::Created || outcome.result.is_failure() {
            return Ok(());
        }
        let Some((found, etag)) = self.container.state(&name).await? else { return Ok(()) };
        let failed = match record_in::<StepOutcome>(&name, &found, "outcome", RESTORE_FORMAT) {
            Ok(first) => first.result.is_failure(),
            // A damaged outcome counts as a failure.
            Err(Error::Damaged { .. }) => true,
            Err(error) => return Err(error),
        };
        if failed {
            match self.container.replace(&name, &etag, record).await {
                Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
                replaced => replaced?,
            }
        }
        Ok(())
    }

    /// Records that a step waits and for what, and returns the record. Safe to run twice. If the record cannot be read,
    /// the step counts as waiting since the restore was requested: no step waits for ever.
    pub async fn wait(
        &self,
        id: &RestoreId,
        object: &ObjectId,
        by: &Hindrance,
        now: OffsetDateTime,
    ) -> Result<Waiting> {
        let name = step_name(id, object, "waiting");
        loop {
            let Some((found, etag)) = self.container.state(&name).await? else {
                let waiting = Waiting::after(None, by, now);
                match self.container.create(&name, Vec::new(), metadata("waiting", &waiting)?).await? {
                    Written::Created => return Ok(waiting),
                    Written::AlreadyThere => continue,
                }
            };
            let before = match record_in(&name, &found, "waiting", RESTORE_FORMAT) {
                Err(error @ Error::Damaged { .. }) => {
                    tracing::error!(blob.name = %name, "{error}");
                    Waiting::since(id.asked())
                }
                before => before?,
            };
            let waiting = Waiting::after(Some(&before), by, now);
            if waiting == before {
                return Ok(waiting);
            }
            // A copy of the step's message may have met another hindrance, which counts as well.
            match self.container.replace(&name, &etag, metadata("waiting", &waiting)?).await {
                Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
                replaced => return Ok(replaced.map(|()| waiting)?),
            }
        }
    }

    /// Whether a step waits.
    pub async fn waits(&self, id: &RestoreId, object: &ObjectId) -> Result<bool> {
        Ok(self.container.metadata(&step_name(id, object, "waiting")).await?.is_some())
    }

    /// The record that a step waits, if it does.
    pub async fn waiting(&self, id: &RestoreId, object: &ObjectId) -> Result<Option<Waiting>> {
        match self.record_of(&step_name(id, object, "waiting"), "waiting").await {
            Err(Error::Damaged { .. }) => Ok(None),
            found => found,
        }
    }

    /// The states of a restore's steps, in order, page by page. A step that waited and ended appears once, as ended; a
    /// step without a record does not appear. An outcome that cannot be read counts as a failure, so that the restore
    /// can end.
    pub fn steps(&self, id: &RestoreId) -> impl Stream<Item = Result<Vec<StepState>>> + use<> {
        let (prefix, asked) = (format!("restore-steps/{id}/"), id.asked());
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: true };
        let mut ended: Option<ObjectId> = None;
        self.container.list(listing).map(move |page| {
            let mut states = Vec::new();
            for item in page? {
                let Some((object, leaf)) = parse_step(&prefix, &item.name) else { continue };
                match leaf {
                    // `outcome` sorts before `waiting`.
                    "outcome" => {
                        states.push(StepState::Ended(outcome_in(&item, &object, asked)?));
                        ended = Some(object);
                    }
                    "waiting" if ended.as_ref() != Some(&object) => {
                        // A step whose record cannot be read waits like any other.
                        let read =
                            record_in::<Waiting>(&item.name, &item.metadata, "waiting", RESTORE_FORMAT);
                        states.push(StepState::Waiting(object, read.ok().and_then(|of| of.refused)));
                    }
                    _ => {}
                }
            }
            Ok(states)
        })
    }
}

fn step_name(id: &RestoreId, object: &ObjectId, leaf: &str) -> String {
    format!("restore-steps/{id}/{}/{}/{leaf}", object.kind, object.name.folded())
}

fn parse_step<'n>(prefix: &str, name: &'n str) -> Option<(ObjectId, &'n str)> {
    let mut parts = name.strip_prefix(prefix)?.splitn(3, '/');
    let object = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((object, parts.next()?))
}
