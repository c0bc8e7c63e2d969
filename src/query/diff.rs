//! How a live source differs from a recovery point: what a restore of it would change.

use futures::{TryStreamExt as _, future};
use time::OffsetDateTime;

use super::nothing;
use crate::{
    app::App,
    azure::{error::ServiceError, vault::VaultClient},
    domain::{
        diff::{Difference, PointObjects},
        object::ObjectKind,
        plan::Unlisted,
        planner::Planner,
        restore::Selection,
        run::{RunId, Scope},
        source::SourceName,
        versions::Listed,
    },
    error::Result,
};

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// The newest one.
    Newest,
    /// As the backups were at a time.
    At(OffsetDateTime),
    /// What a run left. A run of some objects has no others.
    Run(RunId),
}

/// A live source, compared with a recovery point.
#[derive(Debug)]
pub struct Diff {
    /// The run whose manifest is the recovery point; `None` if only runs of some objects make it up.
    pub run: Option<RunId>,
    /// The objects, in order. Not those of `unlisted` kinds.
    pub objects: Vec<Difference>,
    /// The kinds that the source did not list: how their objects differ is not known.
    pub unlisted: Vec<Unlisted>,
}

/// The recovery point's objects, and whether an object that they lack is new.
struct Known {
    run: Option<RunId>,
    objects: PointObjects,
    whole: bool,
}

/// Compares a live source with a recovery point. Changes nothing. `None` when the source has no such run that has ended.
///
/// Of an HSM only keys that the point has are compared: the others are in the backups of the whole HSM.
///
/// # Errors
/// Those of storage; [`Error::Nothing`](crate::error::Error::Nothing) when there was no recovery point by then; the
/// source's own when it lists no kind.
pub async fn diff(app: &App, source: &SourceName, point: &Point) -> Result<Option<Diff>> {
    let known = match point {
        Point::Newest => as_of(app, source, None).await?,
        Point::At(at) => as_of(app, source, Some(*at)).await?,
        Point::Run(run) => match of_run(app, source, run).await? {
            Some(known) => known,
            None => return Ok(None),
        },
    };
    let (listed, unlisted) = live(app.vault(source)?, kinds(app, source)).await?;
    let every = known.whole && !app.is_hsm(source);
    let mut planner = Planner::new(known.objects.index(), false);
    listed.into_iter().filter(|of| every || known.objects.has(&of.id)).for_each(|of| planner.add(of));
    let live = planner.finish(&unlisted);
    Ok(Some(Diff { run: known.run, objects: known.objects.diff(live, &unlisted), unlisted }))
}

fn kinds(app: &App, source: &SourceName) -> &'static [ObjectKind] {
    if app.is_hsm(source) { &[ObjectKind::Key] } else { &ObjectKind::ALL }
}

async fn as_of(app: &App, source: &SourceName, at: Option<OffsetDateTime>) -> Result<Known> {
    let view = app.catalogue()?.view(source, at).await?;
    if view.is_empty()
        && let Some(nothing) = nothing::why(app, source, at, &Selection::default()).await?
    {
        return Err(nothing.into());
    }
    let mut objects = PointObjects::default();
    for line in app.catalogue()?.lines(&view).await? {
        objects.add(line?);
    }
    Ok(Known { run: view.base.map(|base| base.run), objects, whole: true })
}

async fn of_run(app: &App, source: &SourceName, run: &RunId) -> Result<Option<Known>> {
    let catalogue = app.catalogue()?;
    let Some(found) = catalogue.find(source, run).await? else { return Ok(None) };
    let mut manifest = catalogue.manifest(&found.name).await?;
    let mut objects = PointObjects::default();
    for line in manifest.by_ref() {
        objects.add(line?);
    }
    let whole = manifest.header().scope == Scope::Vault;
    Ok(Some(Known { run: Some(found.run), objects, whole }))
}

/// What a source lists now, and the kinds that it does not list to their ends.
async fn live(vault: &VaultClient, kinds: &[ObjectKind]) -> Result<(Vec<Listed>, Vec<Unlisted>)> {
    let lists = kinds.iter().map(|kind| async { (*kind, all(vault, *kind).await) });
    let (mut listed, mut unlisted, mut last) = (Vec::new(), Vec::new(), None);
    for (kind, result) in future::join_all(lists).await {
        match result {
            Ok(found) => listed.extend(found),
            Err(error) => {
                unlisted.push(Unlisted::for_good(kind, (*error.failure).clone()));
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if unlisted.len() == kinds.len() => Err(error.into()),
        _ => Ok((listed, unlisted)),
    }
}

async fn all(vault: &VaultClient, kind: ObjectKind) -> Result<Vec<Listed>, ServiceError> {
    vault.list(kind).try_concat().await
}
