//! The pure part of a manifest, on random inputs: a plan, its results and the index before, against what
//! one would write down by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use keyvault_backup::domain::{
    digest::{Digest, Fingerprint},
    entry::{ENTRY_FORMAT, Entry},
    folded::{Folded, fold_line},
    form::{BlobFacts, Form},
    index::Index,
    manifest::{Line, ObjectResult, ObjectStatus, Summary},
    merge::Merge,
    object::{ObjectId, ObjectKind},
    outcome::{Failure, Outcome, OutcomeKind},
    plan::{Plan, PlanHeader, Unlisted},
    planned::{Decision, Planned},
    planner::Planner,
    run::{RunId, Scope},
    tags::Tags,
    versions::Listed,
};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-01-10 02:00 UTC);

fn id((kind, name): (usize, u8)) -> ObjectId {
    ObjectId::new(ObjectKind::ALL[kind % 3], format!("n-{name}").parse().expect("a name"))
}

/// A backup so many hours before now, of an object that looked like `looks`.
fn entry(id: &ObjectId, hours: i64, looks: u8) -> Entry {
    let taken = NOW - Duration::hours(hours);
    Entry {
        v: ENTRY_FORMAT,
        vault: "kv-a".parse().expect("a name"),
        kind: id.kind,
        name: id.name.clone(),
        run: RunId::nightly(taken),
        taken,
        sha256: Digest::of(b""),
        bytes: 7,
        form: Form::Known(BlobFacts { kid: "k".into(), alg: "a".into(), enc: "e".into() }),
        region: None,
        location: Box::default(),
        versions: 1,
        newest: "0".parse().expect("a version"),
        version_ids: Fingerprint::of(b""),
        version_states: Fingerprint::of(b""),
        order: None,
        fingerprint: Fingerprint::of(&[looks]),
        ties: Vec::new(),
        unsettled: false,
        enabled: true,
        expires: None,
        tags: Tags::default(),
        previous: None,
        stored: None,
    }
}

fn line(id: &ObjectId, status: ObjectStatus, entry: Entry) -> Line {
    Line::new(id.clone(), status, Some(entry))
}

fn header(unlisted: &[ObjectKind]) -> PlanHeader {
    let unlisted = unlisted.iter().map(|&kind| Unlisted::for_good(kind, Failure::ours("no", "no")));
    let vault = "kv-a".parse().expect("a name");
    PlanHeader {
        unlisted: unlisted.collect(),
        ..PlanHeader::new(vault, RunId::nightly(NOW), Scope::Vault, NOW)
    }
}

/// An object in all its aspects.
#[derive(Clone, Debug)]
struct Object {
    /// How it looked when it was last backed up, if it was.
    known: Option<u8>,
    /// How the list shows it, if it does, and whether it belongs to a certificate.
    listed: Option<(u8, bool)>,
    /// What comes of its backup, if it is due.
    result: u8,
}

fn objects() -> impl Strategy<Value = BTreeMap<(usize, u8), Object>> {
    let object = (prop::option::of(0..3_u8), prop::option::of((0..3_u8, prop::bool::weighted(0.2))), 0..4_u8);
    let object = object.prop_map(|(known, listed, result)| Object { known, listed, result });
    prop::collection::btree_map((0..3_usize, 0..40_u8), object, 0..40)
}

/// Drives a merge as closing a run does.
fn merge(plan: &Plan, before: Vec<Line>, results: Vec<ObjectResult>) -> (Vec<Line>, Summary) {
    let before = before.into_iter().map(Ok::<_, Infallible>);
    let (mut merge, mut lines) = (Merge::new(plan, before), Vec::new());
    for result in results {
        while let Ok(Some(line)) = merge.before(Some(&result.id())) {
            lines.push(line);
        }
        lines.extend(merge.with(result));
    }
    while let Ok(Some(line)) = merge.before(None) {
        lines.push(line);
    }
    (lines, merge.finish())
}

fn status(decision: Decision, result: u8) -> ObjectStatus {
    match (decision, result) {
        (Decision::Managed, _) => ObjectStatus::Managed,
        (Decision::VaultManaged, _) => ObjectStatus::VaultManaged,
        (Decision::Unchanged, _) => ObjectStatus::Unchanged,
        (_, 0) => ObjectStatus::BackedUp,
        (_, 1) => ObjectStatus::Disappeared,
        (_, _) => ObjectStatus::Failed,
    }
}

