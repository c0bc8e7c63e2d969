//! Looking at what is there: backups, runs, how each vault and HSM is doing. Reads only.

pub mod callers;
pub mod hsms;
pub mod nothing;
pub mod objects;
pub mod passes;
pub mod runs;
pub mod vaults;
