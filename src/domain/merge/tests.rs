//! What becomes of each object, from its plan, its result and the index before.

mod losses;

use time::Duration;

use super::*;
use crate::domain::{
    acknowledged::Accepted,
    entry::Entry,
    form::Form,
    manifest::{KEEP_GONE, MANIFEST_FORMAT},
    object::ObjectKind,
    outcome::Outcome,
    run::{RunId, Scope, Verdict},
    samples::{NIGHT, entry, fingerprint, line, of_kind, secret},
};

const DAY: Duration = Duration::DAY;

/// The previous backup, and this run's.
fn old(id: &ObjectId) -> Entry {
    entry(id, NIGHT - DAY)
}

fn new(id: &ObjectId) -> Entry {
    entry(id, NIGHT + Duration::MINUTE)
}

fn before(status: ObjectStatus) -> Line {
    line(&secret("db"), status, NIGHT - DAY)
}

/// A line that has a backup of an earlier object alone.
fn former(status: ObjectStatus) -> Line {
    let line = before(status);
    Line { former: line.entry.map(Box::new), entry: None, ..line }
}

fn gone(since: OffsetDateTime) -> Line {
    Line { gone: Some(since), ..before(ObjectStatus::Gone) }
}

fn outcome(kind: OutcomeKind) -> ObjectResult {
    let failure = Failure::ours("Forbidden", "as the service says");
    ObjectResult::Outcome(Outcome::new(&secret("db"), kind, failure, NIGHT + Duration::HOUR))
}

fn backup(taken: OffsetDateTime) -> ObjectResult {
    ObjectResult::Entry(entry(&secret("db"), taken))
}

fn plan(objects: &[(ObjectId, Decision)]) -> Plan {
    let header = PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT);
    let planned = |(id, decision): &(ObjectId, Decision)| Planned::new(id.clone(), *decision);
    Plan { header, objects: objects.iter().map(planned).collect() }
}

/// Drives a merge as its contract says.
fn merged(plan: &Plan, results: Vec<ObjectResult>, base: Vec<Line>) -> (Vec<Line>, Summary) {
    let mut merge = Merge::new(plan, base.into_iter().map(Ok::<_, ()>));
    let mut lines = Vec::new();
    for result in results {
        while let Some(line) = merge.before(Some(&result.id())).unwrap() {
            lines.push(line);
        }
        lines.push(merge.with(result).unwrap());
    }
    while let Some(line) = merge.before(None).unwrap() {
        lines.push(line);
    }
    (lines, merge.finish())
}

/// The line of one object, if it has one.
fn of_one(plan: &Plan, result: Option<ObjectResult>, base: Option<Line>) -> Option<Line> {
    let (mut lines, _) = merged(plan, result.into_iter().collect(), base.into_iter().collect());
    assert!(lines.len() < 2, "{lines:?}");
    lines.pop()
}

#[test]
fn a_planned_object_fares_as_its_result_says_and_keeps_what_it_had() {
    use Decision::{Changed, FullPass, Managed, Unchanged, VaultManaged};
    let (at, apart) = (NIGHT + Duration::MINUTE, CLOCKS_APART);
    let early = NIGHT - apart - Duration::SECOND;
    // The decision, the result, the previous line; the status, the run of its backup, why it has no new one.
    let table = [
        (
            Changed,
            Some(backup(at)),
            Some(before(ObjectStatus::BackedUp)),
            ObjectStatus::BackedUp,
            Some(at),
            None,
        ),
        (
            Changed,
            Some(backup(at)),
            Some(former(ObjectStatus::Managed)),
            ObjectStatus::BackedUp,
            Some(at),
            None,
        ),
        (Changed, Some(backup(NIGHT - apart)), None, ObjectStatus::BackedUp, Some(NIGHT - apart), None),
        (Changed, Some(backup(early)), None, ObjectStatus::Failed, None, Some("TakenBeforePlanned")),
        (
            Changed,
            Some(outcome(OutcomeKind::Failed)),
            Some(before(ObjectStatus::BackedUp)),
            ObjectStatus::Failed,
            Some(NIGHT - DAY),
            Some("Forbidden"),
        ),
        (Changed, Some(outcome(OutcomeKind::Failed)), None, ObjectStatus::Failed, None, Some("Forbidden")),
        (
            Changed,
            Some(outcome(OutcomeKind::Disappeared)),
            None,
            ObjectStatus::Disappeared,
            None,
            Some("Forbidden"),
        ),
        (Changed, None, None, ObjectStatus::Failed, None, Some("NoOutcome")),
        (
            FullPass,
            None,
            Some(before(ObjectStatus::BackedUp)),
            ObjectStatus::Failed,
            Some(NIGHT - DAY),
            Some("NoOutcome"),
        ),
        (
            Unchanged,
            None,
            Some(before(ObjectStatus::Failed)),
            ObjectStatus::Unchanged,
            Some(NIGHT - DAY),
            None,
        ),
        (Unchanged, None, None, ObjectStatus::Failed, None, Some("EntryLost")),
        (Unchanged, None, Some(former(ObjectStatus::Managed)), ObjectStatus::Failed, None, Some("EntryLost")),
        (Managed, None, None, ObjectStatus::Managed, None, None),
        (Managed, None, Some(before(ObjectStatus::BackedUp)), ObjectStatus::Managed, None, None),
        (VaultManaged, None, Some(before(ObjectStatus::BackedUp)), ObjectStatus::VaultManaged, None, None),
    ];
    for (decision, result, base, status, taken, code) in table {
        let what = format!("{decision:?} {result:?} {base:?}");
        let line = of_one(&plan(&[(secret("db"), decision)]), result, base).unwrap();
        let found = (line.status, line.entry.map(|entry| entry.taken), line.failure.map(|of| of.code));
        assert_eq!(found, (status, taken, code.map(str::to_owned)), "{what}");
    }
}

