//! Continuing a run that a terminal left open.

use time::Duration;

use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::{Actor, Via},
        job::BackupJob,
        plan::Plan,
        run::Scope,
        source::SourceName,
    },
    error::Result,
};

/// The greatest age of a run that is continued without being asked to: it backs up about what a new run would.
pub const YOUNG: Duration = Duration::HOUR;

/// A run that was left open.
#[derive(Debug)]
pub struct Unfinished {
    /// Its record.
    pub job: BackupJob,
    /// Its plan.
    pub plan: Plan,
}

/// The newest open run of a whole vault that a terminal began and planned, and that is no older than `most`.
///
/// Safe to continue while its terminal still works on it: neither process replaces what the other has stored.
pub async fn find(
    app: &App,
    vault: &SourceName,
    everything: bool,
    most: Duration,
    clock: &Clock,
) -> Result<Option<Unfinished>> {
    let fits = |job: &BackupJob| {
        let by_terminal = matches!(job.by, Some(Actor { via: Via::Terminal, .. }));
        let age = clock.now() - job.opened;
        by_terminal
            && job.vault == *vault
            && job.everything == everything
            && age <= most
            && !job.has_expired(clock.now())
    };
    let jobs = app.jobs()?.backup_runs().await?.into_iter().map(|stored| stored.job);
    let mut jobs: Vec<BackupJob> = jobs.filter(fits).collect();
    jobs.sort_by_key(|job| job.opened);
    while let Some(job) = jobs.pop() {
        let plan = app.catalogue()?.plan(vault, &job.run).await?;
        if let Some(plan) = plan.filter(|plan| plan.header.scope == Scope::Vault) {
            return Ok(Some(Unfinished { job, plan }));
        }
    }
    Ok(None)
}
