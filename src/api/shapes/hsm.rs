//! How far a Managed HSM's job is.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::hsm::{self, HsmJob};

/// How far a job of an HSM is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HsmPhase)]
pub enum Phase {
    /// Nothing was sent; `waiting` says what it waits for, if for anything.
    Due,
    /// The service checks whether it could be done.
    Checking,
    /// The service said that it could be done.
    Checked,
    /// The start is being sent.
    Sending,
    /// The service is at it.
    Running,
    /// The answer to the start was lost. It is not sent again blindly.
    Lost,
    /// The HSM is busy with something that this program did not start.
    Occupied,
}

impl From<&hsm::Phase> for Phase {
    fn from(phase: &hsm::Phase) -> Self {
        use hsm::Phase as Of;
        match phase {
            Of::Due { .. } => Self::Due,
            Of::Checking { .. } => Self::Checking,
            Of::Checked => Self::Checked,
            Of::Sending { .. } => Self::Sending,
            Of::Running { .. } => Self::Running,
            Of::Lost { .. } => Self::Lost,
            Of::Occupied { .. } => Self::Occupied,
        }
    }
}

/// The service's name for the operation that a job waits for.
pub(super) fn operation(job: &HsmJob) -> Option<String> {
    match &job.phase {
        hsm::Phase::Running { job, .. } => Some(job.clone()),
        _ => None,
    }
}
