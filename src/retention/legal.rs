//! The storage's own legal holds, set and lifted with the rights of a person.
//!
//! A hold counts by its record alone, see [`people`](super::people): the keeper reads it. A legal hold of the storage also
//! binds everybody who may delete. A blob has one or has none: it does not say who set it, so lifting is asked for by name.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

use super::reading;
use crate::{
    app::App,
    azure::container::{Container, Version},
    catalogue::Catalogue,
    domain::{
        object::ObjectId,
        retention::{Hold, Ticket},
        run::RunId,
        second::Place,
        source::{SourceId, SourceKind, SourceName},
    },
    error::{Error, Result},
};

/// Requests at a time.
const AT_ONCE: usize = 16;

/// What became of the legal holds of the blobs that a hold is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegalHolds {
    /// How many blobs have one now, or have none any more.
    pub done: usize,
    /// How many blobs the storage refused it for.
    pub refused: usize,
    /// Why it refused the first of them, or why the blobs are not known.
    pub why: Option<String>,
}

/// Sets a legal hold on every blob that a hold is on. Safe to run twice.
///
/// The hold is on record by now, so what fails here is part of the answer: that the blobs cannot be listed, too.
pub async fn set(app: &App, source: &SourceId, hold: &Hold) -> LegalHolds {
    match blobs(app, source).await {
        Ok(mut blobs) => {
            blobs.retain(|blob| blob.is_under(hold));
            change(blobs, true).await
        }
        Err(error) => LegalHolds { why: Some(error.to_string()), ..LegalHolds::default() },
    }
}

/// Lifts the legal holds of the blobs that the holds of a ticket were on and that no other hold is on. Safe to run twice.
///
/// # Errors
/// When a hold of the ticket is not released, when there was none, and when the blobs cannot be listed.
pub async fn lift(app: &App, source: &SourceId, ticket: &Ticket, now: OffsetDateTime) -> Result<LegalHolds> {
    let catalogue = app.catalogue()?;
    let all = catalogue.all_holds(source.kind, &source.name).await?;
    let of_ticket: Vec<_> = all.iter().filter(|of| of.hold.ticket == *ticket).collect();
    if of_ticket.is_empty() {
        return Err(Error::Refused(format!(
            "there was no hold {ticket} on {source}; `hold list --all` shows what there was"
        )));
    }
    if of_ticket.iter().any(|of| of.released.is_none()) {
        return Err(Error::Refused(format!(
            "hold {ticket} on {source} is not released; `hold release` releases it"
        )));
    }
    // An HSM has blobs of a vault too, where its keys are backed up one by one.
    let holds = reading::holds(app, &source.name, now).await?;
    let mut blobs = blobs(app, source).await?;
    blobs.retain(|blob| {
        blob.is_held
            && of_ticket.iter().any(|of| blob.is_under(&of.hold))
            && !holds.iter().any(|hold| blob.is_under(hold))
    });
    Ok(change(blobs, false).await)
}

/// A blob of a source.
struct Blob<'a> {
    container: &'a Container,
    name: String,
    run: RunId,
    object: Option<ObjectId>,
    is_held: bool,
}

impl Blob<'_> {
    fn is_under(&self, hold: &Hold) -> bool {
        hold.holds_blob(&self.run, self.object.as_ref())
    }
}

/// Every blob that the runs of a source left.
async fn blobs<'a>(app: &'a App, source: &SourceId) -> Result<Vec<Blob<'a>>> {
    match source.kind {
        SourceKind::Vault => of_vault(app.catalogue()?, &source.name).await,
        SourceKind::Hsm => {
            let mut all = of_hsm(app, &source.name).await?;
            all.extend(of_vault(app.catalogue()?, &source.name).await?);
            Ok(all)
        }
    }
}

async fn of_vault<'a>(catalogue: &'a Catalogue, vault: &SourceName) -> Result<Vec<Blob<'a>>> {
    let container = catalogue.container();
    let versions: Vec<Version> = container.versions(&Catalogue::prefix_of(vault)).try_concat().await?;
    let current = versions.into_iter().filter(|version| version.is_current);
    let blob = |version: Version| {
        let (run, object) = Catalogue::run_of(vault, &version.name)?;
        Some(Blob { container, name: version.name, run, object, is_held: version.legal_hold })
    };
    Ok(current.filter_map(blob).collect())
}

async fn of_hsm<'a>(app: &'a App, hsm: &SourceName) -> Result<Vec<Blob<'a>>> {
    let catalogue = app.catalogue()?;
    // Of the second place's folders there are the copies alone.
    let landing = match app.config().place {
        Place::First => Some(app.hsms().container()?),
        Place::Second => None,
    };
    let mut all = Vec::new();
    for (backup, _) in catalogue.stored_hsm_backups(hsm).await?.0 {
        let record = catalogue.container().versions_of(&Catalogue::name_of_hsm_backup(&backup)).await?;
        let folder: Vec<Version> = match (&backup.folder, landing) {
            (Some(folder), Some(landing)) => {
                landing.versions(&format!("{}/", folder.path)).try_concat().await?
            }
            _ => Vec::new(),
        };
        let copy = catalogue.versions_of_copy(&backup).await?;
        let of = |container| {
            let run = backup.run.clone();
            move |of: Version| {
                let blob =
                    Blob { container, name: of.name, run: run.clone(), object: None, is_held: of.legal_hold };
                of.is_current.then_some(blob)
            }
        };
        if let Some(landing) = landing {
            all.extend(folder.into_iter().filter_map(of(landing)));
        }
        all.extend(copy.into_iter().chain(record).filter_map(of(catalogue.container())));
    }
    Ok(all)
}

/// Sets or lifts the legal holds of blobs.
async fn change<'a>(blobs: Vec<Blob<'a>>, on: bool) -> LegalHolds {
    let set = |blob: Blob<'a>| async move { blob.container.set_legal_hold(&blob.name, on).await };
    let answers: Vec<_> = stream::iter(blobs).map(set).buffer_unordered(AT_ONCE).collect().await;
    let mut done = LegalHolds::default();
    for answer in answers {
        match answer {
            Ok(()) => done.done += 1,
            Err(error) => {
                done.refused += 1;
                done.why.get_or_insert_with(|| error.to_string());
            }
        }
    }
    done
}
