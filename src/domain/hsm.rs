//! Managed HSMs as values.
//!
//! An HSM backs itself up: the service writes a folder into a container, and this program starts the operation once and
//! follows it. An [`HsmJob`] is such an operation: a backup, the restore of a whole HSM, or the restore of some keys.
//! [`HsmJob::next`], which is pure, decides what a pass does about a job; the service has no list of its operations, so
//! the job's record is all that is known of one.

mod attestation;
mod backup;
mod contents;
mod copy;
mod grant;
mod inventory;
mod job;
mod key_outcome;
mod next;
mod plan;

pub use self::{
    attestation::{
        ATTESTATION_FORMAT, ATTESTED_FOR, Attestation, MOST_PEOPLE, Person, PersonError, Quorum, QuorumError,
        is_overdue,
    },
    backup::{BACKUP_FORMAT, Folder, HsmBackup, Seen},
    contents::{Contents, ContentsState},
    copy::{COPY_FORMAT, Copies, CopyEnd, HsmCopy, Missing, NotCopied, blobs_to_copy},
    grant::{RestoreGrant, open_grants},
    inventory::{Differences, FolderBlob, INVENTORY_FORMAT, Inventory},
    job::{HSM_JOB_FORMAT, HsmEnd, HsmJob, Phase, Task},
    key_outcome::{KeyOutcome, KeyResult},
    next::{Context, Fit, LOST_FOR, Move, RUNS_FOR, UNREADABLE_FOR, WAITS_FOR},
    plan::{
        HSM_PLAN_FORMAT, HsmObstacle, HsmPlan, HsmRequest, HsmWorld, KeyHeld, KeyPlan, Safety, What, plan_hsm,
    },
};
