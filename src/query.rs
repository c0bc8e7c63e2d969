//! Queries about backups, runs, and the state of each vault and HSM. Read only.

pub mod callers;
pub mod diff;
pub mod drills;
pub mod health;
pub mod hsms;
pub mod jobs;
pub mod keeper;
pub mod listed;
pub mod nothing;
pub mod notices;
pub mod objects;
pub mod passes;
pub mod restores;
pub mod runs;
pub mod second;
pub mod sources;
pub mod status;
pub mod trail;
pub mod vaults;
pub mod version;

/// Sources that are read concurrently.
const SOURCES_AT_ONCE: usize = 8;
