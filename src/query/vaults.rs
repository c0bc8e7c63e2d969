//! The state of each vault.

use time::{Duration, OffsetDateTime};

use super::runs::open_jobs;
use crate::{
    app::App,
    domain::{
        acknowledged::{AcceptanceRecord, Acknowledged, Acknowledgement},
        form::Clear,
        job::BackupJob,
        loss::Loss,
        manifest::{Line, ObjectStatus, Summary},
        object::ObjectId,
        observed_location::Moved,
        run::Scope,
        source::SourceName,
        versions::VERSIONS_WARNING,
    },
    error::{Error, Result},
};

/// The state of a vault.
#[derive(Debug)]
pub struct Doing {
    /// The vault.
    pub vault: SourceName,
    /// Its open runs.
    pub open: Vec<BackupJob>,
    /// The state that its catalogue records, or why it cannot be read.
    pub known: Result<Known>,
}

/// The newest runs of a whole vault.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// The newest of all.
    pub last: Option<Summary>,
    /// The newest that covers the vault, as [`Numbers::covers`](crate::domain::run::Numbers::covers) says.
    pub covering: Option<Summary>,
    /// When the newest open run began that already covers the vault and stays open only for its failing objects.
    pub held: Option<OffsetDateTime>,
}

/// The state of a vault as the catalogue records it.
#[derive(Debug, Default)]
pub struct Known {
    /// Its newest runs.
    pub newest: Newest,
    /// Objects whose newest backup could not be taken and whose failure is not accepted, up to the limit.
    pub failing: Vec<Line>,
    /// The number of such objects.
    pub failing_total: usize,
    /// Objects whose newest backup could not be taken and whose failure a person has accepted, up to the limit.
    pub accepted: Vec<(Line, AcceptanceRecord)>,
    /// The number of such objects.
    pub accepted_total: usize,
    /// The losses as of the newest run, each with its acknowledgement.
    pub losses: Vec<(Loss, Option<Acknowledgement>)>,
    /// The vault's move as of the newest run, with its acknowledgement.
    pub moved: Option<(Box<Moved>, Option<Acknowledgement>)>,
    /// Objects with many versions at their newest backup, and how many.
    pub many_versions: Vec<(ObjectId, u32)>,
    /// Objects whose newest backup has an unknown form, up to the limit, and the part of it that may be shown.
    pub unknown_forms: Vec<(ObjectId, Clear)>,
    /// The number of such objects.
    pub unknown_forms_total: usize,
}

impl Doing {
    /// Whether it is healthy: its catalogue can be read, the newest run that covers it is not too old, the newest of
    /// all listed every kind, no object fails without being accepted, and every loss and move is acknowledged.
    pub fn is_ok(&self, interval: Duration, now: OffsetDateTime) -> bool {
        let Ok(known) = &self.known else { return false };
        let listed = known.newest.last.as_ref().is_some_and(|last| last.numbers.unlisted.is_empty());
        let lost = known.losses.iter().any(|(_, acknowledged)| acknowledged.is_none());
        let moved = known.moved.as_ref().is_some_and(|(_, acknowledged)| acknowledged.is_none());
        listed && !known.newest.is_overdue(interval, now) && known.failing_total == 0 && !lost && !moved
    }
}

impl Newest {
    /// When the newest run began that covers the vault.
    pub fn covered(&self) -> Option<OffsetDateTime> {
        self.covering.as_ref().map(|run| run.planned).max(self.held)
    }

    /// Whether the newest run that covers the vault is older than `interval`, or there is none.
    pub fn is_overdue(&self, interval: Duration, now: OffsetDateTime) -> bool {
        self.covered().is_none_or(|began| now - began > interval)
    }
}

