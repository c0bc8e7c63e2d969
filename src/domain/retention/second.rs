//! Retention in the second place: nothing goes there that the first place has not deleted before, and not at once.

use time::{Duration, OffsetDateTime};

use super::{Candidate, Dropped, Policy, Reason, Verdict};
use crate::domain::{moment::day, run::RunId};

/// The policy of a second place that keeps everything for so many days: no number of points has a say, and an object that is
/// gone is kept as long as any other.
pub const fn policy_of_second(within: u32) -> Policy {
    Policy { within, days: 0, weeks: 0, months: 0, years: 0, gone: within }
}

/// The verdicts of [`plan`](super::plan) by that policy, as far as the first place agrees: `deleted` says when the record arrived
/// that it has deleted everything of a point. A copy that says so just now may be forged, or follow from a mistake, and there is
/// time to notice.
pub fn agreed(
    verdicts: Vec<Verdict>,
    points: &[Candidate],
    deleted: impl Fn(&RunId) -> Option<OffsetDateTime>,
    policy: &Policy,
    now: OffsetDateTime,
) -> Vec<Verdict> {
    let within = Duration::days(policy.within.into());
    let agree = |(verdict, point): (Verdict, &Candidate)| match (verdict, deleted(&point.run)) {
        (keep @ Verdict::Keep(_), _) => keep,
        (Verdict::Drop(_), None) => Verdict::Keep(Reason::NotDeletedInFirst),
        (Verdict::Drop(_), Some(at)) if now < at + within => {
            Verdict::Keep(Reason::DeletedInFirst { until: day(at + within) })
        }
        (Verdict::Drop(_), Some(_)) => Verdict::Drop(Dropped::DeletedInFirst { within: policy.within }),
    };
    verdicts.into_iter().zip(points).map(agree).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        retention::{Hold, PointKind, Standstill, Ticket, plan},
        samples::NIGHT,
        source::SourceKind,
    };

    const WITHIN: u32 = 30;

    fn point(days: i64) -> Candidate {
        let at = NIGHT - Duration::days(days);
        Candidate { run: RunId::nightly(at), named: at, stored: at, kind: PointKind::Whole { covers: true } }
    }

    fn verdicts(
        points: &[Candidate],
        deleted: impl Fn(&RunId) -> Option<OffsetDateTime>,
        standstill: Option<&Standstill>,
        holds: &[Hold],
    ) -> Vec<Verdict> {
        let policy = policy_of_second(WITHIN);
        agreed(plan(points, &policy, standstill, holds, NIGHT), points, deleted, &policy, NIGHT)
    }

    #[test]
    fn a_point_goes_when_the_first_place_has_deleted_it_and_that_is_known_for_long_enough() {
        let ago = |days| Some(NIGHT - Duration::days(days));
        let within = Duration::days(WITHIN.into());
        let until = |at: Option<OffsetDateTime>| Reason::DeletedInFirst { until: day(at.unwrap() + within) };
        let goes = || Verdict::Drop(Dropped::DeletedInFirst { within: WITHIN });
        let second = Duration::SECOND;
        for (days, deleted, expected) in [
            (0, ago(100), Verdict::Keep(Reason::Newest)),
            (200, None, Verdict::Keep(Reason::NotDeletedInFirst)),
            (200, ago(0), Verdict::Keep(until(ago(0)))),
            (200, Some(NIGHT - within + second), Verdict::Keep(until(Some(NIGHT - within + second)))),
            (200, Some(NIGHT - within), goes()),
            (200, ago(100), goes()),
        ] {
            let points = [point(0), point(days)];
            let found = verdicts(&points, |_| deleted, None, &[]);
            assert_eq!(found[usize::from(days > 0)], expected, "{days} {deleted:?}");
        }
        let young = verdicts(&[point(0), point(29)], |_| ago(0), None, &[]);
        assert_eq!(young[1], verdicts(&[point(0), point(29)], |_| None, None, &[])[1], "it is young");
        assert!(matches!(young[1], Verdict::Keep(Reason::Picked(_))), "{young:?}");
    }

    #[test]
    fn holds_and_a_source_in_doubt_win_over_what_the_first_place_deleted() {
        let points = [point(0), point(200)];
        let deleted = |_: &RunId| Some(NIGHT - Duration::days(100));
        let source = "kv-prod".parse().unwrap();
        let hold = Hold::unreadable(SourceKind::Vault, &source, Ticket::unreadable(), NIGHT);
        let overdue = Standstill::Overdue { since: NIGHT };
        assert!(verdicts(&points, deleted, None, &[])[1].drops());
        assert!(verdicts(&points, deleted, None, &[hold]).iter().all(|verdict| !verdict.drops()));
        assert!(verdicts(&points, deleted, Some(&overdue), &[]).iter().all(|verdict| !verdict.drops()));
    }

    /// Whatever is forged about the first place, what is needed stays.
    #[test]
    fn whatever_is_said_to_be_deleted_the_newest_state_and_what_is_young_stay() {
        for seed in 0..200_i64 {
            let points: Vec<_> = (0..=seed % 7).map(|n| point((n * 13 + seed) % 90)).collect();
            let claimed = NIGHT - Duration::days(seed % 120);
            let found = verdicts(&points, |_| Some(claimed), None, &[]);
            let newest = points.iter().map(|point| point.named).max();
            for (point, verdict) in points.iter().zip(&found) {
                let is_young = point.named >= NIGHT - Duration::days(WITHIN.into());
                let may = !is_young && Some(point.named) != newest && seed % 120 >= i64::from(WITHIN);
                assert!(may || !verdict.drops(), "{seed}: {verdict:?}");
            }
        }
    }
}
