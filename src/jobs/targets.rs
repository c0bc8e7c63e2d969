//! Leases on targets: one restore at a time has a vault or an HSM.

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
        restore::RestoreId,
        source::SourceName,
    },
    error::{Error, Result, damaged},
};

/// The metadata with the restore.
const KEY: &str = "restore";

/// The metadata with the time at which the lease ends.
const UNTIL: &str = "until";

/// The metadata that marks a restore which was told to stop.
const STOPPED: &str = "stopped";

/// Until when this process trusts its leases without reading them again.
pub(super) type Believed = Mutex<BTreeMap<RestoreId, OffsetDateTime>>;

/// The state of a target that a restore tries to take.
pub(super) enum Target {
    /// The restore has it.
    Ours,
    /// There is another lease, or one that cannot be read.
    Held {
        /// The lease, if it can be read.
        lease: Option<Lease>,
        /// The tag of the record's state.
        etag: String,
    },
}

impl Jobs {
    /// Takes a target if no restore has it. Safe to run twice.
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

    /// Takes a target from a restore that has ended, never began, or let its lease expire.
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
    /// [`Error::Damaged`] if it cannot be read. Its holder rewrites it.
    pub async fn lease(&self, vault: &SourceName) -> Result<Option<Lease>> {
        let name = name_of(vault);
        let Some((found, _)) = self.container.state(&name).await? else { return Ok(None) };
        lease_in(&found)
            .map(Some)
            .ok_or_else(|| damaged(&name, &"it does not say which restore has the vault"))
    }

    /// Whether a restore still has its vault. Renews the lease when it is due.
    ///
    /// A positive answer is cached for [`TRUST`] in this process, so a step costs no request. After `false` the restore
    /// may send nothing more to the vault.
    pub async fn holds(&self, vault: &SourceName, id: &RestoreId, now: OffsetDateTime) -> Result<bool> {
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

    async fn check_lease(&self, vault: &SourceName, id: &RestoreId, now: OffsetDateTime) -> Result<bool> {
        let target = name_of(vault);
        let Some((found, etag)) = self.container.state(&target).await? else { return Ok(false) };
        let ours = Lease::taken(id.clone(), now);
        let Some(lease) = lease_in(&found) else {
            // Damaged: rewrite it, unless another open restore may have written it.
            let other = self.open_restore_into(vault, id).await?;
            return Ok(other.is_none() && self.rewrite_lease(&target, &etag, &ours).await?);
        };
        if !lease.lets(id) {
            return Ok(false);
        }
        if !lease.wants_renewal(now) || self.rewrite_lease(&target, &etag, &ours).await? {
            return Ok(true);
        }
        // Another process renewed it first, or the restore lost it.
        Ok(self.lease(vault).await?.is_some_and(|lease| lease.lets(id)))
    }

    /// Stops a restore: it loses its vault within minutes, whichever process carries it out. Returns when the vault
    /// will be free, or `None` if the restore does not have it. Safe to run twice.
    pub async fn stop_lease(
        &self,
        vault: &SourceName,
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

    /// Writes a lease back. `false` if another process was faster.
    async fn rewrite_lease(&self, target: &str, etag: &str, lease: &Lease) -> Result<bool> {
        match self.container.replace(target, etag, record(lease)?).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(true),
        }
    }

    /// Releases a target, if the restore has it. Safe to run twice.
    pub(super) async fn release(&self, target: &str, id: &RestoreId) -> Result<()> {
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

/// The name of the lease on a vault.
pub(super) fn name_of(vault: &SourceName) -> String {
    format!("restore-targets/{vault}")
}

/// The metadata of a lease. The restore has a key of its own, where older programs read it.
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
    Error::Busy(format!("{target} was just released or taken by another restore; try again"))
}
