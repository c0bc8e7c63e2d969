//! The continuation of a pass over a job.

use crate::{app::App, error::Result, jobs::StoredHsmJob};

/// The continuation of a pass.
pub(super) enum Next {
    /// Continue with this record.
    On(Box<StoredHsmJob>),
    /// Leave the job to the next pass.
    Stop,
    /// The job has ended.
    Ended,
}

/// Saves the job. If another process has saved it first, the rest is left to that process.
pub(super) async fn save(app: &App, stored: StoredHsmJob) -> Result<Next> {
    Ok(app.jobs()?.save_hsm_job(stored).await?.map_or(Next::Stop, |stored| Next::On(Box::new(stored))))
}

/// Saves the job, and leaves the rest to the next pass.
pub(super) async fn stop(app: &App, stored: StoredHsmJob) -> Result<Next> {
    save(app, stored).await.map(|_| Next::Stop)
}
