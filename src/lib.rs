//! x
pub mod app;
pub mod azure;
pub mod backup;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod jobs;
pub mod telemetry;
pub mod triggers;
