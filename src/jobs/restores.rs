//! Restores: what is asked for, what is under way, what came of it.

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
        object::VaultName,
        restore::{RESTORE_FORMAT, RestoreId, RestoreJob, RestorePlan},
        run::countdown,
    },
    error::Result,
};

pub(super) const OPEN: &str = "open-restores/";
const RECORDS: &str = "restores/";

/// Records a listing request.
const PAGE: u16 = 500;

/// A restore's record as it was read.
#[derive(Clone, Debug)]
pub struct StoredRestore {
    /// The record.
    pub job: RestoreJob,
    etag: String,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The restore.
    pub restore: RestoreId,
    /// The digest of its plan.
    pub plan: Digest,
    /// Who used the key first. Claims of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

impl Claim {
    /// Lets a key stand for a restore that `by` asks for.
    pub fn new(restore: RestoreId, plan: Digest, by: &Actor) -> Self {
        Self { v: RESTORE_FORMAT, restore, plan, by: Some(by.clone()) }
    }
}

/// What came of the wish for a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was free, or the restore's own.
    Free,
    /// It was another restore's, whose lease has run out. That one is still open, and may not act any more.
    From(RestoreId),
    /// This restore has it.
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
    /// [`crate::error::Error::Damaged`] when what is stored is not what the digest says.
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

    /// Lets an idempotency key stand for a restore, unless it stands for one already: then that one is
    /// returned. Safe to run twice.
    ///
    /// # Errors
    /// [`crate::error::Error::Damaged`] when the key was used, and nobody can say any more for what.
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

    /// Says that a restore is under way: from now on `AdvanceJobs` looks after it. Safe to run twice.
    pub async fn announce_restore(&self, id: &RestoreId, by: &Actor) -> Result<()> {
        self.container.create(&format!("{OPEN}{id}"), Vec::new(), metadata("by", by)?).await?;
        Ok(())
    }

    /// The restores that are under way. One request, unless there are thousands.
    pub async fn open_restores(&self) -> Result<Vec<RestoreId>> {
        Ok(self.announced().await?.0)
    }

    /// The same, with what is announced under no restore's name.
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
    /// A lease that has run out counts for nothing, nor does that of a restore that is no longer open.
    pub async fn take_vault(&self, vault: &VaultName, id: &RestoreId, now: OffsetDateTime) -> Result<Taken> {
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

    /// Another restore that is at work on a vault, for when the vault's own record cannot be read.
    pub(super) async fn open_restore_into(
        &self,
        vault: &VaultName,
        other: &RestoreId,
    ) -> Result<Option<RestoreId>> {
        tracing::error!(vault.name = %vault, "{} is damaged; the restores are asked instead", targets::name_of(vault));
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

    /// Writes a record back. `false` when somebody else wrote it meanwhile: theirs stays, and the next look
    /// decides.
    pub async fn save_restore(&self, stored: &StoredRestore) -> Result<bool> {
        let name = record_name(&stored.job.id);
        match self.container.replace(&name, &stored.etag, metadata("job", &stored.job)?).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Restores, newest first, at most so many, that were asked for before another one. A record that cannot be
    /// read is passed over with a log line.
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

    /// Gives a restore's vault free and forgets that it was under way. Safe to run twice.
    pub async fn close_restore(&self, id: &RestoreId, target: &VaultName) -> Result<()> {
        self.give_free(&targets::name_of(target), id).await?;
        self.withdraw_restore(id).await
    }

    /// Forgets that a restore was announced. Safe to run twice.
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

/// The newest comes first, as manifests do.
fn record_name(id: &RestoreId) -> String {
    format!("{RECORDS}{}-{id}", countdown(id.asked()))
}
