//! Records of the jobs of Managed HSMs, and the plans of their restores.

use std::sync::atomic::Ordering;

use futures::{TryStreamExt as _, pin_mut};
use time::{Duration, OffsetDateTime};

use super::{Jobs, damaged, strays::Stray, targets::Target};
use crate::{
    azure::{
        container::{Item, Listing, Metadata, Written},
        error::Meaning,
    },
    domain::{
        digest::Digest,
        hsm::{HSM_JOB_FORMAT, HSM_PLAN_FORMAT, HsmJob, HsmPlan},
        restore::RestoreId,
        run::{RunId, countdown},
        source::SourceName,
    },
    error::{Error, Result},
    stored,
};

const OPEN: &str = "hsm-jobs/";
const ENDED: &str = "hsm-restores/";

/// The metadata by which a writer recognizes its own write.
const MARK: &str = "write";

/// Deadline for recording a restore after it took its HSM; after it the HSM counts as free.
const RECORDED_WITHIN: Duration = Duration::minutes(2);

/// A job's record as it was read.
#[derive(Clone, Debug)]
pub struct StoredHsmJob {
    /// The record.
    pub job: HsmJob,
    etag: String,
}

impl StoredHsmJob {
    /// Replaces the content, to be written over the state that was read.
    #[must_use]
    pub fn carrying(self, job: HsmJob) -> Self {
        Self { job, ..self }
    }
}

impl Jobs {
    /// Records a job, unless it has a record. Safe to run twice: the first record stays. If the answer was lost, the
    /// writer recognizes its record by a mark, as in [`Jobs::save_hsm_job`].
    pub async fn open_hsm_job(&self, job: &HsmJob) -> Result<Written> {
        let (name, mark) = (name(&job.hsm, &job.id), mark());
        if self.container.create(&name, json(&name, job)?, marked(&mark)).await? == Written::Created {
            return Ok(Written::Created);
        }
        let found = self.container.metadata(&name).await?;
        let ours = found.is_some_and(|found| found.get(MARK) == Some(&mark));
        Ok(if ours { Written::Created } else { Written::AlreadyThere })
    }

    /// Every open job. A record that cannot be read is skipped with a log line.
    pub async fn hsm_jobs(&self) -> Result<Vec<StoredHsmJob>> {
        Ok(self.open_hsm_jobs().await?.0)
    }

    /// Whether there may be open jobs of HSMs that are no longer in the settings. Most installations never had an HSM,
    /// and list the jobs once.
    pub fn may_have_hsm_jobs(&self) -> bool {
        !self.without_hsms.load(Ordering::Relaxed)
    }

    /// Remembers that there are no open jobs of HSMs, and that no process will open one.
    pub fn has_no_hsm_jobs(&self) {
        self.without_hsms.store(true, Ordering::Relaxed);
    }

