use time::{Duration, macros::datetime};

use super::*;
use crate::domain::{
    form::{Clear, Form},
    location::{Fact, Location},
    object::ObjectKind,
    retention::HoldScope,
    samples::{NIGHT, entry, line, secret},
    source::SourceKind,
    verification::{Fault, Finding},
};

const NOW: OffsetDateTime = datetime!(2026-11-22 06:00 UTC);

fn ago(days: i64) -> OffsetDateTime {
    NIGHT - Duration::days(days)
}

/// A backup of `db` from so many days ago, when it had so many versions.
fn db(days: i64, versions: u32) -> Entry {
    let text = format!("{versions}");
    Entry {
        versions,
        newest: format!("{versions:032x}").parse().unwrap(),
        fingerprint: Fingerprint::of(text.as_bytes()),
        ..entry(&secret("db"), ago(days))
    }
}

fn with(status: ObjectStatus, entry: Entry) -> Line {
    Line::new(entry.id(), status, Some(entry))
}

fn unknown_form(entry: Entry) -> Entry {
    Entry { form: Form::Unknown(Clear::default()), ..entry }
}

/// What kept points with these lines name, where the newest index knows `db`.
fn kept(lines: &[Line]) -> Kept {
    let mut kept = Kept::default();
    for line in lines {
        kept.name(line, &Location::default());
        kept.know(&line.id());
    }
    kept
}

/// The ruling on the only backup of a dropped line, in a word.
fn ruling(kept: &Kept, line: &Line, holds: &[Hold]) -> &'static str {
    let (policy, location) = (Policy::default(), Location::default());
    let terms = Terms { policy: &policy, holds, location: &location, now: NOW };
    let (_, ruling) = kept.judge(line, ago(100), terms).next().unwrap();
    match ruling {
        Ruling::Named => "named",
        Ruling::Succeeded(_) => "succeeded",
        Ruling::LongGone => "long-gone",
        Ruling::Stays(why) => why.code(),
    }
}

#[test]
fn a_backup_goes_only_if_a_newer_good_one_of_the_object_is_kept() {
    let old = with(ObjectStatus::BackedUp, db(100, 1));
    let newer = |entry| kept(&[with(ObjectStatus::Unchanged, entry)]);
    for (entry, expected) in [
        (db(100, 1), "named"),
        (db(10, 2), "succeeded"),
        (db(10, 1), "succeeded"),
        (db(110, 2), "last-good"),
        (unknown_form(db(10, 2)), "last-good"),
        (Entry { bytes: 0, ..db(10, 2) }, "last-good"),
    ] {
        assert_eq!(ruling(&newer(entry.clone()), &old, &[]), expected, "{entry:?}");
    }
    let failed = Line { entry: None, ..with(ObjectStatus::Failed, db(10, 2)) };
    assert_eq!(ruling(&kept(&[failed]), &old, &[]), "last-good", "a failure takes nothing's place");
    assert_eq!(ruling(&Kept::default(), &old, &[]), "unexplained");
}

#[test]
fn a_backup_from_elsewhere_takes_nothings_place() {
    let location = |tenant: &str| Location { tenant: Fact::new(tenant), ..Location::default() };
    let elsewhere = Entry { location: Box::new(location("a")), ..db(10, 2) };
    let mut kept = Kept::default();
    kept.name(&with(ObjectStatus::Unchanged, elsewhere), &location("b"));
    kept.know(&secret("db"));
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(100, 1)), &[]), "last-good");
}

#[test]
fn a_backup_that_verification_found_wrong_takes_nothings_place() {
    let (old, newer) = (with(ObjectStatus::BackedUp, db(100, 1)), db(10, 2));
    let finding = Finding {
        fault: Fault::Damaged,
        blob: String::new(),
        run: newer.run.clone(),
        kind: Some(newer.kind),
        name: Some(newer.name.clone()),
        newest: true,
        text: String::new(),
        since: NOW,
    };
    let mut kept = Kept::beside(&Suspects::of(&[finding]));
    kept.name(&with(ObjectStatus::Unchanged, newer), &Location::default());
    kept.know(&secret("db"));
    assert_eq!(ruling(&kept, &old, &[]), "last-good");
    kept.name(&with(ObjectStatus::BackedUp, db(9, 2)), &Location::default());
    assert_eq!(ruling(&kept, &old, &[]), "succeeded", "by the one that replaced it");
}

