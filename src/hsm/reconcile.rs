//! The pass over every open HSM job.

pub mod job;

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};

use self::job::{Pass, reconcile_job};
use super::ends;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        hsm::{Context, HsmJob, Task, UNREADABLE_FOR, WAITS_FOR},
        outcome::Failure,
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
    jobs::StoredHsmJob,
};

/// HSMs whose jobs are reconciled concurrently: all of them, in practice, so that a silent one does not hold up the
/// others.
const AT_ONCE: usize = 64;

/// Deadline for all jobs of one HSM in a pass. Each request to an HSM has a shorter one of its own.
const WITHIN: Duration = Duration::from_secs(4 * 60);

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// The jobs that were open when the pass began.
    pub found: Vec<(SourceName, RunId)>,
    /// Jobs that are still open.
    pub open: usize,
    /// Jobs that have ended.
    pub ended: usize,
    /// The errors, at most one for each job. The next pass tries again.
    pub errors: Vec<Error>,
}

/// Reconciles once every open job that `wanted` selects. An error in one HSM does not hold up another.
///
/// Without a configured HSM a process queries open jobs until there are none: most installations have no HSM, and
/// passes run every minute. Jobs of an HSM that was removed from the settings are reconciled to their ends. Safe to run
/// twice, concurrently or later: see [`job::reconcile_job`].
pub async fn reconcile(app: &App, wanted: impl Fn(&Task) -> bool, clock: &Clock) -> Result<Reconciled> {
    let configured = !app.hsms().is_empty();
    if !configured && !app.jobs()?.may_have_hsm_jobs() {
        return Ok(Reconciled::default());
    }
    let mut hsms: BTreeMap<SourceName, Vec<StoredHsmJob>> = BTreeMap::new();
    let (jobs, strays) = app.jobs()?.open_hsm_jobs().await?;
    if !configured && jobs.is_empty() && strays.is_empty() {
        app.jobs()?.has_no_hsm_jobs();
    }
    let found = jobs.iter().map(|of| (of.job.hsm.clone(), of.job.id.clone())).collect();
    for stored in jobs {
        hsms.entry(stored.job.hsm.clone()).or_default().push(stored);
    }
    let wanted = &wanted;
    let passes: Vec<_> = hsms
        .into_iter()
        .map(|(hsm, jobs)| async move {
            let late = |_| Error::Deadline { what: format!("HSM {hsm}"), seconds: WITHIN.as_secs() };
            tokio::time::timeout(WITHIN, one(app, jobs, wanted, clock)).await.map_err(late)
        })
        .collect();
    let mut reconciled = Reconciled { found, ..Reconciled::default() };
    reconciled.errors.extend(app.jobs()?.end_strays(&strays, UNREADABLE_FOR, clock.now()).await.err());
    let mut passes = stream::iter(passes).buffer_unordered(AT_ONCE);
    while let Some(pass) = passes.next().await {
        match pass {
            Ok(of) => {
                reconciled.open += of.open;
                reconciled.ended += of.ended;
                reconciled.errors.extend(of.errors);
            }
            Err(error) => reconciled.errors.push(error),
        }
    }
    Ok(reconciled)
}

/// Reconciles the jobs of one HSM, those with a running operation first.
async fn one(
    app: &App,
    mut jobs: Vec<StoredHsmJob>,
    wanted: &impl Fn(&Task) -> bool,
    clock: &Clock,
) -> Reconciled {
    jobs.sort_by_key(|stored| (!stored.job.is_at_work(), stored.job.opened));
    let mut reconciled = Reconciled::default();
    for stored in jobs.iter().filter(|stored| wanted(&stored.job.task)) {
        let pass = async {
            if app.hsms().get(&stored.job.hsm).is_err() {
                return orphan(app, stored.clone(), clock).await;
            }
            let context = context(app, stored, &jobs).await?;
            reconcile_job(app, stored.clone(), &context, clock).await
        };
        match pass.await {
            Ok(Pass::Open) => reconciled.open += 1,
            Ok(Pass::Ended) => reconciled.ended += 1,
            Err(error) => {
                reconciled.open += 1;
                reconciled.errors.push(error);
            }
        }
    }
    reconciled
}

/// Reconciles a job whose HSM is no longer in the settings and cannot be queried. The job ends when it would have ended
/// had its HSM never been free.
async fn orphan(app: &App, stored: StoredHsmJob, clock: &Clock) -> Result<Pass> {
    if ends::again(app, &stored.job, clock).await? {
        return Ok(Pass::Ended);
    }
    let missing = app.hsms().get(&stored.job.hsm).map(drop);
    if clock.now() - stored.job.opened < WAITS_FOR {
        return missing.map(|()| Pass::Open);
    }
    let text = missing.err().map(|error| error.to_string()).unwrap_or_default();
    ends::fail(app, stored, Failure::ours("NotConfigured", text), clock).await?;
    Ok(Pass::Ended)
}

/// The other jobs of a job's HSM. The safety backup is read after the jobs, so that one that ends in between is not
/// missed.
pub(super) async fn context(app: &App, stored: &StoredHsmJob, jobs: &[StoredHsmJob]) -> Result<Context> {
    let others = || jobs.iter().map(|of| &of.job).filter(|other| other.id != stored.job.id);
    let wanted = match &stored.job.task {
        Task::RestoreAll { safety, .. } => safety.as_ref(),
        _ => None,
    };
    let safety = match wanted {
        Some(run) => app.catalogue()?.hsm_backup(&stored.job.hsm, run).await?,
        None => None,
    };
    Ok(Context {
        restore: others().find_map(HsmJob::restore),
        busy: others().find(|other| other.is_at_work()).map(|other| other.id.clone()),
        safety: safety.map(|backup| backup.verdict),
        safety_is_open: wanted.is_some_and(|run| others().any(|other| other.id == *run)),
        watched: false,
    })
}