fn result(id: &ObjectId, result: u8) -> Option<ObjectResult> {
    let outcome = |kind| Outcome::new(id, kind, Failure::ours("no", "no"), NOW);
    match result {
        0 => Some(ObjectResult::Entry(entry(id, 0, 0))),
        1 => Some(ObjectResult::Outcome(outcome(OutcomeKind::Disappeared))),
        2 => Some(ObjectResult::Outcome(outcome(OutcomeKind::Failed))),
        // Nothing came of it: as good as failed.
        _ => None,
    }
}

#[test]
fn a_backup_from_before_its_plan_is_no_backup_of_its_run() {
    let (early, skewed) = (id((0, 0)), id((0, 1)));
    let mut index = Index::default();
    let before: Vec<_> =
        [&early, &skewed].map(|id| line(id, ObjectStatus::BackedUp, entry(id, 24, 0))).into();
    for line in &before {
        index.insert(line);
    }
    let mut planner = Planner::new(&index, false);
    for id in [&early, &skewed] {
        planner.add(Listed { id: id.clone(), managed: false, fingerprint: Fingerprint::of(&[1]) });
    }
    let plan = Plan { header: header(&[]), objects: planner.finish(&[]) };
    let taken = |id, minutes| {
        let taken = NOW - Duration::minutes(minutes);
        ObjectResult::Entry(Entry { taken, ..entry(id, 0, 1) })
    };
    let (lines, summary) = merge(&plan, before, vec![taken(&early, 6), taken(&skewed, 5)]);
    assert_eq!([lines[0].status, lines[1].status], [ObjectStatus::Failed, ObjectStatus::BackedUp]);
    let (failure, kept) = (lines[0].failure.as_ref(), lines[0].entry.as_ref());
    assert_eq!(failure.map(|of| of.code.as_str()), Some("TakenBeforePlanned"));
    assert_eq!(kept.map(|entry| entry.taken), Some(NOW - Duration::DAY), "the one before stays");
    assert!(summary.numbers.add_up());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_manifest_is_what_one_would_write_by_hand(
        objects in objects(),
        unlisted in prop::sample::subsequence(ObjectKind::ALL.to_vec(), 0..=2),
        full: bool,
    ) {
        let objects: BTreeMap<ObjectId, Object> = objects.into_iter().map(|(key, object)| (id(key), object)).collect();
        let is_listed = |id: &ObjectId| !unlisted.contains(&id.kind);
        let before: Vec<Line> = objects.iter()
            .filter_map(|(id, object)| Some(line(id, ObjectStatus::BackedUp, entry(id, 24, object.known?))))
            .collect();
        let mut index = Index::default();
        for line in &before {
            index.insert(line);
        }
        // Pages overlap when objects come and go between them: some objects are listed twice.
        let listed = objects.iter().filter(|(id, _)| is_listed(id)).filter_map(|(id, object)| {
            let (looks, managed) = object.listed?;
            Some(Listed { id: id.clone(), managed, fingerprint: Fingerprint::of(&[looks]) })
        });
        let listed: Vec<_> = listed.clone().chain(listed.step_by(3)).collect();
        let mut planner = Planner::new(&index, full);
        for listed in listed {
            planner.add(listed);
        }
        let plan = Plan { header: header(&unlisted), objects: planner.finish(&[]) };
        for planned in &plan.objects {
            let object = &objects[&planned.id()];
            let (looks, managed) = object.listed.expect("it is listed");
            let due = full || object.known != Some(looks);
            prop_assert_eq!(planned.decision.backs_up(), due && !managed);
        }

        let results = plan.to_back_up().filter_map(|planned| result(&planned.id(), objects[&planned.id()].result));
        let (lines, summary) = merge(&plan, before, results.collect());

        let ids: Vec<_> = lines.iter().map(Line::id).collect();
        prop_assert!(ids.is_sorted_by(|a, b| a < b), "each once, in order");
        let decisions: BTreeMap<_, _> = plan.objects.iter().map(|of| (of.id(), of.decision)).collect();
        for line in &lines {
            let object = &objects[&line.id()];
            let expected = match decisions.get(&line.id()) {
                Some(decision) => status(*decision, object.result),
                None if is_listed(&line.id()) => ObjectStatus::Gone,
                None => ObjectStatus::Carried,
            };
            prop_assert_eq!(line.status, expected);
            let has = object.known.is_some() || expected == ObjectStatus::BackedUp;
            let managed = expected.is_managed();
            prop_assert_eq!((line.entry.is_some(), line.former.is_some()), (has && !managed, has && managed));
        }
        let expected: BTreeSet<_> = objects.iter()
            .filter(|(id, object)| object.known.is_some() || (is_listed(id) && object.listed.is_some()))
            .map(|(id, _)| id.clone())
            .collect();
        prop_assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected, "nothing is lost");
        prop_assert!(summary.numbers.add_up());
        prop_assert_eq!(summary.numbers.listed as usize, plan.objects.len());
        prop_assert_eq!(summary.lines as usize, lines.len());
        prop_assert_eq!(summary.protected as usize, lines.iter().filter(|line| line.entry.is_some()).count());
    }

    #[test]
    fn folding_keeps_the_newest_of_each(
        base in prop::collection::btree_map((0..3_usize, 0..20_u8), 1..50_i64, 0..30),
        folds in prop::collection::vec(((0..3_usize, 0..20_u8), 1..50_i64), 0..30),
        planned in 1..50_i64,
    ) {
        let base: BTreeMap<ObjectId, i64> = base.into_iter().map(|(key, hours)| (id(key), hours)).collect();
        let mut expected = base.clone();
        let (mut later, mut gone) = (BTreeMap::new(), BTreeSet::new());
        let mut newest = BTreeMap::<ObjectId, i64>::new();
        for (key, hours) in folds {
            let id = id(key);
            fold_line(&mut later, line(&id, ObjectStatus::BackedUp, entry(&id, hours, 0)));
            newest.entry(id).and_modify(|known| *known = hours.min(*known)).or_insert(hours);
        }
        for (id, hours) in newest {
            let known = expected.get(&id).copied();
            // What the base does not know, although it was planned after the backup, was gone by then.
            if known.is_none() && hours >= planned {
                gone.insert(id.clone());
            }
            expected.insert(id, known.map_or(hours, |known| hours.min(known)));
        }
        let base = base.iter().map(|(id, hours)| Ok::<_, Infallible>(line(id, ObjectStatus::BackedUp, entry(id, *hours, 0))));
        let header = PlanHeader { planned: NOW - Duration::hours(planned), ..header(&[]) };
        let folded = Folded::new(base, later, Some(&header));
        let folded: Vec<_> = folded.flatten().collect();
        prop_assert!(folded.is_sorted_by(|a, b| a.id() < b.id()));
        for line in &folded {
            let since = gone.contains(&line.id()).then_some(header.planned);
            prop_assert_eq!((line.status == ObjectStatus::Gone, line.gone), (since.is_some(), since));
        }
        let folded = folded.into_iter().map(|line| (line.id(), (NOW - line.entry.expect("an entry").taken).whole_hours()));
        prop_assert_eq!(folded.collect::<BTreeMap<_, _>>(), expected);
    }
}