#[test]
fn what_has_the_name_now_does_not_take_the_place_of_what_had_it() {
    // An object with fewer versions is another one.
    let kept = kept(&[with(ObjectStatus::Unchanged, db(10, 1))]);
    let old = with(ObjectStatus::BackedUp, db(100, 5));
    assert_eq!(ruling(&kept, &old, &[]), "replaced");
    let (policy, location) = (Policy::default(), Location::default());
    let terms = Terms { policy: &policy, holds: &[], location: &location, now: NOW };
    let rule = |named| kept.judge(&old, named, terms).next().unwrap().1;
    assert_eq!(rule(NOW - Duration::days(400)), Ruling::LongGone);
    assert!(matches!(rule(NOW - Duration::days(400) + Duration::SECOND), Ruling::Stays(_)));
}

#[test]
fn the_last_backup_of_an_earlier_object_takes_the_place_of_its_older_ones() {
    let mut kept = kept(&[with(ObjectStatus::Unchanged, db(10, 1))]);
    let last = with(ObjectStatus::BackedUp, db(100, 5));
    assert_eq!(ruling(&kept, &last, &[]), "replaced");
    kept.name(&last, &Location::default());
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(200, 4)), &[]), "succeeded");
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(200, 6)), &[]), "replaced", "yet another one");
}

#[test]
fn the_last_backup_of_what_is_gone_stays_for_as_long_as_the_policy_says() {
    let gone = |since| Line { gone: Some(since), ..with(ObjectStatus::Gone, db(500, 1)) };
    let edge = NOW - Duration::days(400);
    assert_eq!(ruling(&Kept::default(), &gone(edge), &[]), "long-gone");
    assert_eq!(ruling(&Kept::default(), &gone(edge + Duration::SECOND), &[]), "gone");
    let mut knows = Kept::default();
    knows.know(&secret("db"));
    assert_eq!(ruling(&knows, &gone(edge), &[]), "last-good", "the newest index still knows it");
    assert_eq!(
        ruling(&Kept::default(), &with(ObjectStatus::Unchanged, db(500, 1)), &[]),
        "unexplained",
        "no run saw it leave"
    );
}

#[test]
fn what_a_point_that_cannot_be_read_may_name_stays() {
    let mut kept = kept(&[with(ObjectStatus::Unchanged, db(10, 9))]);
    kept.cannot_read(&RunId::nightly(ago(60)), ago(59));
    kept.cannot_read(&RunId::nightly(ago(90)), ago(89));
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(59, 1)), &[]), "unreadable");
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(58, 1)), &[]), "succeeded");
}

#[test]
fn former_backups_are_named_and_judged_as_well() {
    let managed = |entry: Entry| Line {
        former: Some(Box::new(entry)),
        entry: None,
        ..line(&secret("db"), ObjectStatus::Managed, NIGHT)
    };
    let kept = kept(&[managed(db(50, 3))]);
    assert_eq!(ruling(&kept, &managed(db(50, 3)), &[]), "named");
    assert_eq!(ruling(&kept, &with(ObjectStatus::BackedUp, db(100, 2)), &[]), "succeeded");
    assert_eq!(ruling(&kept, &managed(db(40, 4)), &[]), "last-good", "older than it");
}

fn hold_on(kind: ObjectKind, name: &str) -> Hold {
    let scope = HoldScope::Object { kind, name: name.parse().unwrap() };
    let source = "kv-prod".parse().unwrap();
    Hold { scope, ..Hold::unreadable(SourceKind::Vault, &source, "INC-1".parse().unwrap(), NOW) }
}

