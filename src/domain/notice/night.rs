//! Clean nights: after each one the heartbeat is called, once, and never after anything less.

use time::{Duration, OffsetDateTime};

use super::Told;
use crate::domain::{
    night::Timer,
    schedule::{Schedule, Timetable},
    source::SourceKind,
    state::SourceState,
};

/// How long after the vaults' timer the HSMs' timer still belongs to the same night.
const SAME_NIGHT: Duration = Duration::hours(6);

/// How early a run may begin and still be of its occurrence.
const EARLY: Duration = Duration::MINUTE;

/// The newest night, by the schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// Its occurrence, which names it: of the vaults' timer or, without vaults, of the HSMs'.
    pub of: OffsetDateTime,
    vaults: Option<OffsetDateTime>,
    hsms: Option<OffsetDateTime>,
}

impl Night {
    /// The newest night of these sources. `None` if the schedule of one of them is not known: then no night is clean.
    pub fn newest(
        sources: &[&SourceState],
        timers: &[(Timer, &Timetable)],
        now: OffsetDateTime,
    ) -> Option<Self> {
        let has = |kind: SourceKind| sources.iter().any(|of| of.kind == kind);
        let schedule = |timer: Timer| -> Option<&Schedule> {
            timers.iter().find_map(|(of, table)| match table {
                Timetable::Known(schedule) if *of == timer => Some(schedule.as_ref()),
                _ => None,
            })
        };
        if !has(SourceKind::Vault) {
            let of = schedule(Timer::Hsms)?.newest(now)?;
            return Some(Self { of, vaults: None, hsms: Some(of) });
        }
        let of = schedule(Timer::Vaults)?.newest(now)?;
        let hsms = if has(SourceKind::Hsm) {
            let timer = schedule(Timer::Hsms)?;
            let later = timer.next(of).filter(|next| *next <= of + SAME_NIGHT);
            Some(later.or_else(|| timer.newest(of))?)
        } else {
            None
        };
        Some(Self { of, vaults: Some(of), hsms })
    }

    /// Whether it was clean: there are sources, every one is well, covered by a run of this night, and none of its runs
    /// is open.
    pub fn is_clean(&self, sources: &[&SourceState]) -> bool {
        let is_clean = |of: &&SourceState| {
            let occurrence = if of.is_hsm() { self.hsms } else { self.vaults };
            let is_covered =
                occurrence.is_some_and(|at| of.covered.is_some_and(|covered| covered >= at - EARLY));
            of.is_ok() && of.running == 0 && is_covered
        };
        !sources.is_empty() && sources.iter().all(is_clean)
    }
}

impl Told {
    /// Whether a night is another one than the last clean one.
    pub fn is_another(&self, night: Night) -> bool {
        self.night.is_some_and(|last| night.of != last)
    }

    /// Records that a night was clean. `false` if that is on record already, for it or a later one.
    pub fn clean(&mut self, night: Night) -> bool {
        let is_new = self.night.is_none_or(|last| night.of > last);
        if is_new {
            self.night = Some(night.of);
        }
        is_new
    }
}
