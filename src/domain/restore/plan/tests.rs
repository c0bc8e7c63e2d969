//! What is done for each object of a selection, or why nothing is done.

use std::collections::BTreeMap;

use time::Duration;

use super::*;
use crate::domain::{
    form::BlobFacts,
    location::{Fact, Location},
    restore::{OnDamaged, Selection},
    samples::{NIGHT, fingerprint, line, of_kind, secret},
    tags::Tags,
};

fn request(on_conflict: OnConflict, objects: &[ObjectId]) -> Request {
    let vault: crate::domain::source::SourceName = "kv-prod".parse().unwrap();
    let selection = Selection { objects: objects.to_vec(), ..Selection::default() };
    Request {
        source: vault.clone(),
        target: vault,
        at: None,
        first_version: false,
        selection,
        on_conflict,
        on_damaged: OnDamaged::Fail,
        other_place: false,
    }
}

fn backed_up(id: &ObjectId) -> Line {
    line(id, ObjectStatus::BackedUp, NIGHT)
}

fn without_backup(status: ObjectStatus) -> Line {
    Line { entry: None, ..line(&secret("db"), status, NIGHT) }
}

fn plan(request: &Request, lines: Vec<Line>, held: &BTreeMap<ObjectId, Held>) -> RestorePlan {
    let location = Location::default();
    let world = World { source: &location, target: &location, held, unusable: &BTreeMap::new() };
    plan_restore(request, lines.into_iter().map(Ok::<_, ()>), &world).unwrap()
}

fn holds(held: Option<Held>) -> BTreeMap<ObjectId, Held> {
    held.into_iter().map(|held| (secret("db"), held)).collect()
}

/// What becomes of the one object in a plan: its action, or why there is none and whether it is skipped.
fn of_one(plan: &RestorePlan) -> Option<Result<Action, (Reason, bool)>> {
    assert!(plan.steps.len() + plan.excluded.len() < 2, "{plan:?}");
    let step = plan.steps.first().map(|step| Ok(step.action));
    step.or_else(|| plan.excluded.first().map(|left| Err((left.reason, left.skipped))))
}

#[test]
fn a_name_in_the_target_is_free_taken_or_as_the_backup_has_it() {
    use OnConflict::{Fail, PurgeDeleted, RecoverDeleted, Skip};
    let (same, live) = (Held::Live(fingerprint("before")), Held::Live(fingerprint("after")));
    let (deleted, protected) = (Held::Deleted { purgeable: true }, Held::Deleted { purgeable: false });
    let table = [
        (None, Fail, Ok(Action::Restore)),
        (None, PurgeDeleted, Ok(Action::Restore)),
        (Some(same), Fail, Err((Reason::AlreadyThere, true))),
        (Some(live), Fail, Err((Reason::Live, false))),
        (Some(live), Skip, Err((Reason::Live, true))),
        (Some(live), RecoverDeleted, Err((Reason::Live, false))),
        (Some(live), PurgeDeleted, Err((Reason::Live, false))), // nothing in use is ever replaced
        (Some(Held::Managed), Fail, Err((Reason::Live, false))),
        (Some(deleted), Fail, Err((Reason::SoftDeleted, false))),
        (Some(deleted), Skip, Err((Reason::SoftDeleted, true))),
        (Some(deleted), RecoverDeleted, Ok(Action::Recover)),
        (Some(deleted), PurgeDeleted, Ok(Action::PurgeAndRestore)),
        (Some(protected), Fail, Err((Reason::PurgeProtected, false))),
        (Some(protected), Skip, Err((Reason::PurgeProtected, true))),
        (Some(protected), RecoverDeleted, Ok(Action::Recover)),
        (Some(protected), PurgeDeleted, Err((Reason::PurgeProtected, false))),
    ];
    for (held, on_conflict, expected) in table {
        let asked = request(on_conflict, &[secret("db")]);
        let found = plan(&asked, vec![backed_up(&secret("db"))], &holds(held));
        assert_eq!(of_one(&found), Some(expected), "{held:?} {on_conflict:?}");
    }
}

#[test]
fn nothing_is_purged_that_is_not_spelled_out() {
    let held = holds(Some(Held::Deleted { purgeable: true }));
    let found = plan(&request(OnConflict::PurgeDeleted, &[]), vec![backed_up(&secret("db"))], &held);
    assert_eq!(of_one(&found), Some(Err((Reason::NotSpelledOut, false))));
}

