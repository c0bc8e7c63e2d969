use time::{Duration, OffsetDateTime};

use super::*;
use crate::domain::{
    actor::Actor,
    evidence::{Became, DropSeen, EVIDENCE_FORMAT, EventSeen, FailureSeen, Sort, TrailEvidence, TroubleSeen},
    run::RunId,
    samples::{NIGHT, secret},
    source::SourceKind,
};

const HOUR: u64 = 3600;

fn day(number: u8) -> Day {
    format!("2026-11-{number:02}").parse().unwrap()
}

fn id(name: &str) -> SourceId {
    SourceId { kind: SourceKind::Vault, name: name.parse().unwrap() }
}

/// A source with a gap of so many hours.
fn source(name: &str, gap: Option<u64>) -> SourceEvidence {
    let newest = gap.map(|_| NIGHT);
    let of = SourceEvidence::of(&id(name), true, Some("within=35".into()));
    SourceEvidence { gap: gap.map(|hours| hours * HOUR), newest, ..of }
}

fn found(number: u8, sources: Vec<SourceEvidence>) -> (Day, DayRecord) {
    let day = day(number);
    let record = Evidence {
        v: EVIDENCE_FORMAT,
        day,
        made: day.end(),
        program: "1.0.0".into(),
        sources,
        trail: TrailEvidence::default(),
        retention: None,
    };
    (day, DayRecord::Found(Box::new(record), Digest::of(b"record")))
}

fn report(records: Vec<(Day, DayRecord)>) -> Report {
    Report::new(Vec::new(), records).unwrap()
}

#[test]
fn a_period_is_of_days_that_have_ended_and_not_too_long() {
    let [from, to] = [day(1), day(20)];
    for (from, to, today, expected) in [
        (from, to, day(21), Ok(())),
        (from, from, day(2), Ok(())),
        (to, from, day(21), Err(PeriodError::Backwards)),
        (from, to, day(20), Err(PeriodError::Open)),
        (from, to, day(1), Err(PeriodError::Open)),
        ("2025-10-17".parse().unwrap(), to, day(21), Ok(())),
        ("2025-10-16".parse().unwrap(), to, day(21), Err(PeriodError::Long)),
    ] {
        assert_eq!(period(from, to, today), expected, "{from} {to} {today}");
    }
}

#[test]
fn a_day_without_a_record_is_a_gap_and_never_filled() {
    let unreadable = DayRecord::Unreadable("not JSON".into());
    let records =
        vec![found(1, vec![source("kv-a", Some(25))]), (day(2), DayRecord::Missing), (day(3), unreadable)];
    let report = report(records);
    assert_eq!((report.from, report.to, report.recorded()), (day(1), day(3), 1));
    assert_eq!(report.gaps().collect::<Vec<_>>(), [day(2), day(3)]);
    assert_eq!(report.days[2].state, DayState::Gap { unreadable: Some("not JSON".into()) });
    assert_eq!((report.coverage.len(), report.sources[0].days), (1, 1), "nothing is said of the other days");
    assert_eq!(Report::new(Vec::new(), Vec::new()), None);
}

#[test]
fn the_worst_gap_of_a_source_is_the_greatest_of_its_days() {
    for (gaps, worst, uncovered) in [
        (vec![Some(25), Some(49), Some(26)], Some((49, 2)), 0),
        (vec![Some(25), Some(25)], Some((25, 1)), 0),
        (vec![None, Some(22)], Some((22, 2)), 1),
        (vec![None, None], None, 2),
    ] {
        let days = (1..).zip(&gaps);
        let report = report(days.map(|(number, gap)| found(number, vec![source("kv-a", *gap)])).collect());
        let row = &report.sources[0];
        let expected = worst.map(|(hours, number)| (hours * HOUR, day(number)));
        assert_eq!((row.worst, row.uncovered), (expected, uncovered), "{gaps:?}");
    }
}

#[test]
fn numbers_add_up_over_days_and_states_are_those_of_the_last() {
    let failure = |became| FailureSeen {
        object: Some(secret("db")),
        run: RunId::nightly(NIGHT),
        code: "Forbidden".into(),
        became,
        last_backup: None,
    };
    let dropped = || DropSeen {
        run: RunId::nightly(NIGHT),
        code: "by-policy".into(),
        why: "older".into(),
        by: Actor::TIMER,
    };
    let trouble = || TroubleSeen { code: "overdue".into(), text: "late".into() };
    let mut one = source("kv-a", Some(25));
    one.runs.succeeded = 1;
    one.failures = vec![failure(Became::Open)];
    one.more_failures = 2;
    one.dropped = vec![dropped()];
    one.troubles = vec![trouble()];
    let mut two = source("kv-a", Some(25));
    two.runs.partial = 2;
    two.failures = vec![failure(Became::Open), failure(Became::Accepted)];
    two.more_failures = 1;
    two.dropped = vec![dropped()];
    two.newest = Some(NIGHT + Duration::DAY);
    two.policy = None;
    let report = report(vec![found(1, vec![one]), found(2, vec![two, source("kv-b", Some(1))])]);
    let row = &report.sources[0];
    assert_eq!((row.runs.succeeded, row.runs.partial, row.runs.all()), (1, 2, 3));
    assert_eq!((row.open, row.dropped, row.troubled, row.days), (4, 2, 1, 2));
    assert_eq!((row.newest, report.sources.len()), (Some(NIGHT + Duration::DAY), 2));
    let [failures] = &report.failures[..] else { panic!("{:?}", report.failures) };
    assert_eq!((failures.first, failures.last, failures.days), (day(1), day(2), 2));
    assert_eq!((failures.became, report.unnamed), (Became::Accepted, 3));
    assert_eq!((report.drops.len(), report.drops[0].runs.len()), (1, 2));
    let policies: Vec<_> =
        report.policies.iter().map(|row| (row.policy.as_deref(), row.first, row.days)).collect();
    let within = Some("within=35");
    assert_eq!(policies, [(within, day(1), 1), (None, day(2), 1), (within, day(2), 1)]);
}

#[test]
fn a_report_about_some_sources_has_their_events_and_those_that_name_no_source() {
    let event = |name: &str, about: &[&str], at: OffsetDateTime| EventSeen {
        at,
        by: Actor::TERMINAL,
        event: name.into(),
        about: about.iter().map(|name| name.parse().unwrap()).collect(),
        text: about.join(" "),
    };
    let (at, later) = (NIGHT, NIGHT + Duration::HOUR);
    let mut record = found(22, vec![source("kv-a", Some(25)), source("kv-b", Some(99))]);
    let DayRecord::Found(evidence, _) = &mut record.1 else { unreachable!() };
    evidence.trail.events = vec![
        event("restore-ended", &[], later),
        event("restore-started", &["kv-b", "kv-a"], at),
        event("restore-approved", &["kv-a"], later),
        event("failure-accepted", &["kv-b"], at),
        event("loss-acknowledged", &["kv-a"], later),
    ];
    let report = Report::new(vec!["kv-a".parse().unwrap()], vec![record]).unwrap();
    let names: Vec<_> = report.events.iter().map(|row| (row.sort, row.event.as_str())).collect();
    let expected = [
        (Sort::Decision, "loss-acknowledged"),
        (Sort::Approval, "restore-approved"),
        (Sort::Restore, "restore-started"),
        (Sort::Restore, "restore-ended"),
    ];
    assert_eq!(names, expected);
    assert_eq!((report.sources.len(), report.coverage.len()), (1, 1));
    let DayState::Recorded { covered, .. } = report.days[0].state else { unreachable!() };
    assert_eq!(covered, (1, 1));
}
