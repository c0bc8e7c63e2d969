//! Looking at every open job.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};

use super::{
    ends,
    look::{Looked, look},
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        hsm::{Around, HsmJob, HsmName, Task, UNREADABLE_FOR, WAITS_FOR},
        outcome::Failure,
        run::RunId,
    },
    error::{Error, Result},
    jobs::StoredHsmJob,
};

/// HSMs whose jobs are looked at together: all of them, in practice. Those that are silent hold up the others otherwise.
const AT_ONCE: usize = 64;

/// How long the looks at one HSM's jobs may take in all. What is asked of an HSM has shorter limits of its own.
const WITHIN: Duration = Duration::from_secs(4 * 60);

/// What a look at the open jobs did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// The jobs that were open when the look began.
    pub found: Vec<(HsmName, RunId)>,
    /// Jobs that are still open.
    pub open: usize,
    /// Jobs that have ended.
    pub ended: usize,
    /// What went wrong, job by job. The next look tries again.
    pub errors: Vec<Error>,
}

/// Looks at every open job that `wanted` takes, once. One HSM's trouble does not hold up another.
///
/// Without a configured HSM there is one look for each process: most installations have none, and this is asked every
/// minute. Where it finds jobs, of an HSM that was taken out of the settings, they are followed to their ends. Safe to
/// run twice, at once or later: see [`look`].
pub async fn advance(app: &App, wanted: impl Fn(&Task) -> bool, clock: &Clock) -> Result<Advanced> {
    let configured = app.hsms().names().next().is_some();
    if !configured && !app.jobs()?.may_have_hsm_jobs() {
        return Ok(Advanced::default());
    }
    let mut hsms: BTreeMap<HsmName, Vec<StoredHsmJob>> = BTreeMap::new();
    let (jobs, strays) = app.jobs()?.open_hsm_jobs().await?;
    if !configured && jobs.is_empty() && strays.is_empty() {
        app.jobs()?.has_no_hsm_jobs();
    }
    let found = jobs.iter().map(|of| (of.job.hsm.clone(), of.job.id.clone())).collect();
    for stored in jobs {
        hsms.entry(stored.job.hsm.clone()).or_default().push(stored);
    }
    let wanted = &wanted;
    let looks: Vec<_> = hsms
        .into_iter()
        .map(|(hsm, jobs)| async move {
            let late = |_| Error::Deadline { what: format!("HSM {hsm}"), seconds: WITHIN.as_secs() };
            tokio::time::timeout(WITHIN, one(app, jobs, wanted, clock)).await.map_err(late)
        })
        .collect();
    let mut advanced = Advanced { found, ..Advanced::default() };
    advanced.errors.extend(app.jobs()?.end_strays(&strays, UNREADABLE_FOR, clock.now()).await.err());
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some(look) = looks.next().await {
        match look {
            Ok(of) => {
                advanced.open += of.open;
                advanced.ended += of.ended;
                advanced.errors.extend(of.errors);
            }
            Err(error) => advanced.errors.push(error),
        }
    }
    Ok(advanced)
}

/// The jobs of one HSM, those at work first.
async fn one(
    app: &App,
    mut jobs: Vec<StoredHsmJob>,
    wanted: &impl Fn(&Task) -> bool,
    clock: &Clock,
) -> Advanced {
    jobs.sort_by_key(|stored| (!stored.job.is_at_work(), stored.job.opened));
    let mut advanced = Advanced::default();
    for stored in jobs.iter().filter(|stored| wanted(&stored.job.task)) {
        let looked = async {
            if app.hsms().get(&stored.job.hsm).is_err() {
                return orphan(app, stored.clone(), clock).await;
            }
            let around = around(app, stored, &jobs).await?;
            look(app, stored.clone(), &around, clock).await
        };
        match looked.await {
            Ok(Looked::Open) => advanced.open += 1,
            Ok(Looked::Ended) => advanced.ended += 1,
            Err(error) => {
                advanced.open += 1;
                advanced.errors.push(error);
            }
        }
    }
    advanced
}

/// Looks at a job whose HSM is not in the settings any more, so that nobody can be asked. It ends when it would have if
/// its HSM had never been free.
async fn orphan(app: &App, stored: StoredHsmJob, clock: &Clock) -> Result<Looked> {
    if ends::again(app, &stored.job, clock).await? {
        return Ok(Looked::Ended);
    }
    let missing = app.hsms().get(&stored.job.hsm).map(drop);
    if clock.now() - stored.job.opened < WAITS_FOR {
        return missing.map(|()| Looked::Open);
    }
    let text = missing.err().map(|error| error.to_string()).unwrap_or_default();
    ends::fail(app, stored, Failure::ours("NotConfigured", text), clock).await?;
    Ok(Looked::Ended)
}

/// What else is going on at a job's HSM. The jobs were read before the backup that a restore wants first is
/// looked up, so that one which ends in between is not missed.
pub(super) async fn around(app: &App, stored: &StoredHsmJob, jobs: &[StoredHsmJob]) -> Result<Around> {
    let others = || jobs.iter().map(|of| &of.job).filter(|other| other.id != stored.job.id);
    let wanted = match &stored.job.task {
        Task::RestoreAll { safety, .. } => safety.as_ref(),
        _ => None,
    };
    let safety = match wanted {
        Some(run) => app.catalogue()?.hsm_backup(&stored.job.hsm, run).await?,
        None => None,
    };
    Ok(Around {
        restore: others().find_map(HsmJob::restore),
        busy: others().find(|other| other.is_at_work()).map(|other| other.id.clone()),
        safety: safety.map(|backup| backup.verdict),
        safety_is_open: wanted.is_some_and(|run| others().any(|other| other.id == *run)),
        watched: false,
    })
}