#[test]
fn nothing_is_purged_in_favour_of_a_backup_of_an_unknown_form() {
    let mut line = backed_up(&secret("db"));
    line.entry.as_mut().unwrap().form = Form::Unknown(Clear::default());
    let (deleted, asked) = (Held::Deleted { purgeable: true }, OnConflict::PurgeDeleted);
    let known = Form::Known(BlobFacts { kid: "k".into(), alg: "a".into(), enc: "e".into() });
    for (held, on_conflict, judged, expected) in [
        (None, asked, None, Ok(Action::Restore)),
        (Some(deleted), OnConflict::RecoverDeleted, None, Ok(Action::Recover)),
        (Some(deleted), asked, None, Err((Reason::UnknownForm, false))),
        // A newer program knows the form that the entry's program did not.
        (Some(deleted), asked, Some(&known), Ok(Action::PurgeAndRestore)),
    ] {
        let mut found = plan(&request(on_conflict, &[secret("db")]), vec![line.clone()], &holds(held));
        assert_eq!(found.steps[0].unknown_form.as_deref(), Some(&Clear::default()), "the plan says so");
        if let Some(form) = judged {
            found.steps[0].judged(form);
        }
        found.leave_unjudged_purges();
        assert_eq!(of_one(&found), Some(expected), "{held:?} {on_conflict:?}");
    }
}

fn location(facts: &str) -> Location {
    let mut facts = facts.split('/').map(Fact::new);
    let mut next = || facts.next().flatten();
    Location { tenant: next(), subscription: next(), geography: next() }
}

/// What becomes of a backup that was taken at this location.
fn of_taken_at(
    taken: &str,
    source: &str,
    target: &str,
    asked: &Request,
    held: Option<Held>,
) -> Result<Action, Reason> {
    let mut line = backed_up(&secret("db"));
    *line.entry.as_mut().unwrap().location = location(taken);
    let (source, target, held) = (location(source), location(target), holds(held));
    let world = World { source: &source, target: &target, held: &held, unusable: &BTreeMap::new() };
    let planned = plan_restore(asked, [Ok::<_, ()>(line)].into_iter(), &world).unwrap();
    of_one(&planned).unwrap().map_err(|(reason, skipped)| {
        assert!(!skipped, "it is in the way");
        reason
    })
}

#[test]
fn a_backup_does_not_leave_the_place_where_it_was_taken() {
    use Reason::{OtherPlace, OtherTenant};
    let restored = Ok(Action::Restore);
    // Where it was taken, where its source is by the settings, where the target is; and what becomes of it, without and
    // with the other location requested.
    let table = [
        ("t/s/g", "", "t/s/g", restored, restored),
        ("t/s/g", "", "", restored, restored), // what is not known is tried
        ("", "", "t/s/g", restored, restored),
        ("t/s/g", "", "u/s/g", Err(OtherTenant), Err(OtherTenant)),
        ("t/s/g", "", "u/r/h", Err(OtherTenant), Err(OtherTenant)),
        ("t/s/g", "", "t/r/g", Err(OtherPlace), restored),
        ("t/s/g", "", "t//h", Err(OtherPlace), restored),
        // The source has moved since: what counts is where it was.
        ("t/s/g", "/r/g", "t/s/g", restored, restored),
        ("t/s/g", "/r/g", "t/r/g", Err(OtherPlace), restored),
        // A backup that does not say: where the source is.
        ("t", "/s/g", "t/r/g", Err(OtherPlace), restored),
        ("", "t/s/g", "u/s/g", restored, restored),
    ];
    let asked = request(OnConflict::Fail, &[]);
    let all_the_same = Request { other_place: true, ..asked.clone() };
    for (taken, source, target, expected, expected_all_the_same) in table {
        let found = [&asked, &all_the_same].map(|asked| of_taken_at(taken, source, target, asked, None));
        assert_eq!(found, [expected, expected_all_the_same], "{taken} {source} {target}");
    }
}

#[test]
fn nothing_is_purged_for_a_backup_of_another_place_and_what_is_recovered_is_none() {
    let deleted = Some(Held::Deleted { purgeable: true });
    let live = Some(Held::Live(fingerprint("after")));
    for (on_conflict, held, expected) in [
        (OnConflict::PurgeDeleted, deleted, Err(Reason::OtherTenant)),
        (OnConflict::Fail, deleted, Err(Reason::OtherTenant)),
        (OnConflict::Fail, live, Err(Reason::OtherTenant)), // not "purge it first"
        (OnConflict::RecoverDeleted, deleted, Ok(Action::Recover)),
        (OnConflict::RecoverDeleted, None, Err(Reason::OtherTenant)),
    ] {
        let asked = request(on_conflict, &[secret("db")]);
        assert_eq!(of_taken_at("t", "", "u", &asked, held), expected, "{on_conflict:?} {held:?}");
    }
}

