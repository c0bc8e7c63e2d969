//! How the runs of a source ended: the newest one, the newest that did not succeed, and each of the last nights.

use time::{Duration, OffsetDateTime};

use crate::domain::{
    day::Day,
    hsm::HsmBackup,
    manifest::Summary,
    run::{Numbers, RunId, Verdict},
};

/// How many nights are told of.
const NIGHTS: i64 = 30;

/// A run of a whole source that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub began: OffsetDateTime,
    /// When it ended.
    pub ended: OffsetDateTime,
    /// How long it took; of a Managed HSM, the service's operation.
    pub took: Duration,
    /// How it ended.
    pub verdict: Verdict,
    /// Its numbers. A Managed HSM is backed up as a whole and has none.
    pub numbers: Option<Numbers>,
}

impl From<&Summary> for Ended {
    fn from(of: &Summary) -> Self {
        Self {
            run: of.run.clone(),
            began: of.planned,
            ended: of.finished,
            took: of.finished - of.planned,
            verdict: of.verdict,
            numbers: Some(of.numbers.clone()),
        }
    }
}

impl From<&HsmBackup> for Ended {
    fn from(of: &HsmBackup) -> Self {
        Self {
            run: of.run.clone(),
            began: of.opened,
            ended: of.ended,
            took: of.duration(),
            verdict: of.verdict,
            numbers: None,
        }
    }
}

/// What is known of a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Night {
    /// Whether it had a run was not read.
    Unread,
    /// No run began.
    Nothing,
    /// How the newest run that began on this day ended.
    Ended(Verdict),
}

/// How the runs of a source ended, as far as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The newest run that has ended.
    pub last: Option<Ended>,
    /// When the newest run that did not succeed ended. Of a vault it is looked for in the last nights only.
    pub failed: Option<OffsetDateTime>,
    /// The last nights, by the day on which their runs began, the oldest first. Empty if nothing could be read.
    pub nights: Vec<(Day, Night)>,
}

impl History {
    /// The time from which runs are read for the nights before `now`.
    pub fn since(now: OffsetDateTime) -> OffsetDateTime {
        Day::of(now - Duration::days(NIGHTS - 1)).start()
    }

    /// What these runs say, which are given newest first. Runs that began before `read_since` may exist and be missing.
    pub fn of(
        runs: impl IntoIterator<Item = Ended>,
        read_since: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        let runs: Vec<Ended> = runs.into_iter().collect();
        let night = |day: Day| match runs.iter().find(|run| day.has(run.began)) {
            Some(run) => Night::Ended(run.verdict),
            None if read_since.is_some_and(|since| day.start() < since) => Night::Unread,
            None => Night::Nothing,
        };
        let nights = Day::of(Self::since(now)).until(Day::of(now)).map(|day| (day, night(day))).collect();
        let failed = runs.iter().find(|run| run.verdict != Verdict::Succeeded).map(|run| run.ended);
        Self { last: runs.into_iter().next(), failed, nights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{NIGHT, summary};

    fn run(days: i64, verdict: Verdict) -> Ended {
        Ended::from(&Summary { verdict, ..summary(NIGHT - Duration::days(days)) })
    }

    #[test]
    fn a_night_is_told_by_its_newest_run_and_silence_only_where_everything_was_read() {
        use Verdict::{Failed, PartiallyFailed, Succeeded};
        let runs =
            [run(0, Succeeded), run(0, Failed), run(2, PartiallyFailed), run(29, Failed), run(30, Failed)];
        for (read_since, yesterday, oldest_but_one) in [
            (None, Night::Nothing, Night::Nothing),
            (Some(NIGHT - Duration::days(2)), Night::Nothing, Night::Unread),
            (Some(NIGHT), Night::Unread, Night::Unread),
        ] {
            let nights = History::of(runs.clone(), read_since, NIGHT).nights;
            let at = |ago: usize| nights[nights.len() - 1 - ago].1;
            assert_eq!((nights.len(), nights[29].0), (30, Day::of(NIGHT)));
            assert_eq!((at(0), at(2)), (Night::Ended(Succeeded), Night::Ended(PartiallyFailed)));
            assert_eq!((at(1), at(28), at(29)), (yesterday, oldest_but_one, Night::Ended(Failed)));
        }
    }

    #[test]
    fn the_last_failure_is_that_of_the_newest_run_that_did_not_succeed() {
        use Verdict::{Failed, PartiallyFailed, Succeeded};
        let ended = |days: i64| run(days, Succeeded).ended;
        for (runs, last, failed) in [
            (vec![], None, None),
            (vec![run(0, Succeeded), run(1, Succeeded)], Some(ended(0)), None),
            (
                vec![run(0, Succeeded), run(1, PartiallyFailed), run(2, Failed)],
                Some(ended(0)),
                Some(ended(1)),
            ),
            (vec![run(0, Failed)], Some(ended(0)), Some(ended(0))),
        ] {
            let history = History::of(runs, None, NIGHT);
            assert_eq!((history.last.map(|run| run.ended), history.failed), (last, failed));
        }
    }
}
