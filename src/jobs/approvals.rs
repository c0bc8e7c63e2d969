//! Who planned a restore, and its approval.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use time::OffsetDateTime;

use super::{Jobs, forms::record_in, metadata};
use crate::{
    azure::{
        container::{Item, Listing, Metadata, Written},
        error::Meaning,
    },
    domain::{
        actor::Actor,
        digest::Digest,
        restore::{APPROVAL_FORMAT, Approval, Planner},
    },
    error::{Error, Result},
};

const PLANNERS: &str = "restore-planners/";
const PLANNER: &str = "planner";
const APPROVAL: &str = "approval";

/// An approval as it was read.
#[derive(Clone, Debug)]
pub struct StoredApproval {
    /// The approval.
    pub approval: Approval,
    etag: String,
}

impl Jobs {
    /// Records that a person planned a restore. Safe to run twice.
    pub async fn record_planner(&self, plan: &Digest, by: &Actor) -> Result<()> {
        let record = metadata(PLANNER, &Planner { v: APPROVAL_FORMAT, by: by.clone() })?;
        self.container.create(&planner_name(plan, by), Vec::new(), record).await?;
        Ok(())
    }

    /// Whether a person planned a restore.
    pub async fn is_planner(&self, plan: &Digest, by: &Actor) -> Result<bool> {
        Ok(self.container.metadata(&planner_name(plan, by)).await?.is_some())
    }

    /// Everyone who planned a restore, as far as that is recorded.
    pub async fn planners(&self, plan: &Digest) -> Result<Vec<Actor>> {
        let prefix = planners_of(plan);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: 1000, metadata: true });
        let items: Vec<Item> = pages.try_concat().await?;
        let planner = |item: &Item| -> Result<Actor> {
            Ok(record_in::<Planner>(&item.name, &item.metadata, PLANNER, APPROVAL_FORMAT)?.by)
        };
        items.iter().map(planner).collect()
    }

    /// The plans that someone planned since a time and that need an approval, each with when it was planned last.
    pub async fn planned_since(&self, since: OffsetDateTime) -> Result<BTreeMap<Digest, OffsetDateTime>> {
        let pages =
            self.container.list(Listing { prefix: PLANNERS, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        let plan = |item: &Item| -> Option<(Digest, OffsetDateTime)> {
            let (digest, _) = item.name.strip_prefix(PLANNERS)?.split_once('/')?;
            Some((digest.parse().ok()?, item.modified.filter(|at| *at >= since)?))
        };
        Ok(items.iter().filter_map(plan).collect())
    }

    /// The approval of a plan, used or not.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::TooNew`]: what cannot be read approves nothing.
    pub async fn approval(&self, plan: &Digest) -> Result<Option<StoredApproval>> {
        let name = approval_name(plan);
        let Some((found, etag)) = self.container.state(&name).await? else { return Ok(None) };
        let approval: Approval = record_in(&name, &found, APPROVAL, APPROVAL_FORMAT)?;
        Ok(Some(StoredApproval { approval, etag }))
    }

    /// Stores the approval of a plan, in place of the one that was read.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process was faster.
    pub async fn approve(&self, approval: &Approval, before: Option<&StoredApproval>) -> Result<()> {
        let (name, record) = (approval_name(&approval.plan), metadata(APPROVAL, approval)?);
        match before {
            None => match self.container.create(&name, Vec::new(), record).await? {
                Written::Created => Ok(()),
                Written::AlreadyThere => Err(busy(&approval.plan)),
            },
            Some(before) => self.replace_approval(&name, before, record).await,
        }
    }

    async fn replace_approval(&self, name: &str, before: &StoredApproval, record: Metadata) -> Result<()> {
        match self.container.replace(name, &before.etag, record).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {
                Err(busy(&before.approval.plan))
            }
            replaced => Ok(replaced?),
        }
    }
}

fn busy(plan: &Digest) -> Error {
    Error::Busy(format!("the approval of plan {plan} was just changed by another request; try again"))
}

fn approval_name(plan: &Digest) -> String {
    format!("restore-approvals/{plan}")
}

fn planners_of(plan: &Digest) -> String {
    format!("{PLANNERS}{plan}/")
}

/// The name has a digest of the caller, which may be any text.
fn planner_name(plan: &Digest, by: &Actor) -> String {
    let caller = Digest::of(by.caller().unwrap_or_default().to_ascii_lowercase().as_bytes());
    format!("{}{caller}", planners_of(plan))
}