#[test]
fn a_line_is_restored_or_accounted_for_when_it_was_asked_for() {
    let has = |status| line(&secret("db"), status, NIGHT);
    let restored = Some(Ok(Action::Restore));
    let left = |reason, skipped| Some(Err((reason, skipped)));
    // The line, and what becomes of it if everything is requested, and if it is spelled out.
    let table = [
        (has(ObjectStatus::BackedUp), restored, restored),
        (has(ObjectStatus::Failed), restored, restored), // what it had before
        (has(ObjectStatus::Carried), restored, restored),
        (has(ObjectStatus::Gone), left(Reason::Gone, true), restored),
        (
            without_backup(ObjectStatus::Failed),
            left(Reason::NeverBackedUp, true),
            left(Reason::NeverBackedUp, true),
        ),
        (without_backup(ObjectStatus::Managed), None, left(Reason::Managed, false)),
        (without_backup(ObjectStatus::Gone), None, left(Reason::NoBackup, false)),
    ];
    for (line, of_everything, of_name) in table {
        let planned = |objects: &[ObjectId]| {
            of_one(&plan(&request(OnConflict::Fail, objects), vec![line.clone()], &BTreeMap::new()))
        };
        assert_eq!((planned(&[]), planned(&[secret("db")])), (of_everything, of_name), "{line:?}");
    }
    let mut asked = request(OnConflict::Fail, &[]);
    asked.selection.gone = true;
    assert_eq!(of_one(&plan(&asked, vec![has(ObjectStatus::Gone)], &BTreeMap::new())), restored);
}

#[test]
fn every_object_that_is_spelled_out_is_accounted_for_once() {
    let key = of_kind(ObjectKind::Key, "db");
    let asked = request(OnConflict::Fail, &[secret("new"), secret("db"), secret("DB"), key.clone()]);
    let found = plan(&asked, vec![backed_up(&secret("db")), backed_up(&secret("other"))], &BTreeMap::new());
    assert_eq!(found.steps.iter().map(Step::id).collect::<Vec<_>>(), [secret("db")]);
    let excluded: Vec<_> = found
        .excluded
        .iter()
        .map(|excluded| (excluded.kind, excluded.name.to_string(), excluded.reason))
        .collect();
    let expected = [
        (ObjectKind::Key, "db".to_owned(), Reason::OtherKind),
        (ObjectKind::Secret, "new".to_owned(), Reason::NoBackup),
    ];
    assert_eq!(excluded, expected);
    assert_eq!(found.conflicts().count(), 2);
}

#[test]
fn a_selection_takes_what_meets_all_that_it_asks_for() {
    let tags = |value: &str| BTreeMap::from([("team".to_owned(), value.to_owned())]);
    let mut tagged = backed_up(&secret("db-1"));
    tagged.entry.as_mut().unwrap().tags = tags("pay").into();
    let all = Selection::default;
    let table = [
        (all(), true),
        (Selection { objects: vec![secret("DB-1")], ..all() }, true),
        (Selection { kinds: vec![ObjectKind::Key, ObjectKind::Secret], ..all() }, true),
        (Selection { kinds: vec![ObjectKind::Key], ..all() }, false),
        (Selection { pattern: Some("DB-*".parse().unwrap()), ..all() }, true),
        (Selection { pattern: Some("db".parse().unwrap()), ..all() }, false),
        (Selection { tags: tags("pay"), ..all() }, true),
        (Selection { tags: tags("web"), ..all() }, false),
        (Selection { tags: tags("pay"), kinds: vec![ObjectKind::Key], ..all() }, false),
        (Selection { pattern: Some("db-*".parse().unwrap()), kinds: vec![ObjectKind::Key], ..all() }, false),
    ];
    for (selection, expected) in table {
        let asked = Request { selection, ..request(OnConflict::Fail, &[]) };
        let found = plan(&asked, vec![tagged.clone()], &BTreeMap::new());
        assert_eq!(found.steps.len(), usize::from(expected), "{:?}", asked.selection);
    }
}

