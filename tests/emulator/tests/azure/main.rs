//! The emulated Azure, called over its proxy.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test, like the tests themselves")]

mod client;
mod copy;
mod faults;
mod forward;
mod hsm;
mod kept;
mod known;
mod life;
mod program;
mod rights;
mod storage;
mod vault;
