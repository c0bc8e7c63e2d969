//! Open backup runs and restores, in a container whose blobs may be changed and deleted.
//!
//! ```text
//! backup-runs/VAULT/RUN                          an open run
//! failing/VAULT/RUN/KIND/NAME                    the last failure of an object of an open run, to be tried again
//! restore-plans/DIGEST.json.gz                   the plan of a restore, asked for but not necessarily started
//! restore-planners/DIGEST/CALLER                 who planned a restore that needs an approval
//! restore-approvals/DIGEST                       the approval of a plan, and the restore that began by it
//! restore-keys/KEY                               the restore that an idempotency key stands for
//! open-restores/RESTORE                          exists while the restore is open, and says who started it
//! restore-targets/VAULT                          the lease of the restore that has this vault
//! restores/COUNTDOWN-RESTORE                     the record of a restore; stays after its end
//! restore-steps/RESTORE/KIND/NAME/outcome        the outcome of a step
//! restore-steps/RESTORE/KIND/NAME/waiting        since when a step waits for a busy vault
//! passes/ROLE                                    when `AdvanceJobs` last ran in the app of a role, which nights are
//!                                                settled, and whether it refuses every caller
//! hsm-jobs/HSM/JOB                               an open job of an HSM, in the blob itself
//! hsm-restores/COUNTDOWN-RESTORE                 a restore of an HSM that has ended
//! hsm-targets/HSM                                the restore that has this HSM
//! hsm-plans/DIGEST.json                          the plan of an HSM's restore
//! verifications/KIND/SOURCE                      a verification that is under way, in the blob itself
//! drills/VAULT                                   a drill that is under way in a drill vault, in the blob itself
//! second/pass                                    the newest pass over the second place, in the blob itself
//! notices/PART                                   what was told, and what is still to be delivered, in the blob itself
//! ```
//!
//! Records without such a remark, other than plans and HSM jobs, are in the blobs' metadata, so that one listing reads them all. Nothing here
//! is needed to restore: the catalogue is complete without it.

mod approvals;
mod backup_runs;
mod drills;
mod failing;
mod forms;
mod hsm;
mod hsm_drills;
mod last_restore;
mod notices;
mod openers;
mod passes;
mod restores;
mod second;
mod steps;
mod strays;
mod targets;
mod verifications;

use std::sync::{Arc, atomic::AtomicBool};

use parking_lot::Mutex;

pub use self::{
    approvals::StoredApproval,
    backup_runs::{OpenRuns, Stored, Unread},
    drills::StoredDrill,
    hsm::StoredHsmJob,
    hsm_drills::StoredHsmDrill,
    last_restore::KnownRestore,
    notices::StoredNotices,
    openers::Turn,
    restores::{Claim, StoredRestore, Taken},
    steps::StepState,
    strays::Stray,
    verifications::StoredVerification,
};
use self::{last_restore::LastRestore, notices::Looked, openers::Turns, passes::Kept, targets::Believed};
use crate::{
    azure::container::{Container, Metadata},
    domain::record::record,
    error::{Error, Result, damaged},
};

/// The open jobs of one container. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    container: Container,
    last_restore: Arc<LastRestore>,
    turns: Arc<Turns>,
    believed: Arc<Believed>,
    kept: Arc<Mutex<Kept>>,
    looked: Arc<Mutex<Looked>>,
    without_hsms: Arc<AtomicBool>,
}

impl Jobs {
    /// The jobs in a container, which may be empty.
    pub fn new(container: Container) -> Self {
        Self {
            container,
            last_restore: Arc::default(),
            turns: Arc::default(),
            believed: Arc::default(),
            kept: Arc::default(),
            looked: Arc::default(),
            without_hsms: Arc::default(),
        }
    }
}

fn metadata(key: &str, value: &impl serde::Serialize) -> Result<Metadata> {
    let unwritable =
        |error: serde_json::Error| Error::Damaged { blob: "a job's record".into(), text: error.to_string() };
    Ok([(key.to_owned(), record(value).map_err(unwritable)?)].into())
}