/// A backup that was taken before the whole run was planned, by a run that closed after that.
#[test]
fn an_earlier_backup_does_not_bring_an_object_back() {
    let (known, unknown) = (id((2, 1)), id((2, 2)));
    let fold = |header: &PlanHeader| {
        let mut later = BTreeMap::new();
        for id in [&known, &unknown] {
            fold_line(&mut later, line(id, ObjectStatus::BackedUp, entry(id, 1, 0)));
        }
        let base = Line { gone: Some(NOW), ..line(&known, ObjectStatus::Gone, entry(&known, 24, 0)) };
        let lines = Folded::new([Ok::<_, Infallible>(base)].into_iter(), later, Some(header));
        let say = |line: Line| (line.status, line.entry.expect("an entry").taken == NOW - Duration::HOUR);
        lines.flatten().map(say).collect::<Vec<_>>()
    };
    assert_eq!(fold(&header(&[])), [(ObjectStatus::Gone, true), (ObjectStatus::Gone, true)]);
    assert_eq!(fold(&header(&[known.kind])), [(ObjectStatus::Gone, true), (ObjectStatus::Carried, true)]);
}

/// What is decided about each listed object, in order.
fn decided(listed: &[(ObjectKind, &str, u8)], index: &Index, unlisted: &[Unlisted]) -> Vec<Decision> {
    let mut planner = Planner::new(index, false);
    for (kind, name, looks) in listed {
        let (id, managed) = (ObjectId::new(*kind, name.parse().expect("a name")), *looks == 0);
        planner.add(Listed { id, managed, fingerprint: Fingerprint::of(&[*looks]) });
    }
    planner.finish(unlisted).iter().map(|planned| planned.decision).collect()
}