#[test]
fn what_may_have_the_tags_is_undecided_and_what_is_named_beside_what_leaves_it_out_is_told_so() {
    let tags = |text: &str| -> BTreeMap<String, String> {
        text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect()
    };
    let has = |status, known: &str| {
        let mut line = line(&secret("db"), status, NIGHT);
        line.entry.iter_mut().for_each(|entry| entry.tags = Tags::part(tags(known)));
        line
    };
    let left = |reason, skipped| Some(Err((reason, skipped)));
    let (undecided, restored) = (left(Reason::TagsUnknown, false), Some(Ok(Action::Restore)));
    let (not, never) = (left(Reason::NotSelected, false), left(Reason::NeverBackedUp, true));
    // The line, the requested tag, and what becomes of it if it is not named, and if it is.
    let table = [
        (has(ObjectStatus::BackedUp, ""), "team=pay", undecided, undecided),
        (has(ObjectStatus::BackedUp, "cost=1"), "team=pay", undecided, undecided),
        (has(ObjectStatus::BackedUp, "team=pay"), "team=pay", restored, restored),
        (has(ObjectStatus::BackedUp, "team=web"), "team=pay", None, not),
        (has(ObjectStatus::BackedUp, ""), "", restored, restored),
        (has(ObjectStatus::Gone, ""), "team=pay", left(Reason::Gone, true), undecided),
        (has(ObjectStatus::Gone, "team=web"), "team=pay", None, not),
        (without_backup(ObjectStatus::Failed), "team=pay", never, never),
        (without_backup(ObjectStatus::Gone), "team=pay", None, left(Reason::NoBackup, false)),
    ];
    let all = Selection::default;
    for (line, tag, of_tag, of_name) in table {
        let planned = |selection: Selection| {
            let asked = Request { selection, ..request(OnConflict::Fail, &[]) };
            of_one(&plan(&asked, vec![line.clone()], &BTreeMap::new()))
        };
        let objects = vec![secret("db")];
        let tagged = Selection { tags: tags(tag), ..all() };
        assert_eq!(planned(tagged.clone()), of_tag, "{tag} {line:?}");
        assert_eq!(planned(Selection { objects, ..tagged.clone() }), of_name, "{tag} {line:?}");
        // Objects that the rest of the selection leaves out are not mentioned.
        assert_eq!(planned(Selection { kinds: vec![ObjectKind::Key], ..tagged }), None, "{tag} {line:?}");
    }
    let asked = |kind| Selection { objects: vec![secret("db")], kinds: vec![kind], ..all() };
    for (kind, expected) in [(ObjectKind::Key, not), (ObjectKind::Secret, restored)] {
        let asked = Request { selection: asked(kind), ..request(OnConflict::Fail, &[]) };
        assert_eq!(of_one(&plan(&asked, vec![backed_up(&secret("db"))], &BTreeMap::new())), expected);
    }
}

#[test]
fn a_plan_is_changed_by_what_the_executor_learns_and_by_nothing_else() {
    let held = holds(Some(Held::Deleted { purgeable: true }));
    let (db, cache) = (secret("db"), secret("cache"));
    let asked = request(OnConflict::PurgeDeleted, &[cache.clone(), db.clone()]);
    let mut found = plan(&asked, vec![backed_up(&cache), backed_up(&db)], &held);
    let before = found.digest();
    assert_eq!(found.digest(), plan(&asked, vec![backed_up(&cache), backed_up(&db)], &held).digest());
    let of_step = found.step(&db).map(|step| (step.id(), step.action, step.taken, step.run.clone()));
    assert_eq!(of_step, Some((db.clone(), Action::PurgeAndRestore, NIGHT, RunId::nightly(NIGHT))));
    found.leave(std::slice::from_ref(&db), Reason::MayNotPurge);
    assert_eq!((found.step(&db), found.step(&cache).map(Step::id)), (None, Some(cache.clone())));
    assert_eq!(
        found.excluded.iter().map(|left| (left.reason, left.skipped)).collect::<Vec<_>>(),
        [(Reason::MayNotPurge, false)]
    );
    assert_ne!(found.digest(), before);
    let later = line(&cache, ObjectStatus::BackedUp, NIGHT + Duration::DAY);
    assert_ne!(
        plan(&asked, vec![later, backed_up(&db)], &held).digest(),
        before,
        "another backup is another plan"
    );
}

#[test]
fn an_index_that_cannot_be_read_gives_no_plan() {
    let (location, held) = (Location::default(), BTreeMap::new());
    let world = World { source: &location, target: &location, held: &held, unusable: &BTreeMap::new() };
    let lines = [Ok(backed_up(&secret("db"))), Err("damaged")].into_iter();
    assert_eq!(plan_restore(&request(OnConflict::Fail, &[]), lines, &world), Err("damaged"));
}

#[test]
fn a_plan_is_bare_when_it_has_nothing_but_names_without_a_backup() {
    let (db, typo) = (secret("db"), secret("typo"));
    let key = of_kind(ObjectKind::Key, "db");
    // The objects that are spelled out, and the lines in the index.
    for (objects, lines, bare) in [
        (vec![], vec![], true),
        (vec![&typo], vec![], true),
        (vec![&typo], vec![backed_up(&db)], true),
        (vec![], vec![backed_up(&db)], false),
        (vec![&db, &typo], vec![backed_up(&db)], false),
        (vec![&db], vec![without_backup(ObjectStatus::Failed)], true), // it may be spelled out, or meant by its tags
        (vec![&db], vec![without_backup(ObjectStatus::Managed)], false),
        (vec![&key], vec![backed_up(&db)], false), // of another kind there is one
        (vec![&key], vec![without_backup(ObjectStatus::Failed)], true), // there is none of another kind either
    ] {
        let objects: Vec<_> = objects.into_iter().cloned().collect();
        let found = plan(&request(OnConflict::Fail, &objects), lines, &BTreeMap::new());
        assert_eq!(found.is_bare(), bare, "{found:?}");
    }
}
