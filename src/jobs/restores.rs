//! Records of restores: plans, idempotency keys, open restores, and results.

use futures::{TryStreamExt as _, pin_mut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::{
    Jobs, damaged,
    forms::{pack, record_in, unpack},
    metadata,
    strays::Stray,
    targets::{self, Target},
};
use crate::{
    azure::{
        container::{Item, Listing, Metadata, Written},
        error::Meaning,
    },
    domain::{
        actor::Actor,
        digest::Digest,
        restore::{RESTORE_FORMAT, RestoreId, RestoreJob, RestorePlan},
        run::countdown,
        source::SourceName,
    },
    error::Result,
};

pub(super) const OPEN: &str = "open-restores/";
const RECORDS: &str = "restores/";

/// Records per listing request.
const PAGE: u16 = 500;

/// A restore's record as it was read.
#[derive(Clone, Debug)]
pub struct StoredRestore {
    /// The record.
    pub job: RestoreJob,
    etag: String,
}

/// The restore that an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The restore.
    pub restore: RestoreId,
    /// The digest of its plan.
    pub plan: Digest,
    /// The actor that used the key first. Claims of older programs do not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

impl Claim {
    /// A claim to a restore that `by` requests.
    pub fn new(restore: RestoreId, plan: Digest, by: &Actor) -> Self {
        Self { v: RESTORE_FORMAT, restore, plan, by: Some(by.clone()) }
    }
}

/// The result of taking a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was free, or the restore's own.
    Free,
    /// It was another restore's, whose lease has expired. That restore is still open, and may no longer act.
    From(RestoreId),
    /// The named restore has it.
    By(RestoreId),
}

impl Jobs {
    /// Keeps a plan under its digest. Safe to run twice.
    pub async fn keep_plan(&self, plan: &RestorePlan) -> Result<Digest> {
        let digest = plan.digest();
        let name = plan_name(&digest);
        let packed = pack(plan).map_err(|error| damaged(&name, &error))?;
        self.container.create(&name, packed, Metadata::new()).await?;
        Ok(digest)
    }

    /// A plan by its digest.
    ///
    /// # Errors
    /// [`crate::error::Error::Damaged`] if the stored plan does not have that digest.
    pub async fn restore_plan(&self, digest: &Digest) -> Result<Option<RestorePlan>> {
        let name = plan_name(digest);
        let Some(bytes) = self.container.read(&name).await? else { return Ok(None) };
        let plan = unpack(&name, &bytes)?;
        if plan.digest() == *digest {
            Ok(Some(plan))
        } else {
            Err(damaged(&name, &"it is not the plan of that digest"))
        }
    }

    /// Claims an idempotency key for a restore, and returns the first claim of that key. Safe to run twice.
    ///
    /// # Errors
    /// [`crate::error::Error::Damaged`] if the key was used, and its claim cannot be read.
    pub async fn claim(&self, key: &Digest, claim: Claim) -> Result<Claim> {
        match self.container.create(&key_name(key), Vec::new(), metadata("claim", &claim)?).await? {
            Written::Created => Ok(claim),
            Written::AlreadyThere => Ok(self.claimed(key).await?.unwrap_or(claim)),
        }
    }

    /// The restore that an idempotency key stands for.
    ///
    /// # Errors
    /// As [`Jobs::claim`].
    pub async fn claimed(&self, key: &Digest) -> Result<Option<Claim>> {
        self.record_of(&key_name(key), "claim").await
    }

    /// Announces a restore as open: from now on `AdvanceJobs` reconciles it. Safe to run twice.
    pub async fn announce_restore(&self, id: &RestoreId, by: &Actor) -> Result<()> {
        self.container.create(&format!("{OPEN}{id}"), Vec::new(), metadata("by", by)?).await?;
        Ok(())
    }

    /// The open restores. One request, unless there are thousands.
    pub async fn open_restores(&self) -> Result<Vec<RestoreId>> {
        Ok(self.announced().await?.0)
    }

