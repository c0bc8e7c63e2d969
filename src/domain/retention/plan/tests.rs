use proptest::prelude::*;
use time::{Duration, macros::datetime};

use super::*;
use crate::domain::{
    actor::Actor,
    object::ObjectKind,
    retention::{Act, DECISION_FORMAT, HOLD_FORMAT, HoldScope},
    run::Numbers,
    samples::{hsm_backup, summary},
    source::SourceKind,
};

const NOW: OffsetDateTime = datetime!(2026-11-22 06:00 UTC);
const WHOLE: PointKind = PointKind::Whole { covers: true };
const UNCOVERED: PointKind = PointKind::Whole { covers: false };

/// A point of a night so many days ago.
fn night(ago: i64, kind: PointKind) -> Candidate {
    let at = datetime!(2026-11-22 02:00 UTC) - Duration::days(ago);
    Candidate { run: RunId::nightly(at), named: at, stored: at + Duration::minutes(9), kind }
}

fn policy(text: &str) -> Policy {
    text.parse().unwrap()
}

fn hold(scope: HoldScope) -> Hold {
    Hold {
        v: HOLD_FORMAT,
        source: "kv-prod".parse().unwrap(),
        kind: SourceKind::Vault,
        scope,
        ticket: "T-1".parse().unwrap(),
        reason: "law".parse().unwrap(),
        by: Actor::TERMINAL,
        at: NOW,
    }
}

/// The codes of the verdicts.
fn codes(
    points: &[Candidate],
    policy: &str,
    standstill: Option<&Standstill>,
    holds: &[Hold],
) -> Vec<&'static str> {
    let code = |verdict: &Verdict| match verdict {
        Verdict::Keep(reason) => reason.code(),
        Verdict::Drop(why) => why.code(),
    };
    plan(points, &self::policy(policy), standstill, holds, NOW).iter().map(code).collect()
}

#[test]
fn the_newest_state_stays_and_what_the_policy_does_not_pick_may_go() {
    let points = [
        night(0, WHOLE),
        night(1, WHOLE),
        night(40, UNCOVERED),
        night(40, WHOLE),
        night(41, PointKind::Partial),
    ];
    assert_eq!(
        codes(&points, "within=35 months=0", None, &[]),
        ["newest", "newest", "never-covered", "expired", "folded-in"]
    );
    let old = points.clone().map(|point| Candidate {
        named: point.named - Duration::days(300),
        stored: point.stored - Duration::days(300),
        ..point
    });
    assert_eq!(
        codes(&old, "within=35 months=0", None, &[])[0],
        "newest",
        "a set is never emptied, however old it is"
    );
}

#[test]
fn a_run_that_did_not_cover_counts_towards_no_number_and_replaces_nothing() {
    let points =
        [night(0, UNCOVERED), night(39, UNCOVERED), night(60, WHOLE), night(61, UNCOVERED), night(90, WHOLE)];
    assert_eq!(
        codes(&points, "within=35 months=0 years=1", None, &[]),
        ["newest", "newest", "newest", "newest", "counted"],
        "the newest covering point is the newest state, with what may belong to it"
    );
    let uncovered = [night(0, UNCOVERED), night(90, UNCOVERED)];
    assert_eq!(codes(&uncovered, "within=35", None, &[]), ["within", "never-covered"]);
    assert!(plan(&uncovered, &policy("within=35"), None, &[], NOW).iter().all(|verdict| !verdict.drops()));
}

#[test]
fn both_times_of_a_point_must_let_it_go() {
    let old = night(40, WHOLE);
    let young = night(3, WHOLE);
    let copied = Candidate { stored: young.stored, ..old.clone() };
    let forged = Candidate { named: young.named, ..old.clone() };
    let points = [night(0, WHOLE), old.clone(), copied, forged];
    assert_eq!(codes(&points, "within=35 months=0", None, &[]), ["newest", "expired", "within", "within"]);
    // A catalogue that was copied today has one time of storage, and its names still tell months apart.
    let copied = [0, 40, 70, 100].map(|ago| Candidate { stored: NOW, ..night(ago, WHOLE) });
    let much_later = |point: Candidate| Candidate { stored: point.stored - Duration::days(50), ..point };
    assert_eq!(
        codes(&copied.map(much_later), "within=35 months=3", None, &[]),
        ["newest", "counted", "counted", "expired"]
    );
}

#[test]
fn a_hold_wins_over_the_policy() {
    let points = [night(0, WHOLE), night(50, WHOLE), night(60, WHOLE)];
    let at = points[2].named;
    for (scope, expected) in [
        (HoldScope::Source, ["held", "held", "held"]),
        (HoldScope::Run { run: points[1].run.clone() }, ["newest", "held", "expired"]),
        (HoldScope::Span { from: at, to: at }, ["newest", "expired", "held"]),
        (
            HoldScope::Span { from: at - Duration::DAY, to: at - Duration::SECOND },
            ["newest", "expired", "expired"],
        ),
        (
            HoldScope::Object {
                kind: crate::domain::object::ObjectKind::Secret,
                name: "db".parse().unwrap(),
            },
            ["newest", "expired", "expired"],
        ),
    ] {
        assert_eq!(codes(&points, "within=35 months=0", None, &[hold(scope.clone())]), expected, "{scope:?}");
    }
}

#[test]
fn a_source_that_stands_still_keeps_everything() {
    let points =
        [night(0, WHOLE), night(50, WHOLE), night(60, PointKind::Unreadable), night(60, PointKind::Partial)];
    for standstill in [
        Standstill::NotConfigured,
        Standstill::Overdue { since: NOW },
        Standstill::NotCovered(points[0].run.clone()),
        Standstill::Lost(points[0].run.clone()),
        Standstill::Moved(points[0].run.clone()),
    ] {
        let verdicts = plan(&points, &policy("within=35 months=0"), Some(&standstill), &[], NOW);
        assert!(verdicts.iter().all(|verdict| !verdict.drops()), "{standstill}");
    }
    assert_eq!(
        codes(&points, "within=35 months=0", None, &[]),
        ["newest", "expired", "unreadable", "folded-in"],
        "what cannot be read stays"
    );
}

