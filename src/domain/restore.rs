//! Restores as values.
//!
//! A [`Request`] says what to restore. [`plan_restore`] turns it into a [`RestorePlan`], using the index and what the
//! target holds. The plan is the dry run: printing it changes nothing, and the code that carries it out decides
//! nothing. A [`RestoreJob`] is a plan that is being carried out, and each of its steps ends in a [`StepOutcome`].

mod approval;
mod barred;
mod compare;
mod id;
mod job;
mod numbers;
mod pace;
mod pairs;
mod plan;
mod reason;
mod request;
mod rivals;
mod step;
mod target;
mod waiting;

pub use self::{
    approval::{APPROVAL_FORMAT, Approval, Approvals, Planner},
    barred::{Barred, Lacking, Unfit},
    compare::{COVERED, Difference, compare},
    id::{RestoreId, RestoreIdError},
    job::{Cut, Ended, Holding, Need, RESTORE_FORMAT, RestoreJob},
    numbers::RestoreNumbers,
    pace::Pace,
    pairs::Pairs,
    plan::{Action, PLAN_FORMAT, RestorePlan, Step, plan_restore},
    reason::{Excluded, Reason},
    request::{OnConflict, OnDamaged, Request, Selection},
    step::{RestoreMessage, StepOutcome, StepResult},
    target::{Held, Unusable, World},
    waiting::{Hindrance, Waiting, in_turn, room_to_wait},
};
