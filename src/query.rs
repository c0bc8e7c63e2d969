//! Queries: backups, runs, and the state of each vault and HSM. Read only.

pub mod callers;
pub mod hsms;
pub mod nothing;
pub mod objects;
pub mod passes;
pub mod runs;
pub mod vaults;
