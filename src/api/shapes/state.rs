//! The state of a job, and the scope of a run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{domain::run, query::listed};

/// The scope of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole source.
    Vault,
    /// Some objects, by name.
    Objects,
    /// A whole Managed HSM.
    Hsm,
}

impl From<run::Scope> for Scope {
    fn from(scope: run::Scope) -> Self {
        match scope {
            run::Scope::Vault => Self::Vault,
            run::Scope::Objects => Self::Objects,
        }
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum State {
    /// The job has not ended.
    Running,
    /// Everything was done, or skipped for a valid reason.
    Succeeded,
    /// Some of it failed, or could not be listed.
    PartiallyFailed,
    /// Nothing was done.
    Failed,
    /// The job ended, but its record has lost its summary.
    Unreadable,
}

impl From<run::Verdict> for State {
    fn from(verdict: run::Verdict) -> Self {
        match verdict {
            run::Verdict::Succeeded => Self::Succeeded,
            run::Verdict::PartiallyFailed => Self::PartiallyFailed,
            run::Verdict::Failed => Self::Failed,
        }
    }
}

impl From<State> for listed::State {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Open,
            State::Succeeded => Self::Ended(run::Verdict::Succeeded),
            State::PartiallyFailed => Self::Ended(run::Verdict::PartiallyFailed),
            State::Failed => Self::Ended(run::Verdict::Failed),
            State::Unreadable => Self::Unreadable,
        }
    }
}