    /// Every open job, and the records that cannot be read.
    pub async fn open_hsm_jobs(&self) -> Result<(Vec<StoredHsmJob>, Vec<Stray>)> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        let (mut jobs, mut strays) = (Vec::new(), Vec::new());
        for item in items {
            match self.read_hsm_job(&item.name).await {
                Err(error) if error.is_unreadable() => {
                    tracing::error!(blob.name = %item.name, "A job record is passed over: {error}");
                    // A newer program that works on the job rewrites the record, so its age is that of the last write.
                    let damaged = matches!(error, Error::Damaged { .. });
                    let began = damaged.then(|| began(&item.name)).flatten();
                    strays.push(Stray::new(item, began));
                }
                read => jobs.extend(read?),
            }
        }
        Ok((jobs, strays))
    }

    /// An open job, or `None` if there is none.
    pub async fn hsm_job(&self, hsm: &SourceName, id: &RunId) -> Result<Option<StoredHsmJob>> {
        self.read_hsm_job(&name(hsm, id)).await
    }

    async fn read_hsm_job(&self, name: &str) -> Result<Option<StoredHsmJob>> {
        let Some((bytes, etag)) = self.container.read_state(name).await? else { return Ok(None) };
        Ok(Some(StoredHsmJob { job: stored::read(name, &bytes, HSM_JOB_FORMAT)?, etag }))
    }

    /// Writes a record back, and returns it with its new state. `None` if another process wrote it meanwhile: that
    /// record stays, and the next pass decides.
    ///
    /// Each write has a mark of its own, by which its writer recognizes it if the answer was lost. The record is not
    /// enough: two passes in the same second write the same.
    pub async fn save_hsm_job(&self, stored: StoredHsmJob) -> Result<Option<StoredHsmJob>> {
        let StoredHsmJob { job, etag } = stored;
        let (name, mark) = (name(&job.hsm, &job.id), mark());
        match self.container.rewrite(&name, &etag, json(&name, &job)?, marked(&mark)).await {
            Err(error) if !matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {
                return Err(error.into());
            }
            _ => {}
        }
        let found = self.container.state(&name).await?.filter(|(found, _)| found.get(MARK) == Some(&mark));
        Ok(found.map(|(_, etag)| StoredHsmJob { job, etag }))
    }

    /// Takes an HSM for a restore, or returns the restore that has it. A holder that has no open record two minutes
    /// later loses it. Safe to run twice.
    pub async fn take_hsm(
        &self,
        hsm: &SourceName,
        id: &RestoreId,
        now: OffsetDateTime,
    ) -> Result<Option<RestoreId>> {
        let name = target_name(hsm);
        let Target::Held { lease, etag } = self.take(&name, id, now).await? else { return Ok(None) };
        let holder = match lease.map(|lease| lease.restore) {
            Some(holder) => {
                let open = match self.hsm_job(hsm, &holder.clone().into()).await {
                    Err(error) if error.is_unreadable() => true,
                    found => found?.is_some(),
                };
                Some(holder).filter(|holder| open || now - holder.asked() < RECORDED_WITHIN)
            }
            None => self.open_restore_of(hsm, id).await?,
        };
        match holder {
            Some(holder) => Ok(Some(holder)),
            None => self.take_over(&name, &etag, id, now).await.map(|()| None),
        }
    }

    /// Releases an HSM that was taken for a restore which did not begin. Safe to run twice.
    pub async fn release_hsm(&self, hsm: &SourceName, id: &RestoreId) -> Result<()> {
        self.release(&target_name(hsm), id).await
    }

    /// Another open restore of an HSM. Reads the jobs, for an HSM whose lease cannot be read.
    async fn open_restore_of(&self, hsm: &SourceName, other: &RestoreId) -> Result<Option<RestoreId>> {
        tracing::error!(hsm.name = %hsm, "{} is damaged; the open jobs are read instead", target_name(hsm));
        let jobs = self.hsm_jobs().await?.into_iter().filter(|stored| stored.job.hsm == *hsm);
        Ok(jobs.filter_map(|stored| stored.job.restore()).find(|id| id != other))
    }

    /// Deletes the record of a job that has ended, after moving that of a restore to the ended ones. Safe to run twice.
    pub async fn close_hsm_job(&self, job: &HsmJob) -> Result<()> {
        if let Some(id) = job.restore() {
            let name = ended_name(&id);
            self.container.create(&name, json(&name, job)?, Metadata::new()).await?;
            self.release(&target_name(&job.hsm), &id).await?;
        }
        Ok(self.container.delete(&name(&job.hsm, &job.id)).await?)
    }

    /// A restore of an HSM, open or ended. The open ones are read first: a restore has its final record before it is
    /// no longer open, so one that ends meanwhile is not missed.
    pub async fn hsm_restore(&self, id: &RestoreId) -> Result<Option<HsmJob>> {
        let open = self.hsm_jobs().await?.into_iter().map(|stored| stored.job);
        let open = open.filter(|job| job.restore().as_ref() == Some(id)).last();
        let name = ended_name(id);
        match self.container.read(&name).await? {
            Some(bytes) => stored::read(&name, &bytes, HSM_JOB_FORMAT).map(Some),
            None => Ok(open),
        }
    }

    /// Restores of HSMs, newest first, that were asked for before `after`: the open ones, and at most `limit` that have
    /// ended. A record that cannot be read is skipped with a log line.
    pub async fn hsm_restores(&self, after: Option<&RestoreId>, limit: usize) -> Result<Vec<HsmJob>> {
        let from = after.map(ended_name);
        let page = u16::try_from(limit.clamp(1, 1000)).unwrap_or(1000);
        let pages =
            self.container.list(Listing { prefix: ENDED, from: from.as_deref(), page, metadata: false });
        pin_mut!(pages);
        let is_later = |item: &Item| from.as_ref().is_none_or(|from| item.name > *from);
        let mut jobs = Vec::new();
        while jobs.len() < limit
            && let Some(page) = pages.try_next().await?
        {
            for item in page.iter().filter(|item| is_later(item)).take(limit - jobs.len()) {
                jobs.extend(passing_over(&item.name, self.read_hsm_job(&item.name).await)?);
            }
        }
        let jobs = jobs.into_iter().chain(self.hsm_jobs().await?).map(|stored| stored.job);
        let wanted = |job: &HsmJob| {
            job.restore().is_some_and(|id| after.is_none_or(|after| ended_name(&id) > ended_name(after)))
        };
        let mut jobs: Vec<_> = jobs.filter(wanted).collect();
        // In the order of their names, so that pages agree on restores of one second.
        jobs.sort_by_key(|job| job.restore().map(|id| ended_name(&id)));
        jobs.dedup_by(|a, b| a.id == b.id);
        Ok(jobs)
    }

    /// Keeps a plan under its digest. Safe to run twice.
    pub async fn keep_hsm_plan(&self, plan: &HsmPlan) -> Result<Digest> {
        let digest = plan.digest();
        let name = plan_name(&digest);
        self.container.create(&name, json(&name, plan)?, Metadata::new()).await?;
        Ok(digest)
    }

    /// A plan by its digest.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the stored plan does not have that digest.
    pub async fn hsm_plan(&self, digest: &Digest) -> Result<Option<HsmPlan>> {
        let name = plan_name(digest);
        let Some(bytes) = self.container.read(&name).await? else { return Ok(None) };
        let plan: HsmPlan = stored::read(&name, &bytes, HSM_PLAN_FORMAT)?;
        if plan.digest() == *digest {
            Ok(Some(plan))
        } else {
            Err(damaged(&name, &"it is not the plan of that digest"))
        }
    }
}

/// Turns a record that cannot be read into `None` and a log line.
fn passing_over<T>(name: &str, found: Result<Option<T>>) -> Result<Option<T>> {
    match found {
        Err(error) if error.is_unreadable() => {
            tracing::error!(blob.name = %name, "A job record is passed over: {error}");
            Ok(None)
        }
        found => found,
    }
}

fn mark() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn marked(mark: &str) -> Metadata {
    Metadata::from([(MARK.to_owned(), mark.to_owned())])
}

fn json(name: &str, value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| damaged(name, &error))
}

fn name(hsm: &SourceName, id: &RunId) -> String {
    format!("{OPEN}{hsm}/{id}")
}

/// The time in a job's name.
fn began(name: &str) -> Option<OffsetDateTime> {
    let (_, id) = name.strip_prefix(OPEN)?.split_once('/')?;
    id.parse::<RunId>().ok()?.occurrence()
}

fn ended_name(id: &RestoreId) -> String {
    format!("{ENDED}{}-{id}", countdown(id.asked()))
}

fn target_name(hsm: &SourceName) -> String {
    format!("hsm-targets/{hsm}")
}

fn plan_name(digest: &Digest) -> String {
    format!("hsm-plans/{digest}.json")
}
