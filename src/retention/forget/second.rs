//! What was forgotten in the first place, in the second one.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use time::{Date, Duration, OffsetDateTime};

use super::{Stays, backups, is_forgotten};
use crate::{
    app::App,
    catalogue::Catalogue,
    domain::{forgotten::Forget, moment::day, object::ObjectId, second::Place, source::SourceName},
    error::Result,
    retention::reading,
};

/// How long it takes until the next pass of copies.
const COPIED_WITHIN: Duration = Duration::DAY;

/// What the second place has of objects that are forgotten, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftInSecond {
    /// How many backups.
    pub backups: usize,
    /// The day from which all of them can go: its owners' own time is over then since the decisions arrive there, and so is what
    /// storage keeps there until a date.
    pub until: Date,
}

/// What the second place has of some objects; `None` where none is named. Lists the whole vault there; changes nothing.
///
/// # Errors
/// Those of storage.
pub async fn left_in_second(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    now: OffsetDateTime,
) -> Result<Option<LeftInSecond>> {
    let Some(second) = app.second() else { return Ok(None) };
    let stored = second.forgets_stored(vault).await?;
    let arrives = |id: &ObjectId| stored.get(id).copied().flatten().unwrap_or(now + COPIED_WITHIN);
    let keeps = Duration::days(app.config().second_keeps.into());
    let mut left = LeftInSecond { backups: 0, until: day(now) };
    let pages = second.container().versions(&Catalogue::prefix_of(vault));
    futures::pin_mut!(pages);
    while let Some(page) = pages.try_next().await? {
        for version in page {
            let object = Catalogue::run_of(vault, &version.name).and_then(|(_, object)| object);
            let Some(object) = object.filter(|object| objects.contains(object)) else { continue };
            let until = Some(arrives(&object) + keeps).max(version.immutable_until);
            left.backups += 1;
            left.until = until.map_or(left.until, |until| left.until.max(day(until)));
        }
    }
    Ok(Some(left))
}

/// A forgotten object of which the second place still has backups.
#[derive(Clone, Debug)]
pub struct ForgottenLeft {
    /// The object.
    pub object: ObjectId,
    /// How many backups.
    pub backups: usize,
    /// Their size.
    pub bytes: u64,
    /// The day before which they stay, or why else they do.
    pub stays: Option<Stays>,
}

/// In the second place, what people forgot in the first one and is stored there nevertheless.
pub(in crate::retention) async fn left(
    app: &App,
    vault: &SourceName,
    now: OffsetDateTime,
) -> Result<Vec<ForgottenLeft>> {
    let catalogue = app.catalogue()?;
    let forgotten = catalogue.forgotten(vault).await?;
    let open = catalogue.open_forgets(vault, &forgotten).await?;
    let (stored, keeps) =
        (catalogue.forgets_stored(vault).await?, Duration::days(app.config().second_keeps.into()));
    let objects: Vec<_> = open.iter().map(Forget::id).collect();
    let mut left: BTreeMap<ObjectId, ForgottenLeft> = BTreeMap::new();
    for backup in backups(app, vault, &objects, now).await? {
        if !is_forgotten(catalogue, vault, &backup, &forgotten).await? {
            continue;
        }
        let until = stored.get(&backup.object).copied().flatten().map(|at| at + keeps);
        let waits = until.is_none_or(|until| now < until);
        let stays = waits.then(|| Stays::Until(day(until.unwrap_or(now + keeps)))).or(backup.stays);
        let new = ForgottenLeft { object: backup.object.clone(), backups: 0, bytes: 0, stays: None };
        let of = left.entry(backup.object).or_insert(new);
        of.backups += 1;
        of.bytes += backup.version.bytes;
        of.stays = of.stays.take().or(stays);
    }
    Ok(left.into_values().collect())
}

/// The decisions that count: in the second place, those that arrived there long enough ago.
pub(super) async fn arrived(
    app: &App,
    vault: &SourceName,
    open: Vec<Forget>,
    now: OffsetDateTime,
) -> Result<Vec<Forget>> {
    if app.config().place == Place::First || open.is_empty() {
        return Ok(open);
    }
    let (stored, since) = (app.catalogue()?.forgets_stored(vault).await?, reading::counts_since(app, now));
    let counts = |of: &Forget| stored.get(&of.id()).copied().flatten().is_some_and(|at| at <= since);
    Ok(open.into_iter().filter(counts).collect())
}
