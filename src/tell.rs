//! Tells of the status to readers outside: as numbers to watch, and as a page to look at.
//!
//! Each rendering is a function of a [`Status`], and decides nothing itself. What is well is said by
//! [`domain::state`](crate::domain::state) alone.

pub mod metrics;
pub mod page;

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{retention::Verdict, source::SourceId, state::SourceState},
    error::Result,
    query::status::{self, Status},
    retention::{self, SourcePlan},
};

/// Sources whose plans of retention are made concurrently.
const SOURCES_AT_ONCE: usize = 8;

/// What retention keeps of a source.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How many points it keeps.
    pub points: usize,
    /// How many may go.
    pub going: usize,
    /// When the oldest kept point was made, and why it is kept.
    pub oldest: Option<(OffsetDateTime, String)>,
}

impl Kept {
    fn of(plan: &SourcePlan) -> Self {
        let kept = || {
            plan.points.iter().filter_map(|planned| match &planned.verdict {
                Verdict::Keep(reason) => Some((planned.point.named, reason)),
                Verdict::Drop(_) => None,
            })
        };
        let oldest = kept().min_by_key(|(at, _)| *at).map(|(at, reason)| (at, reason.to_string()));
        Self { points: kept().count(), going: plan.drops().count(), oldest }
    }
}

/// What a page shows.
#[derive(Debug)]
pub struct Seen {
    /// The status.
    pub status: Status,
    /// What retention keeps of each source, or why that is not known.
    pub kept: BTreeMap<SourceId, std::result::Result<Kept, String>>,
}

impl Seen {
    /// Why what retention keeps is not known of any source, if it is the same for all.
    pub fn unknown_kept(&self) -> Option<&str> {
        let mut each = self.kept.values();
        let first = each.next()?.as_ref().err()?;
        each.all(|kept| kept.as_ref().err() == Some(first)).then_some(first)
    }
}

/// Reads what a page shows as of `now`.
///
/// # Errors
/// As [`status::status`]. A plan of retention that cannot be made is part of the answer.
pub async fn read(app: &App, now: OffsetDateTime) -> Result<Seen> {
    let status = status::status(app, now).await?;
    let each =
        status.sources().map(SourceState::id).collect::<Vec<_>>().into_iter().map(|source| async move {
            let plan = Box::pin(retention::plan(app, &source, now)).await;
            (source, plan.as_ref().map(Kept::of).map_err(ToString::to_string))
        });
    let kept = stream::iter(each).buffered(SOURCES_AT_ONCE).collect().await;
    Ok(Seen { status, kept })
}
