use time::macros::datetime;

use super::*;
use crate::domain::{
    acknowledged::Acknowledgement,
    actor::Actor,
    entry::Entry,
    form::{Clear, Form},
    hsm::{BACKUP_FORMAT, Folder},
    location::Location,
    loss::{How, Loss},
    manifest::{Line, ObjectStatus, Summary},
    observed_location::Moved,
    outcome::Failure,
    run::{Numbers, Scope, Verdict},
    samples::{NIGHT, line, secret},
};

const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const DAY: Duration = Duration::DAY;

fn vault() -> SourceName {
    "kv-prod".parse().unwrap()
}

/// A run of the whole vault, planned at that time.
fn run(planned: OffsetDateTime) -> Summary {
    Summary {
        v: 2,
        run: RunId::nightly(planned),
        scope: Scope::Vault,
        verdict: Verdict::Succeeded,
        numbers: Numbers::default(),
        late: None,
        planned,
        finished: planned,
        full_pass: planned,
        protected: 1,
        lines: 1,
        losses: Vec::new(),
        location: Box::default(),
        moved: None,
        unknown_form: None,
    }
}

/// What the catalogue says of a vault that is well, as of a run of that time.
fn known(planned: OffsetDateTime) -> Known {
    let newest = Newest { last: Some(run(planned)), covering: Some(run(planned)), held: None };
    Known { newest, ..Known::default() }
}

fn troubles(known: &Known) -> Vec<&'static str> {
    let state = SourceState::of_vault(&vault(), Ok(known), 0, DAY, NOW);
    state.troubles.iter().map(Trouble::code).collect()
}

fn failing(name: &str, status: ObjectStatus) -> Line {
    let failure = Failure::ours("Forbidden", "no");
    Line { failure: Some(failure), ..line(&secret(name), status, NIGHT) }
}

#[test]
fn a_vault_is_well_until_its_newest_covering_run_is_older_than_the_interval() {
    for (covered, expected) in
        [(NOW, vec![]), (NOW - DAY, vec![]), (NOW - DAY - Duration::SECOND, vec!["overdue"])]
    {
        assert_eq!(troubles(&known(covered)), expected, "{covered}");
        let held = Newest { covering: None, held: Some(covered), ..known(covered).newest };
        assert_eq!(troubles(&Known { newest: held, ..Known::default() }), expected, "held open, {covered}");
    }
    assert_eq!(troubles(&Known::default()), ["never-backed-up"], "silence is not well");
}

#[test]
fn what_cannot_be_read_is_neither_well_nor_recent() {
    let state = SourceState::of_vault(&vault(), Err("torn".into()), 0, DAY, NOW);
    assert_eq!((state.is_ok(), state.is_overdue(), state.objects), (false, true, None));
    assert_eq!(state.troubles[0].to_string(), "its catalogue cannot be read: torn");
}

#[test]
fn every_trouble_is_named_the_most_urgent_first() {
    let loss = Loss {
        run: RunId::nightly(NIGHT),
        since: NIGHT,
        kind: None,
        how: How::Part,
        of: 5,
        gone: 5,
        still_gone: 5,
        replaced: 0,
    };
    let place = || Location::default();
    let moved = Moved { run: RunId::nightly(NIGHT), since: NIGHT, from: place(), to: place() };
    let unlisted = Numbers { unlisted: vec![ObjectKind::Key, ObjectKind::Secret], ..Numbers::default() };
    let last = Summary { numbers: unlisted, ..run(NIGHT) };
    let mut known = Known {
        newest: Newest { last: Some(last), covering: Some(run(NOW - DAY * 2)), held: None },
        losses: vec![(loss.clone(), None)],
        moved: Some((Box::new(moved.clone()), None)),
        ..Known::default()
    };
    known.note(failing("db", ObjectStatus::Failed), None, 1, NOW);
    assert_eq!(
        troubles(&known),
        ["overdue", "many-objects-gone", "kinds-unlisted", "objects-failing", "vault-moved"]
    );
    let state = SourceState::of_vault(&vault(), Ok(&known), 0, DAY, NOW);
    let said: Vec<_> = state.troubles.iter().map(ToString::to_string).collect();
    assert_eq!(said[0], "the newest backup that covers it is of 2026-11-20 10:00Z; 24 hours are allowed");
    assert_eq!(said[2], "the newest run could not list its keys and secrets");
    assert_eq!(said[3], "1 object fails; each has an older backup");
    let acknowledged = |run: &RunId| Acknowledgement {
        v: 1,
        source: vault(),
        run: run.clone(),
        reason: "planned".parse().unwrap(),
        by: Actor::TERMINAL,
        at: NOW,
    };
    let answered = Known {
        newest: Newest { last: Some(run(NOW)), covering: Some(run(NOW)), held: None },
        losses: vec![(loss.clone(), Some(acknowledged(&loss.run)))],
        moved: Some((Box::new(moved.clone()), Some(acknowledged(&moved.run)))),
        ..Known::default()
    };
    assert!(troubles(&answered).is_empty(), "a person has answered for both");
}

