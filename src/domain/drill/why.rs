//! How a drill's restore ended, and why.

use serde::{Deserialize, Serialize};

use crate::domain::outcome::Failure;

/// How a drill's restore ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum Rehearsed {
    /// Every object of the sample was restored and compared, and no target was missed.
    Succeeded,
    /// Something was not, or a target was missed, or the drill could not take place.
    Failed,
    /// It did not end in its time.
    TimedOut,
    /// Nothing was restored: a Managed HSM without a drill HSM, of which only what storage and the service say was looked at.
    NotRestored,
}

/// A reason, with a stable code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Its code.
    pub code: String,
    /// What happened, and what to do.
    pub text: String,
}

impl Why {
    /// A reason.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

impl From<Failure> for Why {
    fn from(of: Failure) -> Self {
        Self { code: of.code, text: of.text }
    }
}
