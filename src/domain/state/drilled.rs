//! What is known of a source's drills.

use time::{Duration, OffsetDateTime};

use super::Trouble;
use crate::domain::drill::DrillSummary;

/// What is known of a source's drills. By default there is no drill vault, and none was ever read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownDrills {
    /// How old the newest drill may be; `None` where the settings declare no drill vault.
    pub interval: Option<Duration>,
    /// The newest drill.
    pub last: Option<Box<DrillSummary>>,
    /// When the newest began that took place.
    pub drilled: Option<OffsetDateTime>,
    /// Why they cannot be read.
    pub unreadable: Option<String>,
}

/// When the newest drill of a source began that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrilledAt {
    /// At this time.
    At(OffsetDateTime),
    /// There was none.
    Never,
    /// That cannot be read.
    Unknown,
}

impl KnownDrills {
    /// From the drills of a source, the newest first.
    pub fn of(drills: Vec<DrillSummary>, interval: Duration) -> Self {
        let drilled = drills.iter().find(|of| of.took_place()).map(|of| of.started);
        let last = drills.into_iter().next().map(Box::new);
        Self { interval: Some(interval), last, drilled, unreadable: None }
    }

    /// Of records that cannot be read.
    pub fn unreadable(why: String, interval: Duration) -> Self {
        Self { interval: Some(interval), unreadable: Some(why), ..Self::default() }
    }

    /// When the newest drill began that took place.
    pub const fn at(&self) -> DrilledAt {
        match (self.drilled, &self.unreadable) {
            (Some(at), _) => DrilledAt::At(at),
            (None, Some(_)) => DrilledAt::Unknown,
            (None, None) => DrilledAt::Never,
        }
    }

    /// What is wrong with them. Nothing is where the settings declare no drill vault.
    pub(super) fn troubles(&self, now: OffsetDateTime) -> Vec<Trouble> {
        let Some(interval) = self.interval else { return Vec::new() };
        if let Some(why) = &self.unreadable {
            return vec![Trouble::DrillFailed(format!("its record cannot be read: {why}"))];
        }
        let failed = self.last.as_ref().filter(|last| last.is_bad());
        let failed =
            failed.map(|last| Trouble::DrillFailed(format!("{}: {}", last.id, last.what_is_wrong())));
        let is_overdue = self.drilled.is_none_or(|at| now - at > interval);
        let overdue = is_overdue.then_some(Trouble::DrillOverdue { since: self.drilled, interval });
        failed.into_iter().chain(overdue).collect()
    }
}

impl DrilledAt {
    /// The time, or the word for none.
    pub const fn time_or_word(self) -> Result<OffsetDateTime, &'static str> {
        match self {
            Self::At(at) => Ok(at),
            Self::Never => Err("never"),
            Self::Unknown => Err("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        actor::Actor,
        drill::{CleanedUp, Drill, OpenDrill, Seed, Why},
        samples::NIGHT,
        state::TroubleKind,
    };

    const WEEK: Duration = Duration::days(7);

    /// A drill of `ago` before the night that restored so many objects.
    fn drill(ago: Duration, objects: u32, cleanup: CleanedUp) -> DrillSummary {
        let pair = ("kv-a".parse().unwrap(), "kv-drill".parse().unwrap());
        let mut open = OpenDrill::begin(pair, Actor::TIMER, Seed::of(b""), 0, Vec::new(), NIGHT - ago);
        open.refuse(Why::new("x", "it was not"), NIGHT - ago);
        let summary = Drill::of(&open, cleanup, NIGHT - ago).unwrap().summary();
        let mut summary = DrillSummary { objects, ..summary };
        if objects > 0 {
            summary.came.restore = crate::domain::drill::Rehearsed::Succeeded;
            summary.came.why.clear();
        }
        summary
    }

    #[test]
    fn a_drill_that_failed_and_one_that_did_not_take_place_are_troubles_where_there_should_be_one() {
        let (good, left, refused) = (
            |ago| drill(ago, 5, CleanedUp::Done),
            drill(Duration::DAY, 5, CleanedUp::Failed),
            drill(Duration::DAY, 0, CleanedUp::Done),
        );
        let (failed, overdue) = (TroubleKind::DrillFailed, TroubleKind::DrillOverdue);
        for (drills, at, expected) in [
            (vec![], DrilledAt::Never, &[overdue][..]),
            (vec![good(Duration::DAY)], DrilledAt::At(NIGHT - Duration::DAY), &[]),
            (vec![good(WEEK)], DrilledAt::At(NIGHT - WEEK), &[]),
            (vec![good(WEEK + Duration::SECOND)], DrilledAt::At(NIGHT - WEEK - Duration::SECOND), &[overdue]),
            (vec![left], DrilledAt::At(NIGHT - Duration::DAY), &[failed]),
            (vec![refused.clone()], DrilledAt::Never, &[failed, overdue]),
            (vec![refused, good(WEEK)], DrilledAt::At(NIGHT - WEEK), &[failed]),
        ] {
            let known = KnownDrills::of(drills, WEEK);
            let kinds: Vec<_> = known.troubles(NIGHT).iter().map(TroubleKind::from).collect();
            assert_eq!((known.at(), &kinds[..]), (at, expected), "{known:?}");
            assert_eq!(KnownDrills { interval: None, ..known }.troubles(NIGHT), []);
        }
        let unreadable = KnownDrills::unreadable("torn".into(), WEEK);
        assert_eq!((unreadable.at(), unreadable.troubles(NIGHT).len()), (DrilledAt::Unknown, 1));
        let said = [DrilledAt::At(NIGHT), DrilledAt::Never, DrilledAt::Unknown].map(DrilledAt::time_or_word);
        assert_eq!(said, [Ok(NIGHT), Err("never"), Err("unknown")]);
    }
}
