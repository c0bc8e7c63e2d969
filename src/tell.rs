//! Tells of the status to readers outside: as numbers to watch.
//!
//! Each rendering is a function of a [`Status`](crate::query::status::Status), and decides nothing itself. What is well is
//! said by [`domain::state`](crate::domain::state) alone.

pub mod metrics;
