use time::{Duration, macros::datetime};

use super::*;
use crate::domain::{
    actor::Actor,
    retention::{HOLD_FORMAT, HoldScope},
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

#[test]
fn a_plan_that_would_drop_more_than_half_needs_a_person() {
    let (keep, drop) = (Verdict::Keep(Reason::Newest), Verdict::Drop(Dropped::FoldedIn));
    for (verdicts, expected) in [
        (vec![], false),
        (vec![keep.clone()], false),
        (vec![keep.clone(), drop.clone()], false),
        (vec![keep, drop.clone(), drop], true),
    ] {
        assert_eq!(exceeds_half(&verdicts), expected, "{verdicts:?}");
    }
}
