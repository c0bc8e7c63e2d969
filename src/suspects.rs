//! Backing up again what verification found wrong.
//!
//! The keeper has no right on the queue and none in an HSM, so it only records what it found, and leaves a sign. The pass of
//! the app that backs up reads that. It begins a run of the objects whose newest backup is missing or damaged, or a backup of
//! the HSM whose newest folder is not as it was left.

use time::{Duration, OffsetDateTime};

use crate::{
    app::App,
    backup,
    clock::Clock,
    domain::source::{SourceId, SourceKind},
    error::{Error, Result},
    hsm::{self, suspects::Answer},
};

/// How old a sign may be to be acted on. An older one has a newer one after it, or its source is backed up since.
const WITHIN: Duration = Duration::days(3);

/// What a pass began.
#[derive(Debug, Default)]
pub struct Begun {
    /// The runs, in words.
    pub runs: Vec<String>,
    /// The errors, at most one for each source. The next look tries again.
    pub errors: Vec<Error>,
}

/// Begins what the signs ask for. One request every ten minutes if there is no new sign. An error in one source does not hold
/// up another.
///
/// Safe to run twice, concurrently or later: see [`backup::suspects::back_up`] and [`hsm::suspects::back_up`].
///
/// # Errors
/// When the signs cannot be listed.
pub async fn back_up(app: &App, clock: &Clock) -> Result<Begun> {
    let (jobs, mut begun) = (app.jobs()?, Begun::default());
    if !jobs.looks_for_suspects(clock.now()) {
        return Ok(begun);
    }
    for (ended, source) in app.catalogue()?.signs_of_suspects(clock.now() - WITHIN).await? {
        if jobs.has_acted_on(&source, ended) {
            continue;
        }
        match Box::pin(one(app, &source, ended, clock)).await {
            Ok(Answer::Begun(run)) => begun.runs.push(format!("run {run} of {source}")),
            Ok(Answer::NothingToDo) => {}
            Ok(Answer::UnderWay) => continue,
            Err(error) => {
                begun.errors.push(error);
                continue;
            }
        }
        jobs.act_on(source, ended);
    }
    Ok(begun)
}

async fn one(app: &App, source: &SourceId, ended: OffsetDateTime, clock: &Clock) -> Result<Answer> {
    let name = &source.name;
    match source.kind {
        SourceKind::Vault if app.vault(name).is_err() => Ok(Answer::NothingToDo),
        SourceKind::Vault => {
            let begun = backup::suspects::back_up(app, name, ended, clock).await?;
            Ok(begun.map_or(Answer::NothingToDo, Answer::Begun))
        }
        SourceKind::Hsm if app.hsms().get(name).is_err() => Ok(Answer::NothingToDo),
        SourceKind::Hsm => hsm::suspects::back_up(app, name, ended, clock).await,
    }
}
