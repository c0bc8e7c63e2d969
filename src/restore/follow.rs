//! Looking at a restore.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};

use super::object;
use crate::{
    app::App,
    domain::{
        object::ObjectId,
        restore::{Left, RestoreId, RestoreJob, RestoreNumbers, StepResult},
    },
    error::Result,
    jobs::StepState,
};

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its turn has not come.
    Pending,
    /// The vault is busy with its name.
    Waiting,
    /// It has ended.
    Ended(StepResult),
}

/// A restore with what became of each object.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its record, with the numbers as of now.
    pub job: RestoreJob,
    /// Its steps, in order.
    pub steps: BTreeMap<ObjectId, Progress>,
    /// What its plan leaves.
    pub left: Vec<Left>,
}

/// Looks at a restore, open or ended. `None` when there is none of that name.
///
/// # Errors
/// When it cannot be read, or its plan is gone.
pub async fn follow(app: &App, id: &RestoreId) -> Result<Option<Followed>> {
    let jobs = app.jobs()?;
    let Some(stored) = jobs.restore(id).await? else { return Ok(None) };
    let plan = object::plan_of(app, &stored.job).await?;
    let mut steps: BTreeMap<_, _> = plan.steps.iter().map(|step| (step.id(), Progress::Pending)).collect();
    let states = jobs.steps(id);
    pin_mut!(states);
    while let Some(page) = states.try_next().await? {
        for state in page {
            match state {
                StepState::Ended(outcome) => {
                    steps.insert(outcome.id(), Progress::Ended(outcome.result));
                }
                StepState::Waiting(id) => {
                    steps.insert(id, Progress::Waiting);
                }
            }
        }
    }
    let mut job = stored.job;
    if job.ended.is_none() {
        job.numbers = RestoreNumbers::of(&plan);
        for progress in steps.values() {
            if let Progress::Ended(result) = progress {
                job.numbers.add(result);
            }
        }
    }
    Ok(Some(Followed { job, steps, left: plan.left }))
}
