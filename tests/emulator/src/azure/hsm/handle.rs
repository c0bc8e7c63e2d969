//! A Managed HSM in the hands of a test.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;

use super::{
    device::{Hsm, Pace, State},
    job::{HsmOperationKind, Job},
};
use crate::azure::{
    World,
    keyvault::{KeySpec, Kind, Refusal, Snapshot},
};

/// A Managed HSM: fills it, changes it and looks into it without REST.
#[derive(Clone)]
pub struct HsmHandle {
    pub(crate) world: Arc<World>,
    pub(crate) hsm: Arc<Hsm>,
}

/// How many jobs an HSM took on, by kind. What it refused does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HsmStarts {
    /// Full backups.
    pub backups: usize,
    /// Full restores.
    pub restores: usize,
    /// Restores of one key.
    pub key_restores: usize,
    /// Checks before a backup.
    pub backup_checks: usize,
    /// Checks before a restore.
    pub restore_checks: usize,
}

/// A job of an HSM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HsmOperation {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: HsmOperationKind,
    /// The container, as the request named it, with folders in it if it named some.
    pub container: String,
    /// The folder: of a restore as the request named it, of a backup once it is written, without those above it.
    pub folder: Option<String>,
    /// The key that is restored.
    pub key: Option<String>,
    /// When it began.
    pub started: OffsetDateTime,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// `InProgress`, `Succeeded` or `Failed`.
    pub status: &'static str,
    /// What is said besides.
    pub details: Option<String>,
}

impl HsmOperation {
    fn of(job: &Job) -> Self {
        let done = job.ended.as_ref().and_then(|(_, result)| result.as_ref().ok());
        let written = done.and_then(|done| done.folder_uri.as_deref()?.rsplit('/').next());
        Self {
            id: job.id.clone(),
            kind: job.kind,
            container: job.storage.uri.clone(),
            folder: job.folder.as_deref().or(written).map(str::to_owned),
            key: job.key.clone(),
            started: job.started,
            ended: job.ended.as_ref().map(|(at, _)| *at),
            status: job.status(),
            details: job.details().map(str::to_owned),
        }
    }
}

impl HsmHandle {
    /// `https://{name}.managedhsm.azure.net`, without a slash at its end.
    pub fn url(&self) -> String {
        self.hsm.keys.url()
    }

    /// The first part of the host name.
    pub fn name(&self) -> &str {
        &self.hsm.keys.name
    }

    /// Adds a version of a key and gives its id. A deleted key of that name is forgotten.
    pub fn put_key(&self, name: &str, spec: KeySpec) -> String {
        let (material, properties) = spec.in_hardware().into_parts();
        self.hsm.keys.add(Kind::Key, name, material, properties, self.now())
    }

    /// Deletes a key as a client does.
    pub fn delete_key(&self, name: &str) -> Result<(), Refusal> {
        self.hsm.keys.delete(Kind::Key, name, self.now(), self.world.knobs.delays()).map(drop)
    }

    /// Purges a deleted key as a client does.
    pub fn purge_key(&self, name: &str) -> Result<(), Refusal> {
        self.hsm.keys.purge(Kind::Key, name, self.now(), self.world.knobs.delays())
    }

    /// All live keys, to compare them with another HSM's or another moment's.
    pub fn keys(&self) -> Snapshot {
        self.now();
        Snapshot::of(&self.hsm.keys.store.read())
    }

    /// For how many days deleted keys can be recovered; 7 to 90, and 7 at first.
    pub fn set_recoverable_days(&self, days: u8) {
        self.hsm.keys.options.write().recoverable_days = days;
    }

    /// Adds a role assignment. It is backed up and restored, and means nothing here.
    pub fn add_role_assignment(&self, text: impl Into<String>) {
        self.hsm.state.lock().roles.push(text.into());
    }

    /// The role assignments, in the order in which they were added.
    pub fn role_assignments(&self) -> Vec<String> {
        self.state(|state| state.roles.clone())
    }

    /// Attaches a user-assigned identity, or takes it away. There is none at first.
    pub fn attach_identity(&self, attached: bool) {
        self.hsm.state.lock().has_identity = attached;
    }

    /// Gives the identity its role in a container, by the container's URL.
    pub fn grant(&self, container: &str) {
        self.hsm.state.lock().grants.insert(container.trim_end_matches('/').to_owned());
    }

    /// Takes the role away again.
    pub fn revoke(&self, container: &str) {
        self.hsm.state.lock().grants.remove(container.trim_end_matches('/'));
    }

    /// Lets jobs that start from now on end at the poll after so many that show them in progress, and never without
    /// polls. Checks always end at the first poll.
    pub fn set_operation_polls(&self, polls: usize) {
        self.hsm.state.lock().pace = Pace::Polls(polls);
    }

    /// Lets jobs that start from now on take so long, by the emulator's clock. Eleven seconds at first, the recorded
    /// median of backups; whether they are polled makes no difference.
    pub fn set_operation_seconds(&self, seconds: u64) {
        self.hsm.state.lock().pace = Pace::Time(Duration::from_secs(seconds));
    }

    /// For how long after a restore, by the emulator's clock, the HSM refuses everything else. No time at
    /// first.
    pub fn set_cooldown(&self, cooldown: Duration) {
        self.hsm.state.lock().cooldown = cooldown;
    }

    /// How old the newest full backup of this HSM may be for a full restore to be let in; `None` asks for no
    /// backup. Half an hour at first, as one reading of the documentation has it.
    pub fn require_recent_backup(&self, age: impl Into<Option<Duration>>) {
        self.hsm.state.lock().recent_backup = age.into();
    }

    /// Seconds in the `Retry-After` of starts. Ten at first, as recorded.
    pub fn set_retry_after(&self, seconds: impl Into<Option<u32>>) {
        self.hsm.state.lock().retry_after = seconds.into();
    }

    /// The id of the security domain. Each HSM has its own at first.
    pub fn security_domain(&self) -> String {
        self.hsm.security_domain()
    }

    /// Gives the HSM another security domain. Backups can be restored only where it is the same.
    pub fn set_security_domain(&self, id: &str) {
        self.hsm.set_security_domain(id);
    }

    /// How many jobs the HSM took on.
    pub fn starts_sent(&self) -> HsmStarts {
        let count = |kind| self.hsm.state.lock().jobs.iter().filter(|job| job.kind == kind).count();
        HsmStarts {
            backups: count(HsmOperationKind::Backup),
            restores: count(HsmOperationKind::Restore),
            key_restores: count(HsmOperationKind::KeyRestore),
            backup_checks: count(HsmOperationKind::BackupCheck),
            restore_checks: count(HsmOperationKind::RestoreCheck),
        }
    }

    /// Every job, oldest first.
    pub fn operations(&self) -> Vec<HsmOperation> {
        self.state(|state| state.jobs.iter().map(HsmOperation::of).collect())
    }

    /// Ends all jobs that run, as if their time had come.
    pub fn finish_operations(&self) {
        self.hsm.finish_all(&self.world, self.world.clock.now());
    }

    fn state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.now();
        look(&self.hsm.state.lock())
    }

    /// The present moment, after all that time has done until then.
    fn now(&self) -> OffsetDateTime {
        let now = self.world.clock.now();
        self.hsm.settle(&self.world, now);
        now
    }
}
