//! Retention: what is kept, what may go, and the deletion of what went.
//!
//! [`plan`] reads a source and decides nothing itself: see [`domain::retention`](crate::domain::retention). [`apply`]
//! carries a plan out in steps that each stand alone. First the record of a drop: from then on the point is not offered.
//! After a [`pause`](crate::domain::retention::pause), once holds and newer backups were looked at again, the blobs that
//! the record names, in exactly the versions that it names. Each step is safe to run twice, and a kill between two of
//! them leaves a state that the next pass continues.

pub mod apply;
mod folders;
pub mod people;
mod points;
mod seen;
mod sweep;

use time::OffsetDateTime;

pub use self::points::{Planned, SourcePlan};
use crate::{
    app::App,
    domain::{
        manifest::Summary,
        retention::{Decision, Policy, Standstill},
        role::Role,
        run::Scope,
        source::{Source, SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// A source by its kind, for a vault and an HSM may share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Of {
    /// What it is.
    pub kind: SourceKind,
    /// Its name.
    pub name: SourceName,
}

impl From<&Source> for Of {
    fn from(source: &Source) -> Self {
        let kind = if source.is_hsm() { SourceKind::Hsm } else { SourceKind::Vault };
        Self { kind, name: source.name().clone() }
    }
}

/// Every source that the catalogue has, configured or not.
///
/// # Errors
/// Those of storage.
pub async fn sources(app: &App) -> Result<Vec<Of>> {
    let catalogue = app.catalogue()?;
    let (vaults, hsms) = futures::try_join!(catalogue.vaults(), catalogue.hsms())?;
    let of = |kind| move |name| Of { kind, name };
    Ok(vaults
        .into_iter()
        .map(of(SourceKind::Vault))
        .chain(hsms.into_iter().map(of(SourceKind::Hsm)))
        .collect())
}

/// The plan of one source as of `now`. Reads, and changes nothing.
///
/// Where every point is kept by the policy, it reads the names of the points. Otherwise it reads the manifests of the
/// kept points and of those that may go, and lists the newer backups that take the place of what goes.
///
/// # Errors
/// Those of storage, and settings of retention that do not fit together.
pub async fn plan(app: &App, of: &Of, now: OffsetDateTime) -> Result<SourcePlan> {
    let policy = policy(app, &of.name)?;
    match of.kind {
        SourceKind::Vault => Box::pin(points::vault(app, &of.name, policy, now)).await,
        SourceKind::Hsm => Box::pin(folders::hsm(app, &of.name, policy, now)).await,
    }
}

/// The plan of every source that the catalogue has, as of `now`. An error in one does not hide the others.
///
/// # Errors
/// When the sources cannot be listed.
pub async fn all(app: &App, now: OffsetDateTime) -> Result<Vec<(Of, Result<SourcePlan>)>> {
    let mut plans = Vec::new();
    for of in sources(app).await? {
        let plan = Box::pin(plan(app, &of, now)).await;
        plans.push((of, plan));
    }
    Ok(plans)
}

/// The policy of a source, if it fits the other settings.
///
/// # Errors
/// When everything is kept for a shorter time than lies between two runs that back up everything: then points would go
/// before their objects are backed up again.
fn policy(app: &App, source: &SourceName) -> Result<Policy> {
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

/// Why a vault keeps everything, by its newest runs and by what people decided.
fn standstill(
    app: &App,
    vault: &SourceName,
    summaries: &[(&Summary, Option<OffsetDateTime>)],
    decisions: &[Decision],
    acknowledged: impl Fn(&crate::domain::run::RunId) -> bool,
    now: OffsetDateTime,
) -> Option<Standstill> {
    let is_configured = app.sources().contains(vault);
    if !is_configured {
        let newest = summaries.iter().map(|(summary, _)| summary.planned).max();
        return (!Decision::releases(decisions, newest)).then_some(Standstill::NotConfigured);
    }
    let mut whole = summaries.iter().filter(|(summary, _)| summary.scope == Scope::Vault);
    let Some((newest, _)) = whole.clone().next() else { return Some(Standstill::NeverCovered) };
    let Some((covering, stored)) = whole.find(|(summary, _)| summary.numbers.covers()) else {
        return Some(Standstill::NeverCovered);
    };
    // By the earlier of two clocks: one that was ahead must not hide that the app has stopped.
    let since = stored.map_or(covering.planned, |stored| stored.min(covering.planned));
    if now - since > app.interval() {
        return Some(Standstill::Overdue { since });
    }
    if !newest.numbers.covers() {
        return Some(Standstill::NotCovered(newest.run.clone()));
    }
    let open = newest.losses.iter().find(|loss| !acknowledged(&loss.run));
    let moved = newest.moved.iter().find(|moved| !acknowledged(&moved.run));
    let lost = open.map(|loss| Standstill::Lost(loss.run.clone()));
    lost.or_else(|| moved.map(|moved| Standstill::Moved(moved.run.clone())))
}
