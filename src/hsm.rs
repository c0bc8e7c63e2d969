//! Backing up and restoring Managed HSMs.
//!
//! The service does the work; this module starts it once, follows it, and records the result. [`nightly`] and [`start`]
//! open a job, and [`reconcile`] brings every open job closer to its end once a minute: it carries out the moves that
//! [`HsmJob::next`](crate::domain::hsm::HsmJob::next) decides on.
//!
//! A start is sent at most once. The intent is recorded first, by compare-and-swap, so that of two processes one sends
//! it. If the answer is lost, the start is not repeated blindly: the pass first searches for the folder that the
//! operation would leave.

pub mod attest;
pub mod brought_back;
pub mod check;
pub mod folders;
pub mod nightly;
pub mod plan;
pub mod reconcile;
pub mod start;
pub mod suspects;

mod answer;
mod ends;
mod next;
mod operation;
mod safety;
mod unheard;

pub use self::plan::plan;
