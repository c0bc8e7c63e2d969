//! The state of each vault.

use std::panic::resume_unwind;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::{drills, runs::open_jobs, second};
use crate::{
    app::App,
    catalogue::{Lines, ManifestRef, Recent},
    domain::{
        acknowledged::Acknowledged,
        job::BackupJob,
        manifest::{Line, Summary},
        nothing::Points,
        run::{CLOSES_WITHIN, Scope},
        second::SecondPass,
        source::{SourceKind, SourceName},
        state::{Ended, History, Known, Newest, SourceState},
    },
    error::{Error, Result},
};

/// Vaults whose catalogues are read concurrently. Each holds one line of its index in memory, and its compressed bytes.
const VAULTS_AT_ONCE: usize = 16;

/// The state of a vault.
#[derive(Debug)]
pub struct VaultState {
    /// What it shares with other sources, and what is wrong with it.
    pub state: SourceState,
    /// Its open runs.
    pub open: Vec<BackupJob>,
    /// What its catalogue says, or why it cannot be read.
    pub known: Result<Known>,
}

/// The state of these vaults, with what the newest pass over the second place says and up to `most` failing objects of each. Acceptances count as of `now`.
///
/// # Errors
/// When a service refuses or does not answer. A damaged catalogue is part of the answer.
pub async fn all(
    app: &App,
    vaults: impl IntoIterator<Item = SourceName>,
    second: Option<&SecondPass>,
    most: usize,
    now: OffsetDateTime,
) -> Result<Vec<VaultState>> {
    let jobs = &open_jobs(app).await?;
    let each =
        vaults.into_iter().map(|vault| async move { state(app, &vault, (jobs, second), most, now).await });
    stream::iter(each).buffered(VAULTS_AT_ONCE).try_collect().await
}

/// The state of a vault, of whose open runs `jobs` has all.
///
/// # Errors
/// As [`all`].
pub async fn one(
    app: &App,
    vault: &SourceName,
    jobs: &[BackupJob],
    most: usize,
    now: OffsetDateTime,
) -> Result<VaultState> {
    let second = second::last_pass(app).await?;
    state(app, vault, (jobs, second.as_ref()), most, now).await
}

async fn state(
    app: &App,
    vault: &SourceName,
    (jobs, second): (&[BackupJob], Option<&SecondPass>),
    most: usize,
    now: OffsetDateTime,
) -> Result<VaultState> {
    let open: Vec<_> = jobs.iter().filter(|job| job.vault == *vault).cloned().collect();
    let (known, drills) =
        futures::join!(known(app, vault, most, now), drills::known(app, SourceKind::Vault, vault));
    let mut known = match known {
        Err(error @ Error::Service(_)) => return Err(error),
        known => known,
    };
    if let Ok(known) = &mut known {
        known.newest.held = open.iter().filter(|job| job.covers).map(|job| job.opened).max();
    }
    let seen = known.as_ref().map_err(ToString::to_string);
    let newest = seen.as_ref().ok().and_then(|known| known.newest.last.as_ref()).map(|last| last.planned);
    let state = SourceState::of_vault(vault, seen, open.len(), app.interval(), now);
    let state = state.with_second(second, newest, now);
    let state = state.with_drills(drills?, now);
    Ok(VaultState { state, open, known })
}

/// The most manifests that are read for the history of a vault that is covered: a few requests.
const HISTORY: usize = 300;

/// The newest closed runs of a vault. One request, unless the vault has not been covered for long.
pub async fn newest(app: &App, vault: &SourceName) -> Result<Newest> {
    let manifests = app.catalogue()?.newest_manifests(vault, |found| {
        found.last().and_then(|last| last.summary.as_ref()).is_some_and(covers)
    });
    Ok(newest_of(&manifests.await?))
}

/// What one listing says of a vault, and how its runs of the last nights ended. One request for each hundred runs.
async fn recent(app: &App, vault: &SourceName, now: OffsetDateTime) -> Result<(Recent, History)> {
    let (since, mut is_covered, mut read_since) = (History::since(now), false, None);
    let recent = app.catalogue()?.recent(vault, |found| {
        let Some(last) = found.last().and_then(|last| last.summary.as_ref()) else { return false };
        is_covered |= covers(last);
        // A run that a listing shows earlier may have been planned a little later.
        let is_read = last.planned < since - CLOSES_WITHIN;
        if !is_covered || !(is_read || found.len() >= HISTORY) {
            return false;
        }
        read_since = Some(if is_read { since } else { last.planned });
        true
    });
    let recent = recent.await?;
    let whole = recent.manifests.iter().filter_map(|found| found.summary.as_ref());
    let whole = whole.filter(|summary| summary.scope == Scope::Vault).map(Ended::from);
    let history = History::of(whole, read_since, now);
    Ok((recent, history))
}

fn covers(summary: &Summary) -> bool {
    summary.scope == Scope::Vault && summary.numbers.covers()
}

fn newest_of(manifests: &[ManifestRef]) -> Newest {
    Newest::of(manifests.iter().filter_map(|found| Some((found.summary.as_ref()?, None))))
}

/// What the catalogue says of a vault, with up to `most` failing objects. Acknowledgements and acceptances are read only
/// if something is lost, has moved or fails, and count as of `now`.
///
/// # Errors
/// Those of storage, and when the catalogue is damaged.
async fn known(app: &App, vault: &SourceName, most: usize, now: OffsetDateTime) -> Result<Known> {
    let catalogue = app.catalogue()?;
    let ((recent, history), earliest, verified) = futures::try_join!(
        recent(app, vault, now),
        catalogue.earliest_point(vault),
        catalogue.verified_or_why_not(SourceKind::Vault, vault)
    )?;
    let newest = newest_of(&recent.manifests);
    let points = Points::of(earliest.into_iter().chain(recent.newest));
    let mut acknowledged = None;
    if newest.has_findings() {
        acknowledged = Some(catalogue.acknowledged(vault).await?);
    }
    let known = Known { history, verified, points, ..Known::of(newest, acknowledged.as_ref()) };
    let mut reading = Reading { known, lines: catalogue.lines(&recent.view).await?, acknowledged, most, now };
    loop {
        // Work for a processor, of which there may be more than one.
        let read = tokio::task::spawn_blocking(move || reading.go_on().map(|stopped| (reading, stopped)));
        let (at, stopped) = read.await.unwrap_or_else(|stopped| resume_unwind(stopped.into_panic()))?;
        reading = at;
        let Some(line) = stopped else { return Ok(reading.known) };
        let acknowledged = catalogue.acknowledged(vault).await?;
        reading.known.note(line, Some(&acknowledged), most, now);
        reading.acknowledged = Some(acknowledged);
    }
}

/// The reading of an index, line by line.
struct Reading {
    known: Known,
    lines: Lines,
    acknowledged: Option<Acknowledged>,
    most: usize,
    now: OffsetDateTime,
}

impl Reading {
    /// Reads on, up to the first line that fails while it is not known what people accepted.
    fn go_on(&mut self) -> Result<Option<Line>> {
        for line in self.lines.by_ref() {
            let line = line?;
            if line.is_failing() && self.acknowledged.is_none() {
                return Ok(Some(line));
            }
            self.known.note(line, self.acknowledged.as_ref(), self.most, self.now);
        }
        Ok(None)
    }
}
