//! The phases of Managed HSM jobs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::hsm;

/// The phase of a Managed HSM's job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HsmPhase)]
pub enum Phase {
    /// Nothing was sent yet; `waiting` says what the job waits for, if anything.
    Due,
    /// The service is checking whether the operation is possible.
    Checking,
    /// The service reported that the operation is possible.
    Checked,
    /// The start is being sent.
    Sending,
    /// The service is running the operation.
    Running,
    /// The answer to the start was lost. The start is not repeated blindly.
    Lost,
    /// The HSM is busy with an operation that this program did not start.
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