#[test]
fn objects_are_counted_by_what_became_of_them() {
    let form = Form::Unknown(Clear { tag: None, header: Vec::new() });
    let odd = line(&secret("odd"), ObjectStatus::Unchanged, NIGHT);
    let odd = Line { entry: odd.entry.map(|entry| Entry { form, ..entry }), ..odd };
    let lines = [
        line(&secret("a"), ObjectStatus::Unchanged, NIGHT),
        line(&secret("b"), ObjectStatus::BackedUp, NIGHT),
        line(&secret("gone"), ObjectStatus::Gone, NIGHT),
        Line { entry: None, ..line(&secret("managed"), ObjectStatus::Managed, NIGHT) },
        Line { entry: None, ..failing("new", ObjectStatus::Failed) },
        failing("old", ObjectStatus::Failed),
        odd,
    ];
    let mut known = Known::default();
    for line in lines {
        known.note(line, None, 1, NOW);
    }
    let Objects { protected, failing, without_backup, accepted, gone, unknown_forms } = known.objects;
    assert_eq!((protected, failing, without_backup), (4, 2, 1));
    assert_eq!((accepted, gone, unknown_forms), (0, 1, 1));
    assert_eq!(known.failing.len(), 1, "only the first is kept");
    let text = Trouble::Failing { objects: failing, without_backup }.to_string();
    assert_eq!(text, "2 objects fail, of which 1 never had a backup");
}

#[test]
fn an_hsm_is_well_if_its_newest_good_backup_is_recent_and_the_last_one_did_not_fail() {
    let backup = |verdict, taken: OffsetDateTime| HsmBackup {
        v: BACKUP_FORMAT,
        hsm: "hsm-a".parse().unwrap(),
        run: RunId::nightly(taken),
        by: Actor::TIMER,
        opened: taken,
        started: None,
        ended: taken,
        job: None,
        verdict,
        folder: None,
        found: false,
        note: None,
        failure: None,
    };
    let folder = Folder { path: "f".into(), uri: None, time: None, blobs: 1, bytes: 1, written: None };
    let good = |taken| HsmBackup { folder: Some(folder.clone()), ..backup(Verdict::Succeeded, taken) };
    let table = [
        (None, None, vec!["never-backed-up"]),
        (Some(good(NOW)), Some(good(NOW)), vec![]),
        (Some(good(NOW - DAY)), Some(backup(Verdict::Failed, NOW)), vec!["last-backup-failed"]),
        (
            Some(good(NOW - DAY * 2)),
            Some(backup(Verdict::Failed, NOW)),
            vec!["overdue", "last-backup-failed"],
        ),
        (None, Some(backup(Verdict::Failed, NOW)), vec!["never-backed-up", "last-backup-failed"]),
    ];
    for (good, last, expected) in table {
        let both = (good.as_ref(), last.as_ref());
        let state = SourceState::of_hsm(&"hsm-a".parse().unwrap(), both, 0, None, (DAY, NOW));
        assert_eq!(state.troubles.iter().map(Trouble::code).collect::<Vec<_>>(), expected);
        assert_eq!((state.is_hsm(), state.covered), (true, good.map(|good| good.taken())));
    }
}
