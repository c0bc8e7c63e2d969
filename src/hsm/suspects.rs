//! A backup of an HSM whose newest folder a verification found wrong.

use time::OffsetDateTime;

use super::start::{self, Opened};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::Actor,
        run::RunId,
        source::{SourceKind, SourceName},
        verification::{Fault, Finding},
    },
    error::Result,
};

/// What is done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A backup was begun.
    Begun(RunId),
    /// A backup of the HSM is under way: whether it succeeds decides.
    UnderWay,
    /// There is a newer good backup, or one was begun for this finding.
    NothingToDo,
}

/// Begins a backup of an HSM if a verification found the folder of its newest backup wrong, and nothing has answered for that.
///
/// Safe to run twice, concurrently or later: the run has its name from the time when a pass first found it, so that one finding
/// begins one backup, however many passes find it again. Each night backs the HSM up anyway.
///
/// # Errors
/// Those of storage. The next look tries again.
pub async fn back_up(app: &App, hsm: &SourceName, ended: OffsetDateTime, clock: &Clock) -> Result<Answer> {
    let catalogue = app.catalogue()?;
    let verification = catalogue.verification(SourceKind::Hsm, hsm, ended).await?;
    let is_folder = |finding: &&Finding| finding.fault == Fault::Folder;
    let Some(finding) = verification.of_newest().find(is_folder) else { return Ok(Answer::NothingToDo) };
    let newest = catalogue.newest_hsm_backup(hsm, None).await?;
    if newest.is_some_and(|newest| newest.run != finding.run) {
        return Ok(Answer::NothingToDo);
    }
    let run = RunId::verification(finding.since);
    if catalogue.hsm_backup(hsm, &run).await?.is_some() {
        return Ok(Answer::NothingToDo);
    }
    let jobs = app.jobs()?.hsm_jobs().await?;
    if jobs.iter().any(|open| open.job.hsm == *hsm && open.job.is_backup()) {
        return Ok(Answer::UnderWay);
    }
    tracing::warn!(
        event = "suspects.due", hsm.name = %hsm, run.id = %run, finding.run = %finding.run,
        "Verification found the folder of the newest backup of HSM {hsm} not as it was left; run {run} backs the HSM up"
    );
    match start::backup(app, hsm, &run, &Actor::TIMER, clock).await? {
        Opened::Open(_) => Ok(Answer::Begun(run)),
        Opened::Ended(_) => Ok(Answer::NothingToDo),
    }
}
