//! How a look goes on, and how it is noted.

use time::OffsetDateTime;

use crate::{app::App, clock::Clock, error::Result, jobs::StoredHsmJob};

/// How a look goes on.
pub(super) enum Next {
    /// With the record as it is now.
    On(Box<StoredHsmJob>),
    /// Not before the next look.
    Stop,
    /// The job has ended.
    Ended,
}

/// Notes what was decided. Whoever comes second leaves the rest to whoever came first.
pub(super) async fn save(app: &App, stored: StoredHsmJob) -> Result<Next> {
    Ok(app.jobs()?.save_hsm_job(stored).await?.map_or(Next::Stop, |stored| Next::On(Box::new(stored))))
}

/// Notes what was decided, and leaves the rest to the next look.
pub(super) async fn stop(app: &App, stored: StoredHsmJob) -> Result<Next> {
    save(app, stored).await.map(|_| Next::Stop)
}

/// The time, as it is noted.
pub(super) fn now(clock: &Clock) -> OffsetDateTime {
    second(clock.now())
}

pub(super) fn second(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}
