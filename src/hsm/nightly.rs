//! The keys of an HSM that are backed up one by one, every night.

use crate::{
    app::App,
    backup::{plan, send},
    clock::Clock,
    domain::{
        actor::Actor,
        job::BackupJob,
        object::{ObjectId, ObjectKind},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// Backs up the configured single keys of an HSM, as those of a vault. Safe to run twice: the plan is create-only, and
/// a run that has its manifest is left alone.
pub async fn single_keys(app: &App, hsm: &SourceName, run: &RunId, clock: &Clock) -> Result<()> {
    let keys = app.hsms().single_keys(hsm);
    if keys.is_empty() {
        return Ok(());
    }
    let objects = keys.into_iter().map(|key| ObjectId::new(ObjectKind::Key, key)).collect();
    let plan = plan::some_objects(app, hsm, run, &Actor::TIMER, clock, objects).await?;
    // The plan comes first: a record without one would be planned as a run of a whole vault.
    let plan = app.catalogue()?.create_plan(plan).await?;
    if app.catalogue()?.is_closed(&plan.header).await? {
        return Ok(());
    }
    app.jobs()?
        .open_backup_run(&BackupJob::open(hsm.clone(), run.clone(), Actor::TIMER, clock.now()))
        .await?;
    send::once(app, &plan, clock).await.map(drop)
}
