//! The storage's own legal holds, set and lifted with the rights of a person.
//!
//! A hold counts by its record alone, see [`people`](super::people): the keeper reads it. A legal hold of the storage also
//! binds everybody who may delete. A blob has one or has none: it does not say who set it, so lifting is asked for by name.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    azure::{
        container::{Container, Version},
        error::ServiceError,
    },
    catalogue::Catalogue,
    domain::{
        object::ObjectId,
        retention::{Hold, Ticket},
        run::RunId,
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
    /// Why it refused the first of them.
    pub why: Option<String>,
}

/// Sets a legal hold on every blob that a hold is on. Safe to run twice.
///
/// # Errors
/// When the blobs cannot be listed.
pub async fn set(app: &App, source: &SourceId, hold: &Hold) -> Result<LegalHolds> {
    let mut blobs = blobs(app, source).await?;
    blobs.retain(|blob| blob.is_under(hold));
    change(blobs, true).await
}

/// Lifts the legal holds of the blobs that the holds of a ticket were on and that no other hold is on. Safe to run twice.
///
/// # Errors
/// When a hold of the ticket is not released, when there was none, and when the blobs cannot be listed.
pub async fn lift(app: &App, source: &SourceId, ticket: &Ticket) -> Result<LegalHolds> {
    let all = app.catalogue()?.all_holds(source.kind, &source.name).await?;
    let of_ticket = |hold: &Hold| hold.ticket == *ticket;
    if !all.iter().any(|(hold, ..)| of_ticket(hold)) {
        return Err(Error::Refused(format!(
            "there was no hold {ticket} on {source}; `hold list --all` shows what there was"
        )));
    }
    if all.iter().any(|(hold, _, released)| of_ticket(hold) && !released) {
        return Err(Error::Refused(format!(
            "hold {ticket} on {source} is not released; `hold release` releases it"
        )));
    }
    let in_force: Vec<_> = all.iter().filter(|(.., released)| !released).map(|(hold, ..)| hold).collect();
    let was_held = |blob: &Blob<'_>| all.iter().any(|(hold, ..)| of_ticket(hold) && blob.is_under(hold));
    let mut blobs = blobs(app, source).await?;
    blobs.retain(|blob| blob.is_held && was_held(blob) && !in_force.iter().any(|hold| blob.is_under(hold)));
    change(blobs, false).await
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
        SourceKind::Hsm => of_hsm(app, &source.name).await,
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
    let (catalogue, landing) = (app.catalogue()?, app.hsms().container()?);
    let mut all = Vec::new();
    for (backup, _) in catalogue.stored_hsm_backups(hsm).await?.0 {
        let record = catalogue.container().versions_of(&Catalogue::name_of_hsm_backup(&backup)).await?;
        let folder: Vec<Version> = match &backup.folder {
            Some(folder) => landing.versions(&format!("{}/", folder.path)).try_concat().await?,
            None => Vec::new(),
        };
        let of = |container| {
            let run = backup.run.clone();
            move |of: Version| {
                let blob =
                    Blob { container, name: of.name, run: run.clone(), object: None, is_held: of.legal_hold };
                of.is_current.then_some(blob)
            }
        };
        all.extend(folder.into_iter().filter_map(of(landing)));
        all.extend(record.into_iter().filter_map(of(catalogue.container())));
    }
    Ok(all)
}

/// Sets or lifts the legal holds of blobs. What the first one is refused for holds for all, so they are not tried.
async fn change(blobs: Vec<Blob<'_>>, on: bool) -> Result<LegalHolds> {
    let all = blobs.len();
    let mut blobs = blobs.into_iter();
    let mut done = LegalHolds::default();
    let Some(first) = blobs.next() else { return Ok(done) };
    if let Err(error) = first.container.set_legal_hold(&first.name, on).await {
        return Ok(LegalHolds { done: 0, refused: all, why: Some(error.to_string()) });
    }
    done.done = 1;
    let calls: Vec<_> =
        blobs.map(|blob| async move { blob.container.set_legal_hold(&blob.name, on).await }).collect();
    let answers: Vec<std::result::Result<(), ServiceError>> =
        stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;
    for answer in answers {
        match answer {
            Ok(()) => done.done += 1,
            Err(error) => {
                done.refused += 1;
                done.why.get_or_insert_with(|| error.to_string());
            }
        }
    }
    Ok(done)
}