#[test]
fn what_was_backed_up_under_the_name_of_what_is_managed_is_kept_apart() {
    for decision in [Decision::Managed, Decision::VaultManaged] {
        for base in [before(ObjectStatus::BackedUp), former(ObjectStatus::Managed)] {
            let line = of_one(&plan(&[(secret("db"), decision)]), None, Some(base)).unwrap();
            assert_eq!((line.entry, line.former), (None, Some(Box::new(old(&secret("db"))))));
        }
    }
}

#[test]
fn the_three_streams_come_out_as_one_in_order() {
    let (key, gone) = (of_kind(ObjectKind::Key, "a"), secret("b"));
    let (changed, unchanged, unplanned) = (secret("c"), secret("d"), secret("e"));
    let plan = plan(&[
        (key.clone(), Decision::New),
        (changed.clone(), Decision::Changed),
        (unchanged.clone(), Decision::Unchanged),
    ]);
    let base = [&gone, &changed, &unchanged].map(|id| line(id, ObjectStatus::BackedUp, NIGHT - DAY)).to_vec();
    // A result is never dropped, planned or not.
    let results = [&key, &changed, &unplanned].map(|id| ObjectResult::Entry(new(id))).to_vec();
    let (lines, summary) = merged(&plan, results, base);
    let found: Vec<_> = lines.iter().map(|line| (line.id(), line.status)).collect();
    let expected = [
        (key, ObjectStatus::BackedUp),
        (gone, ObjectStatus::Gone),
        (changed, ObjectStatus::BackedUp),
        (unchanged, ObjectStatus::Unchanged),
        (unplanned, ObjectStatus::BackedUp),
    ];
    assert_eq!(found, expected);
    assert_eq!((summary.lines, summary.protected), (5, 5));
}

