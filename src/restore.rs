//! Restoring backups into a vault.
//!
//! [`plan()`] reads and decides; the code that carries a plan out decides nothing. A restore has these steps. Each is
//! safe to run twice and continues where another process stopped:
//!
//! 1. [`submit`]: plan again, for a caller of the HTTP API; [`start`]: take the target, record the restore;
//! 2. [`send`]: queue one message for each step, or do the work [in this process](mod@here), or, of a few steps, while the
//!    caller waits;
//! 3. [`object`]: one attempt of one step, and the record of its result;
//! 4. [`reconcile`]: retry the steps that wait for a busy vault, and end the restore when each step has ended. A restore
//!    of a few steps ends with its last one.
//!
//! What the settings demand before a plan is carried out is checked by [`guard`](crate::guard); [`approve`] has the
//! approvals.
//!
//! A [`step`] is safe to run twice because an object that is equal to its backup counts as restored, whichever process
//! restored it.

pub mod abandon;
pub mod any_plan;
pub mod approve;
pub mod follow;
pub mod here;
pub mod keep;
pub mod object;
pub mod pace;
pub mod plan;
pub mod reconcile;
pub mod send;
pub mod start;
pub mod step;
pub mod submit;
mod unusable;

pub use self::plan::plan;
