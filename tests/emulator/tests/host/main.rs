//! The Functions host player against a scripted handler: this very executable, started again.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of a test fail it by panicking")]

mod handler;
mod http;
mod invocations;
mod process;
mod queues;
mod settings;
mod timers;
mod world;