/// The state of every configured vault, with up to `most` failing objects of each. Acceptances count as of `now`.
///
/// # Errors
/// When a service refuses or does not answer. A damaged catalogue is part of the answer.
pub async fn all(app: &App, most: usize, now: OffsetDateTime) -> Result<Vec<Doing>> {
    let jobs = open_jobs(app).await?;
    let mut all = Vec::new();
    for vault in app.vaults().map(|vault| vault.source().name()) {
        let mut known = match known(app, vault, most, now).await {
            Err(error @ Error::Service(_)) => return Err(error),
            known => known,
        };
        let open: Vec<_> = jobs.iter().filter(|job| job.vault == *vault).cloned().collect();
        if let Ok(known) = &mut known {
            known.newest.held = held(&open, vault);
        }
        all.push(Doing { vault: vault.clone(), open, known });
    }
    Ok(all)
}

/// When the newest of these open runs began that already covers a vault.
pub fn held(open: &[BackupJob], vault: &SourceName) -> Option<OffsetDateTime> {
    open.iter().filter(|job| job.covers && job.vault == *vault).map(|job| job.opened).max()
}

/// The newest closed runs of a vault. One request, unless the vault has not been covered for long.
pub async fn newest(app: &App, vault: &SourceName) -> Result<Newest> {
    let covers = |summary: &Summary| summary.scope == Scope::Vault && summary.numbers.covers();
    let manifests = app.catalogue()?.manifests(vault, None, |found| {
        found.last().and_then(|last| last.summary.as_ref()).is_some_and(covers)
    });
    let whole = manifests.await?.into_iter().filter_map(|found| found.summary);
    let mut whole: Vec<_> = whole.filter(|summary| summary.scope == Scope::Vault).collect();
    let covering = whole.pop_if(|last| covers(last));
    Ok(Newest { last: whole.into_iter().next().or_else(|| covering.clone()), covering, held: None })
}

/// The state of a vault as the catalogue records it, with up to `most` failing objects. Acknowledgements and
/// acceptances are read only if something is lost, has moved or fails, and count as of `now`.
///
/// # Errors
/// Those of storage, and when the catalogue is damaged.
pub async fn known(app: &App, vault: &SourceName, most: usize, now: OffsetDateTime) -> Result<Known> {
    let catalogue = app.catalogue()?;
    let mut known = Known { newest: newest(app, vault).await?, ..Known::default() };
    let view = catalogue.view(vault, None).await?;
    let last = known.newest.last.as_ref();
    let losses = last.map(|last| last.losses.clone()).unwrap_or_default();
    let moved = last.and_then(|last| last.moved.clone());
    let mut acknowledged = None;
    if !losses.is_empty() || moved.is_some() {
        let of = acknowledged.insert(catalogue.acknowledged(vault).await?);
        known.losses = losses.into_iter().map(|loss| (loss.clone(), of.loss(&loss.run).cloned())).collect();
        known.moved = moved.map(|moved| (moved.clone(), of.loss(&moved.run).cloned()));
    }
    for line in catalogue.lines(&view).await? {
        let line = line?;
        if line.is_failing() && acknowledged.is_none() {
            acknowledged = Some(catalogue.acknowledged(vault).await?);
        }
        known.note(line, acknowledged.as_ref(), most, now);
    }
    Ok(known)
}

impl Known {
    fn note(&mut self, line: Line, acknowledged: Option<&Acknowledged>, most: usize, now: OffsetDateTime) {
        let versions = line.entry.as_ref().map_or(0, |entry| entry.versions);
        if versions >= VERSIONS_WARNING && line.status != ObjectStatus::Gone {
            self.many_versions.push((line.id(), versions));
        }
        let entry = line.entry.as_ref().filter(|_| line.status != ObjectStatus::Gone);
        if let Some(clear) = entry.and_then(|entry| entry.form.unknown()) {
            self.unknown_forms_total += 1;
            if self.unknown_forms.len() < most {
                self.unknown_forms.push((line.id(), clear.clone()));
            }
        }
        if !line.is_failing() {
            return;
        }
        if let Some(record) = acknowledged.and_then(|of| of.covering(&line, now)) {
            self.accepted_total += 1;
            if self.accepted.len() < most {
                self.accepted.push((line, record.clone()));
            }
            return;
        }
        self.failing_total += 1;
        if self.failing.len() < most {
            self.failing.push(line);
        }
    }
}
