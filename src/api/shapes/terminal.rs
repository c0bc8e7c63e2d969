//! What the command line tool prints as JSON and the HTTP API does not answer.
//!
//! The names and types of fields are those of the API. `docs/terminal.schema.json` is made of these shapes and of those
//! that the tool shares with the API: see [`schema`].

pub mod acknowledged;
pub mod audit;
pub mod diff;
pub mod evidence;
pub mod hsm;
pub mod listing;
pub mod notify;
pub mod plan;
pub mod restore;
pub mod retention;
pub mod run;
mod schema;
pub mod verify;

pub use self::{
    acknowledged::{AcceptanceItem, Acceptances, AcknowledgedRun},
    audit::{Trail, TrailCheck},
    diff::Differences,
    evidence::EvidenceWritten,
    hsm::{Attested, HsmCheck, HsmCopiedBack, HsmStatuses},
    listing::{ObjectItem, Objects, VaultItem, Vaults},
    notify::{NotifyTest, TestedTarget},
    plan::{BackupPlan, FileBackup},
    restore::{FileRestore, Jobs, RestoreResult},
    retention::{HoldItem, Holds, LegalHolds, RetentionApplied, RetentionDecided, RetentionForget},
    run::{CheckedManifest, Rebuilt, RunReport},
    schema::schema,
    verify::{FileVerified, VerifiedSource, VerifyReport},
};