    /// The open restores, and announcements whose names are not those of restores.
    pub async fn announced(&self) -> Result<(Vec<RestoreId>, Vec<Stray>)> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        let (mut ids, mut strays) = (Vec::new(), Vec::new());
        for item in items {
            match item.name.strip_prefix(OPEN).and_then(|id| id.parse().ok()) {
                Some(id) => ids.push(id),
                None => strays.push(Stray::new(item, None)),
            }
        }
        Ok((ids, strays))
    }

    async fn is_open(&self, id: &RestoreId) -> Result<bool> {
        Ok(self.container.metadata(&format!("{OPEN}{id}")).await?.is_some())
    }

    /// Takes a vault for an announced restore. Safe to run twice.
    ///
    /// A lease counts only until it expires, and only while its restore is open.
    pub async fn take_vault(&self, vault: &SourceName, id: &RestoreId, now: OffsetDateTime) -> Result<Taken> {
        let name = targets::name_of(vault);
        let Target::Held { lease, etag } = self.take(&name, id, now).await? else { return Ok(Taken::Free) };
        let (holder, over) = match lease {
            None => (self.open_restore_into(vault, id).await?, false),
            Some(lease) => (Some(lease.restore.clone()), lease.is_over(now)),
        };
        let open = match holder {
            Some(holder) if self.is_open(&holder).await? => Some(holder),
            _ => None,
        };
        match open {
            Some(holder) if !over => Ok(Taken::By(holder)),
            open => {
                self.take_over(&name, &etag, id, now).await?;
                Ok(open.map_or(Taken::Free, Taken::From))
            }
        }
    }

    /// Another open restore into a vault. Reads the restores, for a vault whose lease cannot be read.
    pub(super) async fn open_restore_into(
        &self,
        vault: &SourceName,
        other: &RestoreId,
    ) -> Result<Option<RestoreId>> {
        tracing::error!(vault.name = %vault, "{} is damaged; the open restores are read instead", targets::name_of(vault));
        for id in self.open_restores().await?.into_iter().filter(|id| id != other) {
            if self.restore(&id).await?.is_some_and(|stored| stored.job.target == *vault) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Records a restore, unless it has a record. Safe to run twice.
    pub async fn record_restore(&self, job: &RestoreJob) -> Result<Written> {
        Ok(self.container.create(&record_name(&job.id), Vec::new(), metadata("job", job)?).await?)
    }

    /// A restore's record.
    pub async fn restore(&self, id: &RestoreId) -> Result<Option<StoredRestore>> {
        let name = record_name(id);
        let Some((found, etag)) = self.container.state(&name).await? else { return Ok(None) };
        let job: RestoreJob = record_in(&name, &found, "job", RESTORE_FORMAT)?;
        if job.id == *id {
            Ok(Some(StoredRestore { job, etag }))
        } else {
            Err(damaged(&name, &"it is the record of another restore"))
        }
    }

    /// Writes a record back. `false` if another process wrote it meanwhile: that record stays, and the next pass
    /// decides.
    pub async fn save_restore(&self, stored: &StoredRestore) -> Result<bool> {
        let name = record_name(&stored.job.id);
        match self.container.replace(&name, &stored.etag, metadata("job", &stored.job)?).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// At most `limit` restores, newest first, that were asked for before `after`. A record that cannot be read is
    /// skipped with a log line.
    pub async fn restores(&self, after: Option<&RestoreId>, limit: usize) -> Result<Vec<RestoreJob>> {
        let from = after.map(record_name);
        let listing = Listing { prefix: RECORDS, from: from.as_deref(), page: PAGE, metadata: true };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            let later = page.iter().filter(|item| from.as_ref().is_none_or(|from| item.name > *from));
            found.extend(later.filter_map(|item| {
                match record_in(&item.name, &item.metadata, "job", RESTORE_FORMAT) {
                    Ok(job) => Some(job),
                    Err(error) => {
                        tracing::error!(blob.name = %item.name, "A restore's record is passed over: {error}");
                        None
                    }
                }
            }));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Releases a restore's vault and deletes its announcement. Safe to run twice.
    pub async fn close_restore(&self, id: &RestoreId, target: &SourceName) -> Result<()> {
        self.release(&targets::name_of(target), id).await?;
        self.withdraw_restore(id).await
    }

    /// Deletes the announcement of a restore. Safe to run twice.
    pub async fn withdraw_restore(&self, id: &RestoreId) -> Result<()> {
        Ok(self.container.delete(&format!("{OPEN}{id}")).await?)
    }

    pub(super) async fn record_of<T: DeserializeOwned>(&self, name: &str, key: &str) -> Result<Option<T>> {
        let found = self.container.metadata(name).await?;
        found.map(|found| record_in(name, &found, key, RESTORE_FORMAT)).transpose()
    }
}

fn plan_name(digest: &Digest) -> String {
    format!("restore-plans/{digest}.json.gz")
}

fn key_name(key: &Digest) -> String {
    format!("restore-keys/{key}")
}

/// The name of a restore's record. The newest comes first in a listing.
fn record_name(id: &RestoreId) -> String {
    format!("{RECORDS}{}-{id}", countdown(id.asked()))
}