#[test]
fn numbers_count_every_listed_object_once() {
    use Decision::{Changed, Managed, New, Unchanged, VaultManaged};
    let ids = ["a", "b", "c", "d", "e", "f"].map(secret);
    let decisions = [New, Unchanged, Managed, VaultManaged, Changed, Changed];
    let plan = plan(&ids.clone().into_iter().zip(decisions).collect::<Vec<_>>());
    let many = |id, versions| Entry { versions, ..new(id) };
    let known = |id, versions| Line {
        entry: Some(Entry { versions, ..old(id) }),
        ..line(id, ObjectStatus::BackedUp, NIGHT)
    };
    let of_form = |entry, tag: &str| Entry {
        form: Form::Unknown(Clear { tag: Some(tag.to_owned()), ..Clear::default() }),
        ..entry
    };
    let ended = |id, kind| {
        ObjectResult::Outcome(Outcome::new(id, kind, Failure::ours("Forbidden", ""), NIGHT + Duration::HOUR))
    };
    let results = vec![
        ObjectResult::Entry(of_form(many(&ids[0], VERSIONS_WARNING), "first")),
        ended(&ids[4], OutcomeKind::Failed),
        ended(&ids[5], OutcomeKind::Disappeared),
    ];
    let base = vec![
        known(&ids[1], VERSIONS_WARNING - 1),
        Line {
            entry: Some(of_form(Entry { versions: VERSIONS_WARNING, ..old(&ids[4]) }, "second")),
            ..line(&ids[4], ObjectStatus::BackedUp, NIGHT)
        },
        Line {
            entry: Some(of_form(old(&secret("z")), "gone")),
            ..line(&secret("z"), ObjectStatus::Gone, NIGHT - DAY)
        },
    ];
    let (lines, summary) = merged(&plan, results, base);
    let of = summary.numbers;
    let each = [of.backed_up, of.unchanged, of.managed, of.vault_managed, of.disappeared, of.failed];
    assert_eq!((of.listed, each, of.add_up()), (6, [1; 6], true), "what is not listed is in no number");
    assert_eq!((of.bytes, of.near_version_limit), (1000, 2), "bytes are those of new backups");
    let sample = summary.unknown_form.and_then(|clear| clear.tag);
    assert_eq!((of.unknown_form, sample.as_deref()), (2, Some("first")), "what failed keeps its backup");
    assert_eq!(
        (summary.lines as usize, summary.protected),
        (lines.len(), 4),
        "what is gone is protected too"
    );
    assert_eq!(summary.finished, NIGHT + Duration::HOUR, "when the last result came in");
}

#[test]
fn a_run_in_which_nothing_came_in_was_finished_when_it_was_planned() {
    let (_, summary) = merged(&plan(&[]), vec![], vec![]);
    assert_eq!((summary.finished, summary.v, summary.lines), (NIGHT, MANIFEST_FORMAT, 0));
    assert_eq!(summary.run, RunId::nightly(NIGHT));
    let (_, late) = merged(&plan(&[(secret("db"), Decision::New)]), vec![backup(NIGHT + DAY)], vec![]);
    assert_eq!((late.finished, late.verdict), (NIGHT + DAY, Verdict::Succeeded));
}

#[test]
fn a_failure_that_a_person_accepts_is_counted_as_such_beside_the_failures() {
    let mut plan = plan(&[(secret("db"), Decision::Changed), (secret("other"), Decision::Changed)]);
    plan.header.accepted = vec![Accepted {
        kind: ObjectKind::Secret,
        name: "db".parse().unwrap(),
        code: "NoOutcome".into(),
        until: NIGHT + DAY,
    }];
    let (_, summary) = merged(&plan, vec![], vec![]);
    assert_eq!((summary.numbers.failed, summary.numbers.accepted), (2, 1));
}

#[test]
fn a_plan_of_form_1_gets_the_manifest_that_its_program_wrote() {
    let form_1 = |objects: &[(ObjectId, Decision)]| {
        let mut plan = plan(objects);
        plan.header.v = 1;
        plan
    };
    let managed = form_1(&[(secret("db"), Decision::Managed)]);
    // Form 1 had one field for what is and what was.
    let older = Some(Box::new(entry(&secret("db"), NIGHT - DAY * 2)));
    let both = Line { former: older, ..before(ObjectStatus::BackedUp) };
    for base in [before(ObjectStatus::BackedUp), former(ObjectStatus::Managed), both] {
        let line = of_one(&managed, None, Some(base)).unwrap();
        assert_eq!(
            (line.status, line.entry, line.former),
            (ObjectStatus::Managed, Some(old(&secret("db"))), None)
        );
    }
    let line = of_one(&form_1(&[]), None, Some(former(ObjectStatus::Managed))).unwrap();
    assert_eq!((line.status, line.entry.is_some(), line.former), (ObjectStatus::Gone, true, None));
    let nothing = Line { entry: None, ..before(ObjectStatus::Failed) };
    assert_eq!(of_one(&form_1(&[]), None, Some(nothing)), None, "it dropped what had no backup");
    assert_eq!(merged(&form_1(&[]), vec![], vec![]).1.v, 1);
}

#[test]
fn an_index_that_cannot_be_read_ends_the_merge() {
    let plan = plan(&[(secret("db"), Decision::Unchanged)]);
    let mut merge = Merge::new(&plan, [Err("damaged")].into_iter());
    assert_eq!(merge.before(None), Err("damaged"));
    let mut merge = Merge::new(&plan, [Err("damaged")].into_iter());
    assert_eq!(merge.with(backup(NIGHT)), Err("damaged"));
}
