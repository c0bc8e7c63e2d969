use time::macros::datetime;

use super::*;
use crate::domain::{
    acknowledged::{Acknowledged, Acknowledgement},
    actor::Actor,
    entry::Entry,
    form::{Clear, Form},
    hsm::Missing,
    location::Location,
    loss::{How, Loss},
    manifest::{Line, ObjectStatus, Summary},
    object::ObjectKind,
    observed_location::Moved,
    outcome::Failure,
    run::{Numbers, RunId, Scope, Verdict},
    samples::{NIGHT, hsm_backup, line, secret, summary as run},
    verification::{Fault, Finding, Suspects},
};

const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const DAY: Duration = Duration::DAY;

fn vault() -> SourceName {
    "kv-prod".parse().unwrap()
}

/// What the catalogue says of a vault that is well, as of a run of that time.
fn known(planned: OffsetDateTime) -> Known {
    let newest = Newest { last: Some(run(planned)), covering: Some(run(planned)), ..Newest::default() };
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
fn of_two_clocks_the_earlier_one_says_how_old_a_run_is() {
    let hour = Duration::HOUR;
    for (stored, expected) in
        [(None, NOW), (Some(NOW + hour), NOW), (Some(NOW), NOW), (Some(NOW - hour), NOW - hour)]
    {
        assert_eq!(Newest::of([(&run(NOW), stored)]).covered(), Some(expected), "{stored:?}");
    }
}

#[test]
fn the_newest_runs_are_those_of_the_whole_vault() {
    let covering = |days: i32| run(NOW - DAY * days);
    let unlisted = Numbers { unlisted: vec![ObjectKind::Key], ..Numbers::default() };
    let uncovered = |days: i32| Summary { numbers: unlisted.clone(), ..covering(days) };
    let partial = |days: i32| Summary { scope: Scope::Objects, ..covering(days) };
    for (runs, last, covered) in [
        (vec![], None, None),
        (vec![partial(0)], None, None),
        (vec![partial(0), covering(1), covering(2)], Some(1), Some(1)),
        (vec![uncovered(0), partial(1), covering(2), covering(3)], Some(0), Some(2)),
        (vec![uncovered(0), uncovered(1)], Some(0), None),
    ] {
        let newest = Newest::of(runs.iter().map(|run| (run, None)));
        let of = |days: Option<i32>| days.map(|days| NOW - DAY * days);
        assert_eq!(newest.last.as_ref().map(|run| run.planned), of(last), "{runs:?}");
        assert_eq!(newest.covered(), of(covered), "{runs:?}");
        let uncovered = newest.last.as_ref().filter(|_| last != covered).map(|run| &run.run);
        assert_eq!(newest.uncovered(), uncovered, "{runs:?}");
    }
}

#[test]
fn what_cannot_be_read_is_neither_well_nor_recent() {
    let state = SourceState::of_vault(&vault(), Err("torn".into()), 0, DAY, NOW);
    assert_eq!((state.is_ok(), state.is_overdue(), state.objects), (false, true, None));
    assert_eq!(state.troubles[0].to_string(), "its catalogue cannot be read: torn");
}

/// What a run found that a person may acknowledge.
fn found() -> (Loss, Moved) {
    let run = RunId::nightly(NIGHT);
    let loss = Loss {
        run: run.clone(),
        since: NIGHT,
        kind: None,
        how: How::Part,
        of: 5,
        gone: 5,
        still_gone: 5,
        replaced: 0,
    };
    (loss, Moved { run, since: NIGHT, from: Location::default(), to: Location::default() })
}

#[test]
fn every_trouble_is_named_the_most_urgent_first() {
    let (loss, moved) = found();
    let unlisted = Numbers { unlisted: vec![ObjectKind::Key, ObjectKind::Secret], ..Numbers::default() };
    let last = Summary { numbers: unlisted, ..run(NIGHT) };
    let mut known = Known {
        newest: Newest { last: Some(last), covering: Some(run(NOW - DAY * 2)), ..Newest::default() },
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
    let last = Summary { losses: vec![loss.clone()], moved: Some(Box::new(moved)), ..run(NOW) };
    let newest = || Newest::of([(&last, None)]);
    assert!(newest().has_findings() && !Newest::of([(&run(NOW), None)]).has_findings());
    let silence = Acknowledged::default();
    for of in [None, Some(&silence)] {
        assert_eq!(troubles(&Known::of(newest(), of)), ["many-objects-gone", "vault-moved"]);
    }
    let answered = Acknowledged { losses: vec![acknowledged(&loss.run)], ..silence };
    let answered = Known::of(newest(), Some(&answered));
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
    let Objects { protected, failing, without_backup, accepted, gone, unknown_forms, .. } = known.objects;
    assert_eq!((protected, failing, without_backup), (4, 2, 1));
    assert_eq!((accepted, gone, unknown_forms), (0, 1, 1));
    assert_eq!(known.failing.len(), 1, "only the first is kept");
    let text = Trouble::Failing { objects: failing, without_backup }.to_string();
    assert_eq!(text, "2 objects fail, of which 1 never had a backup");
}

#[test]
fn an_hsm_is_well_if_its_newest_good_backup_is_recent_and_the_last_one_did_not_fail() {
    let good = hsm_backup;
    let backup = |verdict, taken| HsmBackup { verdict, folder: None, ..hsm_backup(taken) };
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
        let state =
            SourceState::of_hsm(&"hsm-a".parse().unwrap(), both, 0, None, &Verified::default(), (DAY, NOW));
        assert_eq!(state.troubles.iter().map(Trouble::code).collect::<Vec<_>>(), expected);
        assert_eq!((state.is_hsm(), state.covered), (true, good.map(|good| good.taken())));
    }
}

#[test]
fn a_missing_copy_is_a_trouble_where_a_keeper_was_seen() {
    let missing = |why: Option<&str>| Copies {
        newest: None,
        missing: Some(Missing { since: NIGHT, why: why.map(str::to_owned) }),
    };
    let verified = |at| Verified { at, ..Verified::default() };
    let good = hsm_backup(NOW);
    let state = |of: &Verified| {
        let both = (Some(&good), Some(&good));
        SourceState::of_hsm(&"hsm-a".parse().unwrap(), both, 0, None, of, (DAY, NOW))
    };
    let unseen = state(&verified(None)).with_copies(missing(None));
    assert!(unseen.is_ok(), "no keeper, no copies: {:?}", unseen.troubles);
    let unreadable = Verified { unreadable: Some("it is damaged".into()), ..verified(None) };
    let seen = Copies { newest: Some(NIGHT), ..missing(None) };
    for (of, copies, copied) in [
        (verified(Some(NIGHT)), missing(None), None),
        (unreadable, missing(None), None),
        (verified(None), seen, Some(NIGHT)),
    ] {
        let state = state(&of).with_copies(copies);
        let codes: Vec<_> = state.troubles.iter().map(Trouble::code).collect();
        assert!(codes.contains(&"hsm-copy-missing"), "{codes:?}");
        assert_eq!(state.copied, copied);
        assert!(!state.troubles.last().unwrap().is_error());
    }
    let told = |why| state(&verified(Some(NIGHT))).with_copies(missing(why)).troubles[0].to_string();
    assert!(told(None).ends_with("or later has a write-once copy"), "{}", told(None));
    assert!(told(Some("too large")).ends_with("has a write-once copy: too large"));
}

#[test]
fn a_security_domain_is_waited_for_where_it_was_checked_once() {
    let good = hsm_backup(NOW);
    let hsm = "hsm-a".parse().unwrap();
    for (days, expected) in [(None, &[][..]), (Some(100), &[]), (Some(101), &["security-domain-unchecked"])] {
        let attested = days.map(|days| NOW - Duration::days(days));
        let both = (Some(&good), Some(&good));
        let state = SourceState::of_hsm(&hsm, both, 0, None, &Verified::default(), (DAY, NOW));
        let state = state.with_attestation(attested, NOW);
        let codes: Vec<_> = state.troubles.iter().map(Trouble::code).collect();
        assert_eq!((codes.as_slice(), state.attested), (expected, attested));
        assert!(!state.troubles.iter().any(Trouble::is_error));
    }
}

#[test]
fn what_verification_found_wrong_is_not_protected_and_what_is_newer_is_not_verified_yet() {
    let lines = ["a", "b", "c"].map(|name| line(&secret(name), ObjectStatus::BackedUp, NIGHT));
    let of = |line: &Line| line.entry.clone().unwrap();
    let finding = |entry: Entry| Finding {
        fault: Fault::Damaged,
        blob: String::new(),
        run: entry.run,
        kind: Some(entry.kind),
        name: Some(entry.name),
        newest: true,
        text: String::new(),
        since: NOW,
    };
    let suspects = Suspects::of(&[finding(of(&lines[0]))]);
    // When the last verification began; how many are protected, not verified yet, and damaged.
    for (at, expected) in [(None, (2, 0, 1)), (Some(NIGHT - DAY), (2, 2, 1)), (Some(NIGHT + DAY), (2, 0, 1))]
    {
        let mut known =
            Known { verified: Verified { at, suspects: suspects.clone(), unreadable: None }, ..known(NIGHT) };
        for line in &lines {
            known.note(line.clone(), None, 9, NOW);
        }
        let Objects { protected, not_verified, damaged, .. } = known.objects;
        assert_eq!((protected, not_verified, damaged), expected, "{at:?}");
        assert_eq!(troubles(&known), ["backups-damaged"]);
    }
    let unreadable = Verified { unreadable: Some("it is damaged".into()), ..Verified::default() };
    let known = Known { verified: unreadable, ..known(NIGHT) };
    assert_eq!(troubles(&known), ["verification-unreadable"]);
    let state = SourceState::of_vault(&"kv-prod".parse().unwrap(), Ok(&known), 0, DAY, NOW);
    assert_eq!(state.verified(), VerifiedAt::Unknown, "that there was none is not known");
}
