//! Which restore has a vault or an HSM: one at a time, by a lease.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Jobs, forms::read, metadata};
use crate::{
    azure::{
        container::{Metadata, Written},
        error::Meaning,
    },
    domain::{
        lease::{Lease, TRUST},
        object::VaultName,
        restore::RestoreId,
    },
    error::{Error, Result, damaged},
};

/// The key of the restore in the record's metadata,
const KEY: &str = "restore";

/// of the time at which the lease ends,
const UNTIL: &str = "until";

/// and of the mark that the restore was told to stop.
const STOPPED: &str = "stopped";

/// Until when this process believes its leases without another look.
pub(super) type Believed = Mutex<BTreeMap<RestoreId, OffsetDateTime>>;

/// What a restore that wants a target finds.
pub(super) enum Target {
    /// It is the restore's.
    Ours,
    /// Another lease is on record, or one that cannot be read.
    Held {
        /// The lease.
        lease: Option<Lease>,
        /// The state of the record.
        etag: String,
    },
}

impl Jobs {
    /// Takes a target that no restore has. Safe to run twice.
    pub(super) async fn take(&self, target: &str, id: &RestoreId, now: OffsetDateTime) -> Result<Target> {
        let lease = Lease::taken(id.clone(), now);
        if self.container.create(target, Vec::new(), record(&lease)?).await? == Written::Created {
            return Ok(Target::Ours);
        }
        let Some((found, etag)) = self.container.state(target).await? else { return Err(busy(target)) };
        let lease = lease_in(&found);
        if lease.as_ref().is_some_and(|lease| lease.restore == *id) {
            Ok(Target::Ours)
        } else {
            Ok(Target::Held { lease, etag })
        }
    }

    /// Takes a target from a restore that has ended, never began, or let its lease run out.
    pub(super) async fn take_over(
        &self,
        target: &str,
        etag: &str,
        id: &RestoreId,
        now: OffsetDateTime,
    ) -> Result<()> {
        let lease = Lease::taken(id.clone(), now);
        if self.rewrite_lease(target, etag, &lease).await? { Ok(()) } else { Err(busy(target)) }
    }

    /// The lease on a vault, if there is one.
    ///
    /// # Errors
    /// [`Error::Damaged`] for one that cannot be read. Its holder makes it again.
    pub async fn lease(&self, vault: &VaultName) -> Result<Option<Lease>> {
        let name = name_of(vault);
        let Some((found, _)) = self.container.state(&name).await? else { return Ok(None) };
        lease_in(&found)
            .map(Some)
            .ok_or_else(|| damaged(&name, &"it does not say which restore has the vault"))
    }

    /// Whether a restore still has its vault. Renews the lease when it is time to.
    ///
    /// What was seen is believed for [`TRUST`], in this process: a step costs no request. A restore that is told
    /// "no" may send nothing more to the vault.
    pub async fn holds(&self, vault: &VaultName, id: &RestoreId, now: OffsetDateTime) -> Result<bool> {
        if self.believed.lock().get(id).is_some_and(|until| now < *until && now + TRUST >= *until) {
            return Ok(true);
        }
        let holds = self.check_lease(vault, id, now).await?;
        let mut believed = self.believed.lock();
        believed.retain(|known, until| known != id && now < *until);
        if holds {
            believed.insert(id.clone(), now + TRUST);
        }
        Ok(holds)
    }

    async fn check_lease(&self, vault: &VaultName, id: &RestoreId, now: OffsetDateTime) -> Result<bool> {
        let target = name_of(vault);
        let Some((found, etag)) = self.container.state(&target).await? else { return Ok(false) };
        let ours = Lease::taken(id.clone(), now);
        let Some(lease) = lease_in(&found) else {
            // Damaged: it is made again, unless another open restore may have written it.
            let other = self.open_restore_into(vault, id).await?;
            return Ok(other.is_none() && self.rewrite_lease(&target, &etag, &ours).await?);
        };
        if !lease.lets(id) {
            return Ok(false);
        }
        if !lease.wants_renewal(now) || self.rewrite_lease(&target, &etag, &ours).await? {
            return Ok(true);
        }
        // Another process renewed it first, or the restore has lost it.
        Ok(self.lease(vault).await?.is_some_and(|lease| lease.lets(id)))
    }

    /// Tells a restore to stop: it loses its vault within minutes, whoever carries it out. Returns when the vault is
    /// free, or `None` when the restore does not have it. Safe to run twice.
    pub async fn stop_lease(
        &self,
        vault: &VaultName,
        id: &RestoreId,
        now: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>> {
        let target = name_of(vault);
        let Some((found, etag)) = self.container.state(&target).await? else { return Ok(None) };
        let lease = lease_in(&found).unwrap_or_else(|| Lease::taken(id.clone(), now));
        if lease.restore != *id {
            return Ok(None);
        }
        let lease = if lease.stopped { return Ok(Some(lease.until)) } else { lease.stop(now) };
        self.believed.lock().remove(id);
        if self.rewrite_lease(&target, &etag, &lease).await? {
            Ok(Some(lease.until))
        } else {
            Err(busy(&target))
        }
    }

    /// Writes a lease back. `false` when another process was faster.
    async fn rewrite_lease(&self, target: &str, etag: &str, lease: &Lease) -> Result<bool> {
        match self.container.replace(target, etag, record(lease)?).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(true),
        }
    }

    /// Gives a target free, if the restore has it. Safe to run twice.
    pub(super) async fn give_free(&self, target: &str, id: &RestoreId) -> Result<()> {
        self.believed.lock().remove(id);
        let Some((found, etag)) = self.container.state(target).await? else { return Ok(()) };
        if lease_in(&found).is_none_or(|lease| lease.restore != *id) {
            return Ok(());
        }
        match self.container.delete_state(target, &etag).await {
            Err(error) if error.meaning == Meaning::Exists => Ok(()),
            deleted => Ok(deleted?),
        }
    }
}

/// The record of the lease on a vault.
pub(super) fn name_of(vault: &VaultName) -> String {
    format!("restore-targets/{vault}")
}

/// The restore stands where older programs look for it.
fn record(lease: &Lease) -> Result<Metadata> {
    let until = lease.until.format(&Rfc3339).map_err(|error| damaged("a lease", &error))?;
    let mut record = metadata(KEY, &lease.restore)?;
    record.extend(metadata(UNTIL, &until)?);
    if lease.stopped {
        record.extend(metadata(STOPPED, &true)?);
    }
    Ok(record)
}

fn lease_in(found: &Metadata) -> Option<Lease> {
    let restore: RestoreId = read(found, KEY)?;
    let lease = Lease::without_end(restore);
    let until = read::<String>(found, UNTIL).and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok());
    Some(Lease {
        until: until.unwrap_or(lease.until),
        stopped: read(found, STOPPED).unwrap_or_default(),
        ..lease
    })
}

fn busy(target: &str) -> Error {
    Error::Busy(format!("{target} was just given free or taken by another restore; try again"))
}
