//! How old the newest backup of a source became.

use time::{Duration, OffsetDateTime};

use crate::domain::day::Day;

/// A backup that covers its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covering {
    /// The time of the state that it holds.
    pub of: OffsetDateTime,
    /// When storage had it: before that nothing could be restored from it.
    pub stored: OffsetDateTime,
}

/// The greatest age that the newest covering backup had on a day: what would have been lost at the worst moment of it.
/// `None` if there was no covering backup by the end of the day. Before the first one of all there is no age.
///
/// `backups` are in any order, and have at least those that were stored on the day and the newest one before it.
pub fn worst_gap(backups: &[Covering], day: Day) -> Option<Duration> {
    let mut stored: Vec<_> = backups.iter().filter(|backup| backup.stored < day.end()).collect();
    stored.sort_by_key(|backup| backup.stored);
    let (mut newest, mut worst) = (None::<OffsetDateTime>, None);
    for Covering { of, stored } in stored {
        if *stored >= day.start() {
            worst = worst.max(newest.map(|newest| *stored - newest));
        }
        newest = newest.max(Some(*of));
    }
    worst.max(newest.map(|newest| day.end() - newest))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn at(day: u8, hour: u8) -> OffsetDateTime {
        datetime!(2026-11-01 00:00 UTC).replace_day(day).unwrap().replace_hour(hour).unwrap()
    }

    #[test]
    fn the_gap_is_the_greatest_age_of_the_newest_backup_at_any_moment_of_the_day() {
        let day = Day::of(at(22, 0));
        let backup = |day, hour, stored| Covering { of: at(day, hour), stored: at(day, stored) };
        for (backups, hours, why) in [
            (vec![], None, "it was never covered"),
            (vec![backup(21, 2, 3), backup(22, 2, 3)], Some(25), "from one night until the next is stored"),
            (vec![backup(22, 2, 3), backup(21, 2, 3)], Some(25), "in any order"),
            (vec![backup(20, 2, 3), backup(22, 2, 3)], Some(49), "a night was missed"),
            (vec![backup(20, 2, 3)], Some(70), "no night: the day ends with the oldest"),
            (vec![backup(22, 2, 3)], Some(22), "the first backup of all"),
            (vec![backup(21, 2, 3), backup(22, 2, 3), backup(22, 12, 13)], Some(25), "two on one day"),
            (
                vec![backup(21, 2, 3), backup(22, 2, 3), backup(23, 2, 3)],
                Some(25),
                "the next day does not count",
            ),
            (vec![backup(21, 2, 3), backup(22, 20, 21)], Some(43), "a late night"),
        ] {
            assert_eq!(worst_gap(&backups, day), hours.map(Duration::hours), "{why}");
        }
        let slow = [backup(21, 2, 3), Covering { of: at(21, 23), stored: at(22, 0) }];
        assert_eq!(
            worst_gap(&slow, day),
            Some(Duration::hours(25)),
            "what is stored at midnight is of the new day"
        );
        let older = [backup(21, 2, 3), Covering { of: at(20, 2), stored: at(22, 1) }];
        assert_eq!(worst_gap(&older, day), Some(Duration::hours(46)), "an older state makes nothing newer");
    }
}
