//! What the product is about, as values and pure functions.
//!
//! Nothing here performs I/O, reads a clock or knows an HTTP status; time is an argument. The words are
//! the field's:
//!
//! - a *vault* holds *objects*: secrets, keys and certificates, each with one or more *versions*;
//! - a *run* backs up a vault (or some of its objects) and is named by its *occurrence*;
//! - a run's *plan* says for every listed object whether it is backed up or skipped, and why;
//! - an *entry* describes one stored backup of one object;
//! - an *outcome* is what became of a planned object that has no entry;
//! - a run's *manifest*, written last, is what a reader believes: every listed object with its result,
//!   and for a whole-vault run the vault's *index*, the newest entry of every object, at that time.

pub mod asker;
pub mod audit;
pub mod blob;
pub mod digest;
pub mod entry;
pub mod filter;
pub mod folded;
pub mod hsm;
pub mod index;
pub mod job;
pub mod manifest;
pub mod message;
pub mod object;
pub mod outcome;
pub mod plan;
pub mod planned;
pub mod preflight;
pub mod record;
pub mod restore;
pub mod run;
pub mod versions;
