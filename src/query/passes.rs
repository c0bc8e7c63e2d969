//! Whether open jobs are being reconciled.

use time::{Duration, OffsetDateTime};

use super::runs::open_jobs;
use crate::{
    app::App,
    domain::{job::stands_still, role::Role},
    error::Result,
};

/// The passes over open jobs.
#[derive(Clone, Copy, Debug)]
pub struct Passes {
    /// When `AdvanceJobs` last ran in the app that is responsible for backups, to within five minutes.
    pub last: Option<OffsetDateTime>,
    /// Whether no pass has run for so long that open jobs make no progress.
    pub stands_still: bool,
}

/// Queries the last pass and the open backup runs. Two requests.
pub async fn passes(app: &App, now: OffsetDateTime) -> Result<Passes> {
    let roles = [Role::Backup.as_str(), Role::All.as_str()];
    let (last, open) = futures::try_join!(app.jobs()?.last_pass(&roles), open_jobs(app))?;
    let oldest = open.iter().map(|job| job.opened).min();
    Ok(Passes { last, stands_still: stands_still(last, oldest, now) })
}

/// Queries which apps refuse every caller, by their passes of the last hour: those of the roles whose jobs are in this
/// container. One request.
pub async fn refusing_callers(app: &App, now: OffsetDateTime) -> Result<Vec<String>> {
    app.jobs()?.refusing_callers(now - Duration::HOUR).await
}

/// The message for people if no pass runs; `None` if passes run, or if that cannot be read.
pub async fn warning(app: &App, now: OffsetDateTime) -> Option<String> {
    let passes = passes(app, now).await.ok()?;
    passes.stands_still.then(|| words(passes.last))
}

/// The message for people when no pass runs.
pub fn words(last: Option<OffsetDateTime>) -> String {
    let since = last.map_or_else(
        || "has not come".to_owned(),
        |at| format!("has not come since {:02}:{:02}Z on {}", at.hour(), at.minute(), at.date()),
    );
    format!(
        "the timer AdvanceJobs {since}, so nothing moves jobs on; see app-not-starting in docs/operations.md"
    )
}
