//! Restoring backups into a vault.
//!
//! [`plan()`] looks and decides; what carries a plan out decides nothing. A restore goes through these steps,
//! each safe to run twice and each able to go on where another process stopped:
//!
//! 1. [`start`]: plan again, take the target, record the restore;
//! 2. [`send`]: one queue message for each step, or the work is done [here](mod@here);
//! 3. [`object`]: one try of one step, and a record of what came of it;
//! 4. [`advance`]: try again what waits for a busy vault, and end the restore when each step has ended.
//!
//! A [`step`] is safe to run twice because an object that is there as its backup has it counts as restored,
//! whoever restored it.

pub mod abandon;
pub mod advance;
pub mod follow;
pub mod here;
pub mod object;
pub mod plan;
pub mod send;
pub mod start;
pub mod step;

pub use self::plan::plan;
