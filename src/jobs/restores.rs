//! Restores: what is asked for, what is under way, what came of it.

use futures::{Stream, StreamExt as _, TryStreamExt as _, pin_mut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::{
    Jobs, damaged,
    forms::{outcome_in, pack, record_in, unpack},
    metadata,
    targets::Target,
};
use crate::{
    azure::{
        container::{Item, Listing, Metadata, Written},
        error::Meaning,
    },
    domain::{
        digest::Digest,
        object::{ObjectId, VaultName},
        restore::{RESTORE_FORMAT, RestoreId, RestoreJob, RestorePlan, StepOutcome, Waiting},
        run::countdown,
    },
    error::{Error, Result},
};

const OPEN: &str = "open-restores/";
const RECORDS: &str = "restores/";

/// Outcomes a listing request. A failure's text makes one of about a kilobyte.
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
}

impl Claim {
    /// Lets a key stand for a restore.
    pub fn new(restore: RestoreId, plan: Digest) -> Self {
        Self { v: RESTORE_FORMAT, restore, plan }
    }
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It has ended.
    Ended(StepOutcome),
    /// It waits for a vault that is busy with its name.
    Waiting(ObjectId),
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
    /// [`Error::Damaged`] when what is stored is not what the digest says.
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
    /// [`Error::Damaged`] when the key was used, and nobody can say any more for what.
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
    pub async fn announce_restore(&self, id: &RestoreId) -> Result<()> {
        self.container.create(&format!("{OPEN}{id}"), Vec::new(), Metadata::new()).await?;
        Ok(())
    }

    /// The restores that are under way. One request, unless there are thousands.
    pub async fn open_restores(&self) -> Result<Vec<RestoreId>> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        Ok(items.iter().filter_map(|item| item.name.strip_prefix(OPEN)?.parse().ok()).collect())
    }

    async fn is_open(&self, id: &RestoreId) -> Result<bool> {
        Ok(self.container.metadata(&format!("{OPEN}{id}")).await?.is_some())
    }

    /// Takes a vault for an announced restore, or says which restore has it. Safe to run twice.
    pub async fn take_vault(&self, vault: &VaultName, id: &RestoreId) -> Result<Option<RestoreId>> {
        let name = target_name(vault);
        let Target::Held { by, etag } = self.take(&name, id).await? else { return Ok(None) };
        let holder = match by {
            None => self.open_restore_into(vault, id).await?,
            holder => holder,
        };
        match holder {
            Some(holder) if self.is_open(&holder).await? => Ok(Some(holder)),
            // Whoever had it has ended, or never began.
            _ => self.take_over(&name, &etag, id).await.map(|()| None),
        }
    }

    /// Another restore that is at work on a vault, for when the vault's own record cannot be read.
    async fn open_restore_into(&self, vault: &VaultName, other: &RestoreId) -> Result<Option<RestoreId>> {
        tracing::error!(vault.name = %vault, "{} is damaged; the restores are asked instead", target_name(vault));
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
        let job: RestoreJob = record_in(&name, &found, "job")?;
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
            found.extend(later.filter_map(|item| match record_in(&item.name, &item.metadata, "job") {
                Ok(job) => Some(job),
                Err(error) => {
                    tracing::error!(blob.name = %item.name, "A restore's record is passed over: {error}");
                    None
                }
            }));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Whether a step has ended.
    pub async fn has_outcome(&self, id: &RestoreId, object: &ObjectId) -> Result<bool> {
        Ok(self.container.metadata(&step_name(id, object, "outcome")).await?.is_some())
    }

    /// Records what became of a step. Safe to run twice: the first record stays.
    pub async fn create_step_outcome(&self, id: &RestoreId, outcome: &StepOutcome) -> Result<Written> {
        let name = step_name(id, &outcome.id(), "outcome");
        Ok(self.container.create(&name, Vec::new(), metadata("outcome", outcome)?).await?)
    }

    /// Records that a step waits, and returns since when. Safe to run twice. With a record that cannot be read it
    /// waits since the restore was asked for: no step waits for ever.
    pub async fn wait(&self, id: &RestoreId, object: &ObjectId, now: OffsetDateTime) -> Result<Waiting> {
        let (name, waiting) = (step_name(id, object, "waiting"), Waiting::since(now));
        if self.container.create(&name, Vec::new(), metadata("waiting", &waiting)?).await? == Written::Created
        {
            return Ok(waiting);
        }
        match self.record_of(&name, "waiting").await {
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(blob.name = %name, "{error}");
                Ok(Waiting::since(id.asked()))
            }
            found => Ok(found?.unwrap_or(waiting)),
        }
    }

    /// How far the steps of a restore are, in their order, page by page. A step that waited and ended comes
    /// once, as ended; one of which nothing is known yet does not come. An outcome that cannot be read counts as
    /// a failure, so that the restore can end.
    pub fn steps(&self, id: &RestoreId) -> impl Stream<Item = Result<Vec<StepState>>> + use<> {
        let (prefix, asked) = (format!("restore-steps/{id}/"), id.asked());
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: true };
        let mut ended: Option<ObjectId> = None;
        self.container.list(listing).map(move |page| {
            let mut states = Vec::new();
            for item in page? {
                let Some((object, leaf)) = parse_step(&prefix, &item.name) else { continue };
                match leaf {
                    // `outcome` sorts before `waiting`.
                    "outcome" => {
                        states.push(StepState::Ended(outcome_in(&item, &object, asked)?));
                        ended = Some(object);
                    }
                    "waiting" if ended.as_ref() != Some(&object) => states.push(StepState::Waiting(object)),
                    _ => {}
                }
            }
            Ok(states)
        })
    }

    /// Gives a restore's vault free and forgets that it was under way. Safe to run twice.
    pub async fn close_restore(&self, id: &RestoreId, target: &VaultName) -> Result<()> {
        self.give_free(&target_name(target), id).await?;
        self.withdraw_restore(id).await
    }

    /// Forgets that a restore was announced. Safe to run twice.
    pub async fn withdraw_restore(&self, id: &RestoreId) -> Result<()> {
        Ok(self.container.delete(&format!("{OPEN}{id}")).await?)
    }

    async fn record_of<T: DeserializeOwned>(&self, name: &str, key: &str) -> Result<Option<T>> {
        let found = self.container.metadata(name).await?;
        found.map(|found| record_in(name, &found, key)).transpose()
    }
}

fn plan_name(digest: &Digest) -> String {
    format!("restore-plans/{digest}.json.gz")
}

fn key_name(key: &Digest) -> String {
    format!("restore-keys/{key}")
}

fn target_name(vault: &VaultName) -> String {
    format!("restore-targets/{vault}")
}

/// The newest comes first, as manifests do.
fn record_name(id: &RestoreId) -> String {
    format!("{RECORDS}{}-{id}", countdown(id.asked()))
}

fn step_name(id: &RestoreId, object: &ObjectId, leaf: &str) -> String {
    format!("restore-steps/{id}/{}/{}/{leaf}", object.kind, object.name.folded())
}

fn parse_step<'n>(prefix: &str, name: &'n str) -> Option<(ObjectId, &'n str)> {
    let mut parts = name.strip_prefix(prefix)?.splitn(3, '/');
    let object = ObjectId::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((object, parts.next()?))
}