#[test]
fn what_is_managed_belongs_to_a_certificate_only_if_there_is_one() {
    let [certificate, key, secret] = ObjectKind::ALL;
    let listed = [(key, "tls", 0), (secret, "sas", 0), (secret, "TLS", 0), (certificate, "Tls", 1)];
    let decide = |unlisted: &[ObjectKind]| decided(&listed, &Index::default(), &header(unlisted).unlisted);
    let (managed, alone) = (Decision::Managed, Decision::VaultManaged);
    assert_eq!(decide(&[]), [Decision::New, managed, alone, managed]);
    assert_eq!(decide(&[key]), [Decision::New, alone, managed]);
    assert_eq!(decide(&[certificate]), [managed; 3], "who knows");
}

#[test]
fn an_object_that_looks_like_any_of_its_newest_versions_is_unchanged() {
    let id = id((2, 1));
    let mut index = Index::default();
    let ties = vec![Fingerprint::of(&[2])];
    index.insert(&line(&id, ObjectStatus::BackedUp, Entry { ties, ..entry(&id, 24, 1) }));
    let decide = |looks| decided(&[(id.kind, id.name.as_str(), looks)], &index, &[])[0];
    assert_eq!([1, 2, 3].map(decide), [Decision::Unchanged, Decision::Unchanged, Decision::Changed]);
}

/// A plain secret was backed up; now the name is a certificate's, then nothing's, then a secret's again.
#[test]
fn the_backup_of_an_earlier_object_is_carried_beside_the_line_and_never_as_its_entry() {
    let name = id((2, 1));
    let old = entry(&name, 48, 0);
    let decide =
        |before: &Line, looks| decided(&[(name.kind, name.name.as_str(), looks)], &indexed(before), &[])[0];
    let next = |v, before: Line, decision: Option<Decision>, unlisted: &[ObjectKind]| {
        let planned = decision.map(|decision| Planned::new(name.clone(), decision));
        let header = PlanHeader { v, ..header(unlisted) };
        let plan = Plan { header, objects: planned.into_iter().collect() };
        let (lines, summary) = merge(&plan, vec![before], Vec::new());
        assert_eq!(summary.v, v);
        (lines.into_iter().next().expect("it is kept"), summary.protected)
    };
    let plain = line(&name, ObjectStatus::BackedUp, old.clone());
    let (managed, protected) = next(2, plain.clone(), Some(Decision::Managed), &[]);
    let carried = |line: &Line| (line.status, line.entry.clone(), line.former.as_deref().cloned());
    assert_eq!((carried(&managed), protected), ((ObjectStatus::Managed, None, Some(old.clone())), 0));
    for (unlisted, gone) in [(&[][..], Some(NOW)), (&[name.kind], None)] {
        let (former, protected) = next(2, managed.clone(), None, unlisted);
        assert_eq!((carried(&former), protected), ((ObjectStatus::Former, None, Some(old.clone())), 0));
        assert_eq!(former.gone, gone);
        assert_eq!(decide(&former, 1), Decision::New, "there is no backup of what is there now");
    }
    let (failed, _) = next(2, managed.clone(), Some(Decision::New), &[]);
    assert_eq!(carried(&failed), (ObjectStatus::Failed, None, Some(old.clone())));
    assert_eq!(indexed(&managed).get(&name).map(|known| known.run), Some(old.run.clone()), "they are linked");

    // A plan of form 1 makes what the program of that time made, of whatever form the index before it is.
    for before in [plain, managed.clone()] {
        let (line, protected) = next(1, before, Some(Decision::Managed), &[]);
        assert_eq!((carried(&line), protected), ((ObjectStatus::Managed, Some(old.clone()), None), 1));
        assert_eq!(line.of_form(1), managed);
    }
    assert_eq!(carried(&next(1, managed, None, &[]).0), (ObjectStatus::Gone, Some(old), None));
}

fn indexed(line: &Line) -> Index {
    let mut index = Index::default();
    index.insert(line);
    index
}

/// By a run that was planned before the whole one, in which the name is a certificate's, and closed after it.
#[test]
fn a_late_backup_of_an_earlier_object_is_none_of_what_is_there_now() {
    let name = id((2, 1));
    let late = entry(&name, 1, 0);
    let mut later = BTreeMap::new();
    fold_line(&mut later, line(&name, ObjectStatus::BackedUp, late.clone()));
    let base = Line::new(name, ObjectStatus::Managed, None);
    let lines = Folded::new([Ok::<_, Infallible>(base)].into_iter(), later, Some(&header(&[])));
    let lines: Vec<_> = lines.flatten().map(|line| (line.status, line.entry, line.former)).collect();
    assert_eq!(lines, [(ObjectStatus::Managed, None, Some(Box::new(late)))]);
}
