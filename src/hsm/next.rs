//! How a pass over a job goes on.

use crate::{app::App, error::Result, jobs::StoredHsmJob};

/// How a pass goes on.
pub(super) enum Next {
    /// With the record as it is now.
    On(Box<StoredHsmJob>),
    /// Not before the next pass.
    Stop,
    /// The job has ended.
    Ended,
}

/// Saves what was decided. If another process was faster, the rest is left to that one.
pub(super) async fn save(app: &App, stored: StoredHsmJob) -> Result<Next> {
    Ok(app.jobs()?.save_hsm_job(stored).await?.map_or(Next::Stop, |stored| Next::On(Box::new(stored))))
}

/// Saves what was decided, and leaves the rest to the next pass.
pub(super) async fn stop(app: &App, stored: StoredHsmJob) -> Result<Next> {
    save(app, stored).await.map(|_| Next::Stop)
}
