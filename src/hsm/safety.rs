//! The safety backup: the backup of the target that a restore of a whole HSM needs first.

use super::{
    ends,
    next::{Next, save, stop},
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        hsm::{HsmJob, Phase, Task},
        outcome::Failure,
        run::RunId,
        wording::says,
    },
    error::Result,
    jobs::StoredHsmJob,
};

/// Whether the safety backup became stale while the restore was kept waiting: keys made since would be lost.
pub(super) async fn is_outdated(app: &App, job: &HsmJob, clock: &Clock) -> Result<bool> {
    if !matches!(job.task, Task::RestoreAll { .. }) {
        return Ok(false);
    }
    let newest = app.catalogue()?.newest_hsm_backup(&job.hsm, None).await?;
    Ok(job.is_outdated(newest.as_ref(), app.hsms().backup_age(), clock.now()))
}

/// If the HSM stays busy until the safety backup is stale, a new one is taken. If the restore's own safety backup is
/// more than two hours old, the restore fails with `OldSafetyBackup`.
pub(super) async fn renew(app: &App, stored: StoredHsmJob, clock: &Clock) -> Result<Next> {
    if !stored.job.has_safety() {
        return take(app, stored).await;
    }
    let text = "the HSM was busy until its safety backup became too old; plan the restore again";
    ends::fail(app, stored, Failure::ours("OldSafetyBackup", text), clock).await
}

/// Handles the service's demand for a newer backup: the restore takes one, and waits if that one is refused too.
pub(super) async fn meet_the_rule(
    app: &App,
    mut stored: StoredHsmJob,
    failure: &Failure,
    clock: &Clock,
) -> Result<Next> {
    stored.job.waiting = Some(format!("{}: {}", failure.code, failure.text));
    if !stored.job.has_safety() {
        return take(app, stored).await;
    }
    let newest = app.catalogue()?.newest_hsm_backup(&stored.job.hsm, None).await?;
    let ripe = newest.map_or_else(|| clock.now(), |backup| backup.ended) + app.hsms().backup_age();
    stored.job.phase = Phase::Due { not_before: Some(ripe.max(clock.now())) };
    stored.job.waited = true;
    stop(app, stored).await
}

/// Lets the restore wait for a backup of its own.
async fn take(app: &App, mut stored: StoredHsmJob) -> Result<Next> {
    if let Task::RestoreAll { safety, .. } = &mut stored.job.task {
        *safety = Some(RunId::safety(&stored.job.id));
    }
    stored.job.phase = Phase::Due { not_before: None };
    save(app, stored).await
}

/// Whether a failure demands another backup. The rule is documented as "a backup within the last 30 minutes" and as "at
/// least 30 minutes before". A fresh backup meets the first reading; if the restore is refused with one, waiting meets
/// the second.
pub(super) fn wants_another_backup(failure: &Failure) -> bool {
    let has = |words: &[&str]| says(&failure.text, words);
    has(&["backup"]) && has(&["minutes"]) && has(&["within", "before", "prior", "at least"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rule_about_time_wants_another_backup() {
        let wants = |text| wants_another_backup(&Failure::ours("BadRequest", text));
        assert!(wants("A full backup of this HSM within the last 30 minutes is required"));
        assert!(wants("A full backup must be completed at least 30 minutes before a restore"));
        assert!(!wants("The backup could not be read; try again in a few minutes"), "it may be half done");
    }
}
