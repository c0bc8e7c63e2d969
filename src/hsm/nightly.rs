//! The night of an HSM.

use futures::{StreamExt as _, stream};

use super::start::{self, Opened};
use crate::{
    app::App,
    backup::{plan, send},
    clock::Clock,
    domain::{
        asker::Asker,
        hsm::HsmName,
        job::BackupJob,
        object::{ObjectId, ObjectKind},
        run::RunId,
    },
    error::Result,
};

/// HSMs that are started at once.
const AT_ONCE: usize = 8;

/// Starts the run of every configured HSM, or takes it up where it was left. What goes wrong with one does not
/// hold up another. Safe to run twice: see [`start::backup`].
pub async fn nightly(app: &App, run: &RunId, clock: &Clock) -> Vec<(HsmName, Result<Opened>)> {
    let names: Vec<HsmName> = app.hsms().names().cloned().collect();
    let starts = names.into_iter().map(|hsm| async move {
        let opened = start::backup(app, &hsm, run, &Asker::TIMER, clock).await;
        let keys = single_keys(app, &hsm, run, clock).await;
        let opened = match (opened, keys) {
            (Ok(opened), Ok(())) => Ok(opened),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        (hsm, opened)
    });
    let starts: Vec<_> = starts.collect();
    stream::iter(starts).buffer_unordered(AT_ONCE).collect().await
}

/// Backs up the keys that the settings name, one by one, as those of a vault.
async fn single_keys(app: &App, hsm: &HsmName, run: &RunId, clock: &Clock) -> Result<()> {
    let keys = app.hsms().single_keys(hsm);
    if keys.is_empty() {
        return Ok(());
    }
    let name = hsm.as_vault();
    let objects = keys.into_iter().map(|key| ObjectId::new(ObjectKind::Key, key)).collect();
    let plan = plan::some_objects(app, name, run, &Asker::TIMER, clock, objects).await?;
    // The plan comes first: a record without one would be planned as a run of a whole vault.
    let plan = app.catalogue()?.create_plan(plan).await?;
    if app.catalogue()?.is_closed(&plan.header).await? {
        return Ok(());
    }
    app.jobs()?.open(&BackupJob::open(name.clone(), run.clone(), Asker::TIMER, clock.now())).await?;
    send::once(app, &plan, clock).await.map(drop)
}
