//! Looking at what is there: backups, runs, how each vault is doing. Reads only.

pub mod objects;
pub mod runs;
pub mod vaults;
