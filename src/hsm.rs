//! Backing up and restoring Managed HSMs.
//!
//! The service does the work; this starts it once, watches it, and records what came of it. A job goes from
//! look to look: [`nightly`] and [`start`] open it, [`advance`] looks at every open job once a minute,
//! and [`look`] does what [`HsmJob::next`](crate::domain::hsm::HsmJob::next) says.
//!
//! A start is sent exactly once. Whoever sends it notes that first, conditionally on the record being as it was
//! read, so of two processes one sends it. When the answer is lost, nobody sends it again blindly: the folder
//! that the operation leaves is looked for.

pub mod advance;
pub mod check;
pub mod look;
pub mod nightly;
pub mod plan;
pub mod start;

mod answer;
mod ends;
mod folders;
mod next;
mod operation;
mod safety;
mod unheard;

pub use self::plan::plan;