#[test]
fn a_hold_on_an_object_keeps_its_backups_and_those_of_no_other() {
    let kept = kept(&[with(ObjectStatus::Unchanged, db(10, 2))]);
    let (old, newest) = (with(ObjectStatus::BackedUp, db(100, 1)), with(ObjectStatus::Unchanged, db(10, 2)));
    for (hold, expected) in [
        (hold_on(ObjectKind::Secret, "db"), "held"),
        (hold_on(ObjectKind::Secret, "DB"), "held"),
        (hold_on(ObjectKind::Key, "db"), "succeeded"),
        (hold_on(ObjectKind::Secret, "db2"), "succeeded"),
    ] {
        let holds = [hold_on(ObjectKind::Secret, "tls"), hold];
        assert_eq!(ruling(&kept, &old, &holds), expected, "{holds:?}");
        assert_eq!(ruling(&kept, &newest, &holds), "named", "that needs no hold");
    }
    let gone = Line { gone: Some(ago(900)), ..with(ObjectStatus::Gone, db(900, 1)) };
    assert_eq!(ruling(&Kept::default(), &gone, &[hold_on(ObjectKind::Secret, "db")]), "held");
}

#[test]
fn of_several_newer_backups_the_newest_one_of_the_same_object_takes_the_place() {
    let mut kept = Kept::default();
    for entry in [db(20, 6), db(10, 1), db(30, 7), db(40, 6)] {
        kept.name(&with(ObjectStatus::Unchanged, entry), &Location::default());
    }
    let (policy, location) = (Policy::default(), Location::default());
    let terms = Terms { policy: &policy, holds: &[], location: &location, now: NOW };
    for (versions, expected) in [(5, Some(20)), (7, Some(30)), (1, Some(10)), (8, None)] {
        let old = with(ObjectStatus::BackedUp, db(100, versions));
        let ruling = kept.judge(&old, ago(100), terms).next().unwrap().1;
        let by = match &ruling {
            Ruling::Succeeded(by) => Some(by.run.clone()),
            _ => None,
        };
        assert_eq!(by, expected.map(|days| RunId::nightly(ago(days))), "{versions} versions: {ruling:?}");
    }
}

#[test]
fn a_backup_whose_state_the_newer_one_is_tied_to_is_of_the_same_object() {
    // As many versions and another newest one, as after a rotation that dropped the oldest.
    let newer = |ties: Vec<Fingerprint>| Entry { ties, ..db(10, 3) };
    let old = Entry { versions: 3, newest: format!("{:032x}", 99).parse().unwrap(), ..db(100, 8) };
    let tied = newer(vec![old.fingerprint]);
    let old = with(ObjectStatus::BackedUp, old);
    for (entry, expected) in [(tied, "succeeded"), (newer(Vec::new()), "replaced")] {
        assert_eq!(ruling(&kept(&[with(ObjectStatus::Unchanged, entry)]), &old, &[]), expected);
    }
}

#[test]
fn a_backup_of_another_object_of_the_same_run_or_another_run_of_the_same_object_is_another_backup() {
    let of = |id: ObjectId, days| line(&id, ObjectStatus::BackedUp, ago(days));
    let kept = kept(&[of(secret("db"), 10)]);
    for (line, expected) in [
        (of(secret("db"), 10), true),
        (of(secret("DB"), 10), true),
        (of(secret("db"), 9), false),
        (of(secret("db2"), 10), false),
        (of(ObjectId::new(ObjectKind::Key, "db".parse().unwrap()), 10), false),
    ] {
        assert_eq!(ruling(&kept, &line, &[]) == "named", expected, "{line:?}");
    }
}

#[test]
fn of_the_backups_that_newer_points_were_judged_with_those_are_held_that_an_older_point_can_name() {
    let mut judged = Judged::default();
    let [old, new] = [db(40, 1), db(3, 2)];
    judged.insert(&new);
    judged.insert(&old);
    let has = |judged: &Judged| [&old, &new].map(|backup| judged.has(backup));
    for (named, expected) in [(ago(3), [true, true]), (ago(4), [true, true]), (ago(5), [true, false])] {
        judged.go_back_to(named);
        assert_eq!(has(&judged), expected, "{named}");
    }
}
