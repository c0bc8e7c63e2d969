//! Looking at what is there: backups, runs, how each vault and HSM is doing. Reads only.

pub mod hsms;
pub mod objects;
pub mod runs;
pub mod vaults;
