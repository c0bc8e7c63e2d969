//! What the product is about, as values and pure functions.
//!
//! Nothing here performs I/O, reads a clock or knows an HTTP status; time is an argument. The words are
//! the field's:
//!
//! - a *vault* holds *objects*: secrets, keys and certificates, each with one or more *versions*;
//! - a *run* backs up a vault (or some of its objects) and is named by its *occurrence*;
//! - a run's *plan* says for every listed object whether it is backed up or skipped, and why;
//! - a *supplement* says the same later of a kind that the plan had to leave out, because it could not be listed then;
//! - an *entry* describes one stored backup of one object; its *form* is whether this program knows how the backup is made;
//! - a backup's *form* is how the service wraps it; one that this program does not know is kept like any other, and said;
//! - an *outcome* is what became of a planned object that has no entry;
//! - a *line* says of one object how it *fared* in a run, and carries its newest entry; what it carries of an earlier
//!   object of the name, such as of a secret whose name a certificate has now, is its *former* backup;
//! - a *loss* is much of a vault that is gone at once; it is open until the objects are back or a person at a terminal has
//!   *acknowledged* it;
//! - a failure is *accepted* when a person answers for it, until a date and for one reason;
//! - a run's *manifest*, written last, is what a reader believes: every listed object with its result,
//!   and for a whole-vault run the vault's *index*, the newest entry of every object, at that time.

pub mod acknowledged;
pub mod asker;
pub mod audit;
pub mod blob;
pub mod bound;
pub mod digest;
pub mod entry;
pub mod fate;
pub mod filter;
pub mod folded;
pub mod form;
pub mod hsm;
pub mod index;
pub mod job;
pub mod lease;
pub mod lists;
pub mod loss;
pub mod manifest;
pub mod merge;
pub mod message;
pub mod nearest;
pub mod night;
pub mod nothing;
pub mod object;
pub mod outcome;
pub mod place;
pub mod plan;
pub mod planned;
pub mod preflight;
pub mod record;
pub mod restore;
pub mod right;
pub mod rounds;
pub mod run;
#[cfg(test)]
mod samples;
pub mod schedule;
pub mod supplement;
pub mod tags;
pub mod versions;
pub mod watch;
pub mod whereabouts;
pub mod wording;
