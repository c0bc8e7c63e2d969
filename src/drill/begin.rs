//! Beginning a drill.

use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::{Actor, Via},
        audit::Event,
        drill::{CleanedUp, DrillId, OpenDrill, Seed},
        object::ObjectId,
        source::{SourceKind, SourceName},
    },
    error::{Error, Result},
    jobs::StoredDrill,
};

/// Opens the drill of the first of these sources, which all drill in one vault; the others follow it. A request of a person is on
/// the audit trail first.
///
/// # Errors
/// [`Error::Busy`] if a drill is under way in the vault. Also when the source has no drill vault, and those of storage.
pub(super) async fn begin(
    app: &App,
    sources: &[SourceName],
    by: &Actor,
    clock: &Clock,
) -> Result<StoredDrill> {
    let Some((source, then)) = sources.split_first() else {
        return Err(Error::Refused("no source has a drill vault".into()));
    };
    let Some(of) = app.config().drills.of.get(source) else {
        return Err(Error::Refused(format!(
            "{source} has no drill vault: KEYVAULT_BACKUP_DRILL_VAULTS declares one, as {source}=URL"
        )));
    };
    let (target, jobs) = (app.drill_vault(of.vault.name())?.source().name(), app.jobs()?);
    if let Some(open) = jobs.drill_in(target).await? {
        return Err(busy(&open.of));
    }
    let begun = OpenDrill { then: then.to_vec(), ..new(app, source, target, by, clock).await? };
    if by.via == Via::Terminal {
        let (drill, source, target) = (begun.id.clone(), source.clone(), target.clone());
        app.audit()?.append(by, Event::DrillRequested { drill, source, target }, begun.started).await?;
    }
    match jobs.open_drill(&begun).await? {
        Some(open) if open.of == begun => Ok(open),
        Some(open) => Err(busy(&open.of)),
        None => Err(Error::Busy(format!("another process drills in vault {target}"))),
    }
}

fn busy(open: &OpenDrill) -> Error {
    let OpenDrill { id, source, target, .. } = open;
    Error::Busy(format!("drill {id} of {source} is under way in vault {target}"))
}

/// The record of a drill that begins.
pub(super) async fn new(
    app: &App,
    source: &SourceName,
    target: &SourceName,
    by: &Actor,
    clock: &Clock,
) -> Result<OpenDrill> {
    let names = left_in(app, target).await?;
    let number = super::newest(app, source).await?.map_or(0, |last| last.number.saturating_add(1));
    let seed = Seed::of(&fastrand::u128(..).to_be_bytes());
    let pair = (source.clone(), target.clone());
    Ok(OpenDrill::begin(pair, by.clone(), seed, number, names, clock.now()))
}

/// What the newest drills of the sources that drill in a vault have on record as left there.
async fn left_in(app: &App, target: &SourceName) -> Result<Vec<ObjectId>> {
    let mut left = Vec::new();
    for source in app.config().drills.sources_in(target) {
        let newest = super::newest(app, source).await?;
        if let Some(last) = newest.filter(|last| last.cleanup == CleanedUp::Failed && last.target == *target)
        {
            left.extend(left_by(app, source, &last.id).await?);
        }
    }
    left.sort();
    left.dedup();
    Ok(left)
}

async fn left_by(app: &App, source: &SourceName, id: &DrillId) -> Result<Vec<ObjectId>> {
    let record = app.catalogue()?.drill(SourceKind::Vault, source, id).await?;
    Ok(record.map(|record| record.left).unwrap_or_default())
}
