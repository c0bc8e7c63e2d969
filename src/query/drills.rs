//! The drills that are on record.

use crate::{
    app::App,
    domain::{
        drill::{Drill, DrillId, DrillSummary},
        source::{SourceId, SourceKind, SourceName},
        state::KnownDrills,
    },
    error::{Error, Result},
};

/// What is known of the drills of a source that has a drill vault or a drill HSM, and nothing of any other. One request for up to a hundred drills that did not take place.
///
/// # Errors
/// Those of storage.
pub async fn known(app: &App, kind: SourceKind, source: &SourceName) -> Result<KnownDrills> {
    let Some(interval) = app.config().drills.interval_of(kind, source) else {
        return Ok(KnownDrills::default());
    };
    let took_place = |found: &[DrillSummary]| found.last().is_some_and(DrillSummary::took_place);
    match app.catalogue()?.drills(kind, source, None, took_place).await {
        Err(error) if error.is_unreadable() => Ok(KnownDrills::unreadable(error.to_string(), interval)),
        read => Ok(KnownDrills::of(read?, interval)),
    }
}

/// What the newest drills of each source came to, up to so many of each; of one source only, if it is named.
///
/// # Errors
/// Those of storage; also if a record cannot be read.
pub async fn newest(app: &App, only: Option<&SourceName>, most: usize) -> Result<Vec<DrillSummary>> {
    let mut found = Vec::new();
    for SourceId { kind, name } in of(app, only).await? {
        found.extend(app.catalogue()?.drills(kind, &name, None, |found| found.len() >= most).await?);
    }
    Ok(found)
}

/// A drill by its name.
///
/// # Errors
/// When there is none of that name; those of storage; also if the record cannot be read.
pub async fn one(app: &App, id: &DrillId) -> Result<Drill> {
    for SourceId { kind, name } in of(app, None).await? {
        if let Some(drill) = app.catalogue()?.drill(kind, &name, id).await? {
            return Ok(drill);
        }
    }
    Err(Error::Refused(format!("no drill {id} is on record: it has not ended, or its name is another")))
}

async fn of(app: &App, only: Option<&SourceName>) -> Result<Vec<SourceId>> {
    let every = app.catalogue()?.sources().await?;
    Ok(every.into_iter().filter(|of| only.is_none_or(|only| of.name == *only)).collect())
}
