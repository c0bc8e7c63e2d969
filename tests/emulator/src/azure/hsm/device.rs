//! One Managed HSM and its settings.

use std::{collections::BTreeSet, time::Duration};

use parking_lot::{Mutex, RwLock};
use time::OffsetDateTime;

use super::{
    job::{Due, Job},
    work,
};
use crate::azure::{
    World,
    hosts::Cloud,
    keyvault::{Flavour, Vault, VaultOptions},
};

/// How long backups took that were recorded, half of them longer and half shorter.
const MEDIAN: Duration = Duration::from_secs(11);

/// How long a job takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many polls show it in progress.
    Polls(usize),
    /// So long, by the emulator's clock.
    Time(Duration),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pace: Pace,
    /// For how long after a restore the HSM refuses everything else.
    pub(crate) cooldown: Duration,
    /// How old the newest backup of this HSM may be for a full restore to be let in.
    pub(crate) recent_backup: Option<Duration>,
    /// Seconds in the `Retry-After` of a start.
    pub(crate) retry_after: Option<u32>,
    /// Whether a user-assigned identity is attached.
    pub(crate) has_identity: bool,
    /// The containers in which the identity has a role, without a slash at the end.
    pub(crate) grants: BTreeSet<String>,
    /// Role assignments, which are backed up and restored, and mean nothing here.
    pub(crate) roles: Vec<String>,
    /// Every job, oldest first.
    pub(crate) jobs: Vec<Job>,
    pub(crate) newest_backup: Option<OffsetDateTime>,
    /// Until when a restore has after-effects.
    pub(crate) restored_until: Option<OffsetDateTime>,
}

/// A Managed HSM.
#[derive(Debug)]
pub(crate) struct Hsm {
    pub(crate) keys: Vault,
    pub(crate) state: Mutex<State>,
}

impl Hsm {
    pub(crate) fn new(host: &str, name: &str, cloud: Cloud) -> Self {
        let security_domain = RwLock::new(format!("security domain of {host}"));
        let keys = Vault::with_flavour(host, name, cloud, Flavour::Hsm { security_domain });
        // What all recorded HSMs but the oldest have.
        *keys.options.write() = VaultOptions { recoverable_days: 7, ..VaultOptions::default() };
        let state = State {
            pace: Pace::Time(MEDIAN),
            cooldown: Duration::ZERO,
            recent_backup: Some(Duration::from_secs(30 * 60)),
            retry_after: Some(10),
            has_identity: false,
            grants: BTreeSet::new(),
            roles: Vec::new(),
            jobs: Vec::new(),
            newest_backup: None,
            restored_until: None,
        };
        Self { keys, state: Mutex::new(state) }
    }

    pub(crate) fn security_domain(&self) -> String {
        match &self.keys.flavour {
            Flavour::Hsm { security_domain } => security_domain.read().clone(),
            Flavour::Vault => String::new(),
        }
    }

    pub(crate) fn set_security_domain(&self, id: &str) {
        if let Flavour::Hsm { security_domain } = &self.keys.flavour {
            id.clone_into(&mut security_domain.write());
        }
    }

    /// Ends the jobs whose time has come.
    pub(crate) fn settle(&self, world: &World, now: OffsetDateTime) {
        self.keys.settle(now);
        let mut state = self.state.lock();
        for at in 0..state.jobs.len() {
            if let Some(due) = state.jobs[at].due_at().filter(|due| *due <= now) {
                work::finish(world, self, &mut state, at, due);
            }
        }
    }

    /// Ends all jobs that run.
    pub(crate) fn finish_all(&self, world: &World, now: OffsetDateTime) {
        let mut state = self.state.lock();
        for at in 0..state.jobs.len() {
            if state.jobs[at].ended.is_none() {
                work::finish(world, self, &mut state, at, now);
            }
        }
    }
}

impl State {
    /// The job that keeps the HSM busy. Checks do not.
    pub(crate) fn running(&self) -> Option<&Job> {
        self.jobs.iter().find(|job| job.ended.is_none() && !job.kind.is_check())
    }

    /// Whether a restore, or what is left of one, keeps the HSM from everything else.
    pub(crate) fn is_restoring(&self, now: OffsetDateTime) -> bool {
        self.running().is_some_and(|job| job.kind.is_restore())
            || self.restored_until.is_some_and(|until| now < until)
    }

    /// When a job that starts now will be due.
    pub(crate) fn due(&self, is_check: bool, now: OffsetDateTime) -> Due {
        match self.pace {
            // Checks were recorded to have ended at the first poll.
            _ if is_check => Due::Polls(0),
            Pace::Polls(polls) => Due::Polls(polls),
            Pace::Time(time) => Due::At(now + time),
        }
    }
}