fn consent(points: u32) -> Decision {
    Decision {
        v: DECISION_FORMAT,
        source: "kv-prod".parse().unwrap(),
        kind: SourceKind::Vault,
        act: Act::Consent { points },
        reason: "seen".parse().unwrap(),
        by: Actor::TERMINAL,
        at: NOW,
    }
}

#[test]
fn a_plan_that_would_drop_more_than_half_needs_a_person() {
    let (keep, drop) = (Verdict::Keep(Reason::Newest), Verdict::Drop(Dropped::FoldedIn));
    let two_of_three = vec![keep.clone(), drop.clone(), drop.clone()];
    for (verdicts, decisions, expected) in [
        (vec![], vec![], None),
        (vec![keep.clone()], vec![], None),
        (vec![keep.clone(), drop], vec![], None),
        (two_of_three.clone(), vec![], Some(2)),
        (two_of_three.clone(), vec![consent(1)], Some(2)),
        (two_of_three.clone(), vec![consent(2)], None),
    ] {
        assert_eq!(needs_consent(&verdicts, &decisions, NOW), expected, "{verdicts:?} {decisions:?}");
    }
    let of_half = Verdict::Keep(Reason::MoreThanHalf);
    assert_eq!(withheld(two_of_three), [keep, of_half.clone(), of_half]);
}

#[test]
fn a_point_has_the_latest_of_its_own_times_and_counts_as_new_without_one_of_storage() {
    let at = |hour| Some(datetime!(2026-11-22 00:00 UTC) + Duration::hours(hour));
    let run = RunId::nightly(at(2).unwrap());
    for (by_name, stored, expected) in
        [(None, at(4), [at(2), at(4)]), (at(3), at(1), [at(3), at(1)]), (at(1), None, [at(2), Some(AS_NEW)])]
    {
        let point = Candidate::of_run(&run, None, by_name, stored);
        assert_eq!(point.times().map(Some), expected, "{by_name:?} {stored:?}");
        assert_eq!(point.kind, PointKind::Unreadable, "without a summary it is not known what it is");
    }
}

#[test]
fn a_summary_says_what_a_point_is_and_an_hsm_backup_is_one_if_it_can_be_restored() {
    let at = datetime!(2026-11-22 02:00 UTC);
    let unlisted = Numbers { unlisted: vec![ObjectKind::Key], ..Numbers::default() };
    for (summary, expected) in [
        (summary(at), WHOLE),
        (Summary { numbers: unlisted.clone(), ..summary(at) }, UNCOVERED),
        (Summary { scope: Scope::Objects, numbers: unlisted, ..summary(at) }, PointKind::Partial),
    ] {
        let point = Candidate::of_run(&RunId::nightly(at - Duration::DAY), Some(&summary), None, Some(at));
        assert_eq!((point.kind, point.named), (expected, at), "{summary:?}");
    }
    for (backup, expected) in
        [(hsm_backup(at), WHOLE), (HsmBackup { folder: None, ..hsm_backup(at) }, UNCOVERED)]
    {
        let point = Candidate::of_backup(&backup, at + Duration::HOUR, false);
        assert_eq!((point.kind, point.times()), (expected, [at, at + Duration::HOUR]));
    }
}

fn points() -> impl Strategy<Value = Vec<Candidate>> {
    let kind = prop_oneof![
        6 => Just(WHOLE), 1 => Just(UNCOVERED), 1 => Just(PointKind::Partial), 1 => Just(PointKind::Unreadable),
    ];
    let point = (0_i64..500, 0_i64..500, kind);
    prop::collection::vec(point, 1..30).prop_map(|points| {
        let point =
            |(named, stored, kind)| Candidate { stored: night(stored, kind).stored, ..night(named, kind) };
        points.into_iter().map(point).collect()
    })
}

proptest! {
    #[test]
    fn whatever_the_points_are_the_newest_state_and_what_is_young_by_any_clock_stay(
        points in points(), within in 3_u32..60,
    ) {
        let policy = Policy { within, months: 0, ..Policy::default() };
        let verdicts = plan(&points, &policy, None, &[], NOW);
        let covering = points.iter().filter(|point| point.covers()).map(|point| point.named).max();
        for (point, verdict) in points.iter().zip(&verdicts) {
            let youngest = point.times().into_iter().max().unwrap();
            let stays = covering.is_none_or(|newest| point.named >= newest)
                || youngest >= NOW - Duration::days(within.into())
                || point.kind == PointKind::Unreadable;
            prop_assert!(!stays || !verdict.drops(), "{point:?} {verdict:?}");
            prop_assert!(stays || verdict.drops() || is_of_newest(point, covering.unwrap()), "{point:?} {verdict:?}");
        }
    }

    #[test]
    fn a_hold_only_ever_keeps_more(points in points(), held in 0_usize..30) {
        let policy = policy("within=5 months=3");
        let held = points.get(held).unwrap_or(&points[0]).run.clone();
        let holds = [hold(HoldScope::Run { run: held.clone() })];
        let (without, with) = (plan(&points, &policy, None, &[], NOW), plan(&points, &policy, None, &holds, NOW));
        for ((point, without), with) in points.iter().zip(without).zip(with) {
            let expected = if point.run == held { Verdict::Keep(Reason::Held("T-1".into())) } else { without };
            prop_assert_eq!(with, expected);
        }
    }
}
