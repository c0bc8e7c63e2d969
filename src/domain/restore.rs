//! Restores, as values.
//!
//! A [`Request`] says what is wanted. [`plan_restore`] makes a [`RestorePlan`] of it from the index and from
//! what the target holds. The plan is the dry run: printing it changes nothing, and what carries it out
//! decides nothing. A [`RestoreJob`] is a plan that is being carried out, and each of its steps ends in a
//! [`StepOutcome`].

mod id;
mod job;
mod plan;
mod request;
mod step;

pub use self::{
    id::{RestoreId, RestoreIdError},
    job::{Ended, Need, RESTORE_FORMAT, RestoreJob, RestoreNumbers},
    plan::{Action, Held, Left, PLAN_FORMAT, Place, Reason, RestorePlan, Step, World, plan_restore},
    request::{OnConflict, Request, Selection},
    step::{RestoreMessage, StepOutcome, StepResult, Waiting},
};
