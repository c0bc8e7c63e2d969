//! Evidence: the record of each day, and reports that are made from these records alone.
//!
//! [`record`] makes the record of yesterday from what is stored, in the night after it. It makes no other day's: what was
//! not recorded in time stays a gap, for what storage shows later is not what it showed then. [`report`] reads the
//! records of a period, and [`html`], [`csv`] and [`sums`] write what follows from them.

mod csv;
mod files;
mod html;
pub mod record;
pub mod report;
mod source;

pub use self::files::{CSV, File, HTML, JSON, SUMS, csv, html, sums};
