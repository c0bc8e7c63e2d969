//! Retention: what is kept, what may go, and the deletion of what went.
//!
//! [`plan`] reads a source and decides nothing itself: see [`domain::retention`](crate::domain::retention). [`apply`]
//! carries a plan out in steps that each stand alone. First the record of a drop: from then on the point is not offered.
//! After a [`pause`](crate::domain::retention::pause), once holds and newer backups were looked at again, the blobs that
//! the record names, in exactly the versions that it names. Each step is safe to run twice, and a kill between two of
//! them leaves a state that the next pass continues.

mod applied;
pub mod apply;
mod deletion;
mod folders;
pub mod forget;
mod going;
pub mod legal;
pub mod owners;
pub mod people;
mod points;
mod reading;
mod seen;
mod standstill;
mod sweep;

use time::OffsetDateTime;

pub use self::{applied::Applied, forget::ForgottenLeft};
use crate::{
    app::App,
    catalogue::Strays,
    domain::{
        retention::{Candidate, Policy, Standstill, Verdict, policy_of_second, withheld},
        role::Role,
        run::RunId,
        second::Place,
        source::{SourceId, SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// A point, and what retention decides about it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The point.
    pub point: Candidate,
    /// The verdict.
    pub verdict: Verdict,
    /// The bytes that go with it, if it may go.
    pub frees: u64,
}

impl Planned {
    fn all(
        points: Vec<Candidate>,
        verdicts: Vec<Verdict>,
        frees: Vec<u64>,
        needs_consent: bool,
    ) -> Vec<Self> {
        let verdicts = if needs_consent { withheld(verdicts) } else { verdicts };
        let points = points.into_iter().zip(verdicts).zip(frees);
        points.map(|((point, verdict), frees)| Self { point, verdict, frees }).collect()
    }
}

/// The plan of a source.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// The source.
    pub source: SourceId,
    /// Its policy.
    pub policy: Policy,
    /// Why it keeps everything, if it does.
    pub standstill: Option<Standstill>,
    /// Its points, newest first.
    pub points: Vec<Planned>,
    /// How many points would go if a person consented, where one must.
    pub needs_consent: Option<usize>,
    /// The points that were let go and are not deleted yet.
    pub pending: Vec<RunId>,
    /// The backups that no point names, if they were counted.
    pub strays: Option<Strays>,
    /// In the second place, what people forgot in the first one and is still there.
    pub forgotten: Vec<ForgottenLeft>,
}

impl SourcePlan {
    /// The points that may go.
    pub fn drops(&self) -> impl Iterator<Item = &Planned> {
        self.points.iter().filter(|planned| planned.verdict.drops())
    }

    /// The bytes that go.
    pub fn frees(&self) -> u64 {
        self.drops().map(|planned| planned.frees).sum()
    }
}

/// The plan of one source as of `now`. Reads, and changes nothing.
///
/// Where every point is kept by the policy, it reads the names of the points. Otherwise it reads the manifests of the
/// kept points and of those that may go, and lists the newer backups that take the place of what goes.
///
/// # Errors
/// Those of storage, and settings of retention that do not fit together.
pub async fn plan(app: &App, source: &SourceId, now: OffsetDateTime) -> Result<SourcePlan> {
    let policy = policy(app, &source.name)?;
    match source.kind {
        SourceKind::Vault => {
            let mut plan = Box::pin(points::vault(app, &source.name, policy, now)).await?;
            if app.config().place == Place::Second {
                plan.forgotten = forget::left(app, &source.name, now).await?;
            }
            Ok(plan)
        }
        SourceKind::Hsm => Box::pin(folders::hsm(app, &source.name, policy, now)).await,
    }
}

/// The plan of every source that the catalogue has, as of `now`. An error in one does not hide the others.
///
/// # Errors
/// When the sources cannot be listed.
pub async fn all(app: &App, now: OffsetDateTime) -> Result<Vec<(SourceId, Result<SourcePlan>)>> {
    let mut plans = Vec::new();
    for source in app.catalogue()?.sources().await? {
        let plan = Box::pin(plan(app, &source, now)).await;
        plans.push((source, plan));
    }
    Ok(plans)
}

/// Counts the backups of a plan's source that no point names. A whole HSM has none: each of its folders has a record.
///
/// # Errors
/// Those of storage.
pub async fn count_strays(app: &App, plan: &mut SourcePlan) -> Result<()> {
    if plan.source.kind == SourceKind::Vault {
        plan.strays = Some(app.catalogue()?.strays(&plan.source.name).await?);
    }
    Ok(())
}

/// The policy of a source, if it fits the other settings. The second place has one of its own, which is the same for all.
///
/// # Errors
/// When everything is kept for a shorter time than lies between two runs that back up everything: then points would go
/// before their objects are backed up again.
pub fn policy(app: &App, source: &SourceName) -> Result<Policy> {
    if app.config().place == Place::Second {
        return Ok(policy_of_second(app.config().second_keeps));
    }
    if app.sources().is_empty() {
        return Err(Error::Refused(
            "no source is configured, so every one would count as removed; set KEYVAULT_BACKUP_VAULTS or \
             KEYVAULT_BACKUP_HSMS as the app that backs up has them"
                .to_owned(),
        ));
    }
    let policy = match &app.config().retention {
        Some(Ok(policies)) => policies.of(source),
        Some(Err(error)) => return Err(Error::Refused(format!("KEYVAULT_BACKUP_RETENTION: {error}"))),
        None if app.role() == Role::Keeper => Policy::default(),
        None => {
            return Err(Error::Refused(
                "KEYVAULT_BACKUP_RETENTION is not set, so it is not known here what the keeper keeps; set it as the \
                 keeper has it"
                    .to_owned(),
            ));
        }
    };
    let full_pass = app.full_pass().whole_days();
    if i64::from(policy.within) < full_pass {
        return Err(Error::Refused(format!(
            "retention of {source} stands still: it keeps everything for {} days, and everything is backed up every \
             {full_pass} days; set within= in KEYVAULT_BACKUP_RETENTION to at least that",
            policy.within
        )));
    }
    Ok(policy)
}
