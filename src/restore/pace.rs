//! The pace of restores into a vault.

use std::time::Duration;

use crate::{
    app::App,
    domain::{
        restore::{Pace, RestorePlan},
        source::SourceName,
    },
};

/// The pace of restores into a target. Of one that is not configured each step fails, and needs none.
pub(super) fn of(app: &App, target: &SourceName) -> Pace {
    app.vault(target).map_or(Pace::of_all(u32::MAX), |vault| *vault.restore_pace())
}

/// How long the steps of a plan take at least, at the pace of restores into its target.
pub fn takes(app: &App, plan: &RestorePlan) -> Duration {
    of(app, &plan.request.target).takes(&plan.steps)
}
