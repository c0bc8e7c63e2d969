//! Records of passes: when `AdvanceJobs` last ran for each role, and which nights are settled.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Jobs, forms::read, metadata};
use crate::{
    azure::container::Listing,
    domain::{
        job::{JOB_FORMAT, PASS_NOTED_EVERY},
        night::{Nights, Settled, Timer},
        schedule::Timetable,
        source::SourceId,
    },
    error::Result,
};

const PREFIX: &str = "passes/";
const KEY: &str = "pass";

/// How often a process looks for what verifications found.
const SUSPECTS_EVERY: Duration = Duration::minutes(10);

#[derive(Serialize, Deserialize)]
struct Pass {
    v: u32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    settled: Vec<Settled>,
    /// Whether the app refuses every caller of its HTTP functions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refuses_callers: bool,
}

/// The passes of this process, in memory.
#[derive(Debug, Default)]
pub(super) struct Kept {
    recorded: Option<OffsetDateTime>,
    /// Whether the nights recorded by earlier processes were read.
    taken_up: bool,
    nights: Nights,
    /// When this process last looked for what verifications found.
    looked_for_suspects: Option<OffsetDateTime>,
    /// The newest verification of each source that was acted on.
    acted_on: BTreeMap<SourceId, OffsetDateTime>,
}

impl Jobs {
    /// Calls `with` with the nights that this process knows.
    pub fn nights<T>(&self, with: impl FnOnce(&mut Nights) -> T) -> T {
        with(&mut self.kept.lock().nights)
    }

    /// Whether it is time to look for what verifications found, which then counts as done. Once in ten minutes.
    pub fn looks_for_suspects(&self, now: OffsetDateTime) -> bool {
        let mut kept = self.kept.lock();
        let is_due = kept.looked_for_suspects.is_none_or(|at| !(at..at + SUSPECTS_EVERY).contains(&now));
        if is_due {
            kept.looked_for_suspects = Some(now);
        }
        is_due
    }

    /// Whether this process has acted on what a verification of a source found.
    pub fn has_acted_on(&self, source: &SourceId, ended: OffsetDateTime) -> bool {
        self.kept.lock().acted_on.get(source) == Some(&ended)
    }

    /// Remembers that this process has acted on what a verification of a source found.
    pub fn act_on(&self, source: SourceId, ended: OffsetDateTime) {
        self.kept.lock().acted_on.insert(source, ended);
    }

    /// Reads the settled nights that earlier processes recorded, and returns whether that was done before. One request
    /// per process, before its first record replaces the one it reads. `now` is the time by which schedules go.
    pub async fn take_up_nights(
        &self,
        role: &str,
        timers: &[(Timer, &Timetable)],
        now: OffsetDateTime,
    ) -> Result<bool> {
        if self.kept.lock().taken_up {
            return Ok(true);
        }
        let found = self.container.metadata(&format!("{PREFIX}{role}")).await?;
        let settled = found.and_then(|of| read::<Pass>(&of, KEY)).map(|pass| pass.settled);
        let mut kept = self.kept.lock();
        kept.nights.take_up(&settled.unwrap_or_default(), timers, now);
        kept.taken_up = true;
        Ok(false)
    }

    /// Records that `AdvanceJobs` ran in the app of a role, which nights are settled, and whether the app refuses every
    /// caller. One request every
    /// [`PASS_NOTED_EVERY`]; other calls cost none.
    pub async fn note_pass(
        &self,
        role: &str,
        timers: &[(Timer, &Timetable)],
        refuses_callers: bool,
        now: OffsetDateTime,
    ) -> Result<()> {
        let settled = {
            let kept = self.kept.lock();
            if kept.recorded.is_some_and(|at| now - at < PASS_NOTED_EVERY && now >= at) {
                return Ok(());
            }
            kept.nights.to_note(timers)
        };
        let pass = Pass { v: JOB_FORMAT, at: now, settled, refuses_callers };
        self.container.put(&format!("{PREFIX}{role}"), metadata(KEY, &pass)?).await?;
        self.kept.lock().recorded = Some(now);
        Ok(())
    }

    /// The roles of apps that refuse every caller, by their passes since a time. One request.
    pub async fn refusing_callers(&self, since: OffsetDateTime) -> Result<Vec<String>> {
        let pages = self.container.list(Listing { prefix: PREFIX, from: None, page: 100, metadata: true });
        pin_mut!(pages);
        let mut roles = Vec::new();
        while let Some(page) = pages.try_next().await? {
            let refuses = |pass: &Pass| pass.refuses_callers && pass.at >= since;
            roles.extend(page.iter().filter_map(|item| {
                read::<Pass>(&item.metadata, KEY).filter(refuses)?;
                item.name.strip_prefix(PREFIX).map(str::to_owned)
            }));
        }
        Ok(roles)
    }

    /// When `AdvanceJobs` last ran in any app of these roles, as far as recorded. One request.
    pub async fn last_pass(&self, roles: &[&str]) -> Result<Option<OffsetDateTime>> {
        let pages = self.container.list(Listing { prefix: PREFIX, from: None, page: 100, metadata: true });
        pin_mut!(pages);
        let mut last = None;
        while let Some(page) = pages.try_next().await? {
            let of = page
                .iter()
                .filter(|item| item.name.strip_prefix(PREFIX).is_some_and(|role| roles.contains(&role)));
            last =
                of.filter_map(|item| read::<Pass>(&item.metadata, KEY)).map(|pass| pass.at).max().max(last);
        }
        Ok(last)
    }
}
