//! What a run counts of the objects in the previous index, and which losses it leaves open.

use time::Duration;

use super::*;
use crate::domain::{
    manifest::{Later, ObjectStatus},
    outcome::Failure,
    plan::Unlisted,
    run::RunId,
    samples::{self, NIGHT, of_kind, secret},
};

const LAST_WEEK: OffsetDateTime = NIGHT.saturating_sub(Duration::WEEK);

fn line(status: ObjectStatus) -> Line {
    samples::line(&secret("db"), status, LAST_WEEK)
}

/// An object that existed when the previous index was made.
fn there(kind: ObjectKind) -> Had {
    Had::of(&samples::line(&of_kind(kind, "a"), ObjectStatus::BackedUp, LAST_WEEK)).unwrap()
}

/// An object that has been gone since then.
fn gone_since(kind: ObjectKind, since: OffsetDateTime) -> Had {
    Had::of(&Line { gone: Some(since), ..samples::line(&of_kind(kind, "a"), ObjectStatus::Gone, LAST_WEEK) })
        .unwrap()
}

/// What a run sees: for each item, a number of objects and what is shown of each.
fn watch(seen: &[(u32, Had, Shown)]) -> Watch {
    let mut watch = Watch::default();
    for (count, had, shown) in seen {
        for _ in 0..*count {
            watch.had(*had, *shown);
        }
    }
    watch
}

fn header() -> PlanHeader {
    PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT)
}

fn numbers(watch: &Watch) -> (u32, u32) {
    let mut numbers = Numbers::default();
    watch.number(&mut numbers);
    (numbers.gone, numbers.returned)
}

/// Ten objects that were gone at once a week ago.
fn loss(kind: Option<ObjectKind>) -> Loss {
    Loss {
        run: RunId::nightly(LAST_WEEK),
        since: LAST_WEEK,
        kind,
        how: How::Part,
        of: 20,
        gone: 10,
        still_gone: 10,
        replaced: 0,
    }
}

#[test]
fn what_belongs_to_another_object_is_not_watched() {
    for status in [ObjectStatus::Managed, ObjectStatus::VaultManaged, ObjectStatus::Former] {
        assert!(Had::of(&line(status)).is_none(), "{status:?}");
    }
    for status in [
        ObjectStatus::BackedUp,
        ObjectStatus::Unchanged,
        ObjectStatus::Failed,
        ObjectStatus::Disappeared,
        ObjectStatus::Carried,
        ObjectStatus::Gone,
    ] {
        assert!(Had::of(&line(status)).is_some(), "{status:?}");
    }
}

#[test]
fn a_name_that_is_shown_is_told_by_what_is_known_of_its_object() {
    use Shown::{Gone, Other, Same, Unclear, Unlisted};
    let later = |gone, same| Line { later: Some(Later { gone, same }), ..line(ObjectStatus::BackedUp) };
    let gone = |entry: bool| {
        let line = line(ObjectStatus::Gone);
        Line { gone: Some(LAST_WEEK), entry: line.entry.filter(|_| entry), ..line }
    };
    let never_backed_up = Line { entry: None, ..line(ObjectStatus::Failed) };
    for (line, shown, expected) in [
        // What a run sees counts, as long as nothing else is known,
        (
            line(ObjectStatus::BackedUp),
            [Gone, Unlisted, Same, Other, Unclear],
            [Gone, Unlisted, Same, Other, Unclear],
        ),
        (later(None, true), [Gone, Unlisted, Same, Other, Unclear], [Gone, Unlisted, Same, Other, Unclear]),
        (gone(true), [Gone, Unlisted, Same, Other, Unclear], [Gone, Unlisted, Same, Other, Unclear]),
        (never_backed_up, [Gone, Unlisted, Same, Other, Unclear], [Gone, Unlisted, Same, Other, Unclear]),
        // but a backup in between may have shown that the name belongs to another object,
        (later(None, false), [Gone, Unlisted, Same, Other, Unclear], [Gone, Unlisted, Other, Other, Other]),
        // and an object that was gone and never backed up can be compared with nothing.
        (gone(false), [Gone, Unlisted, Same, Other, Unclear], [Gone, Unlisted, Same, Other, Same]),
    ] {
        let had = Had::of(&line).unwrap();
        assert_eq!(shown.map(|shown| had.judged(shown)), expected, "{line:?}");
    }
}

#[test]
fn since_when_an_object_was_gone_is_kept_until_it_is_told_from_others() {
    let returned = Line { returned: Some(LAST_WEEK), ..line(ObjectStatus::Unchanged) };
    let gone = Line { gone: Some(LAST_WEEK), ..line(ObjectStatus::Gone) };
    for (line, shown, expected) in [
        (&gone, Shown::Unclear, Some(LAST_WEEK)),
        (&returned, Shown::Unclear, Some(LAST_WEEK)),
        (&gone, Shown::Same, None),
        (&gone, Shown::Other, None),
        (&gone, Shown::Gone, None),
        (&line(ObjectStatus::BackedUp), Shown::Unclear, None),
    ] {
        assert_eq!(Had::of(line).unwrap().unclear_since(shown), expected, "{line:?} {shown:?}");
    }
}

#[test]
fn an_object_is_gone_once_and_returns_once() {
    let (there, gone) = (there(ObjectKind::Secret), gone_since(ObjectKind::Secret, LAST_WEEK));
    let noted = Line { returned: Some(LAST_WEEK), ..line(ObjectStatus::Unchanged) };
    let backed_up_since = Later { gone: Some(LAST_WEEK), same: true };
    let backed_up_since = Line { later: Some(backed_up_since), ..line(ObjectStatus::BackedUp) };
    let (noted, backed_up_since) = (Had::of(&noted).unwrap(), Had::of(&backed_up_since).unwrap());
    // Gone, returned.
    for (had, shown, expected) in [
        (there, Shown::Gone, (1, 0)),
        (there, Shown::Unlisted, (0, 0)),
        (there, Shown::Same, (0, 0)),
        (there, Shown::Other, (0, 0)),
        (there, Shown::Unclear, (0, 0)),
        (gone, Shown::Gone, (0, 0)),
        (gone, Shown::Unlisted, (0, 0)),
        (gone, Shown::Same, (0, 1)),
        (gone, Shown::Other, (0, 1)),
        (gone, Shown::Unclear, (0, 1)),
        (noted, Shown::Same, (0, 0)), // an earlier run has counted it
        (backed_up_since, Shown::Same, (0, 1)),
    ] {
        assert_eq!(numbers(&watch(&[(1, had, shown)])), expected, "{had:?} {shown:?}");
    }
    let (key, secret) = (gone_since(ObjectKind::Key, LAST_WEEK), gone);
    let several = [(2, there, Shown::Gone), (3, key, Shown::Same), (4, secret, Shown::Other)];
    assert_eq!(numbers(&watch(&several)), (2, 7), "over all kinds");
}

#[test]
fn a_loss_stays_open_until_everything_of_it_is_back() {
    use ObjectKind::{Key, Secret};
    let (key, secret) = (gone_since(Key, LAST_WEEK), gone_since(Secret, LAST_WEEK));
    let others = gone_since(Key, LAST_WEEK + Duration::DAY);
    // What the run sees of ten objects; how many are still gone, and how many were replaced.
    let table: [(Option<ObjectKind>, &[_], _); 11] = [
        (None, &[(10, key, Shown::Gone)], Some((10, 0))),
        (None, &[(10, key, Shown::Unlisted)], Some((10, 0))),
        (None, &[(10, key, Shown::Unclear)], Some((10, 0))),
        (None, &[(9, key, Shown::Same), (1, key, Shown::Gone)], Some((1, 0))),
        (None, &[(4, key, Shown::Same), (6, secret, Shown::Gone)], Some((6, 0))),
        (None, &[(4, key, Shown::Same), (6, secret, Shown::Same)], None),
        (None, &[(8, key, Shown::Same), (2, secret, Shown::Other)], Some((0, 2))),
        (Some(Key), &[(10, key, Shown::Same)], None),
        (Some(Key), &[(10, secret, Shown::Same)], Some((10, 0))), // another kind
        (None, &[(10, others, Shown::Same)], Some((10, 0))),      // gone since another run
        (None, &[], Some((10, 0))),                               // what left the index is not back
    ];
    for (kind, seen, expected) in table {
        let header = PlanHeader { losses: vec![loss(kind)], ..header() };
        let open = watch(seen).losses(&header);
        let found = open.first().map(|loss| (loss.still_gone, loss.replaced));
        assert_eq!((open.len(), found), (usize::from(expected.is_some()), expected), "{kind:?} {seen:?}");
    }
    let twice = Loss { still_gone: 3, replaced: 7, ..loss(None) };
    let header = PlanHeader { losses: vec![twice], ..header() };
    let open = watch(&[(1, key, Shown::Same), (2, key, Shown::Other)]).losses(&header);
    assert_eq!((open[0].still_gone, open[0].replaced), (0, 9), "from run to run");
    let more = watch(&[(4, key, Shown::Gone)]).losses(&header);
    assert_eq!((more[0].still_gone, more[0].replaced), (4, 7), "what came back and is gone again");
}

#[test]
fn a_loss_that_was_acknowledged_is_over() {
    let other = Loss { run: RunId::nightly(NIGHT - Duration::DAY), ..loss(None) };
    let header = PlanHeader {
        losses: vec![loss(None), other.clone()],
        acknowledged: vec![loss(None).run],
        ..header()
    };
    assert_eq!(watch(&[]).losses(&header), [other]);
}

#[test]
fn a_loss_is_that_of_the_source_or_of_each_kind_that_lost_much() {
    use ObjectKind::{Certificate, Key, Secret};
    let new = |kind, how, of, gone| {
        let of_now = Loss { run: RunId::nightly(NIGHT), since: NIGHT, ..loss(kind) };
        Loss { how, of, gone, still_gone: gone, ..of_now }
    };
    let kept = |count, kind| (count, there(kind), Shown::Same);
    let lost = |count, kind| (count, there(kind), Shown::Gone);
    let many = [kept(94, Secret), lost(6, Key), kept(9, Key), lost(5, Certificate), kept(3, Certificate)];
    // Listed objects are in the counts of their kinds.
    for (seen, listed, expected) in [
        (&[kept(96, Secret), lost(4, Key)][..], 96, vec![]),
        (&[lost(3, Key), lost(4, Secret)], 0, vec![new(None, How::Emptied, 7, 7)]),
        (&[lost(3, Key), lost(4, Secret)], 1, vec![new(None, How::Replaced, 7, 7)]),
        (&[lost(6, Key), kept(14, Secret)], 14, vec![new(None, How::Part, 20, 6)]),
        (&many, 106, vec![new(Some(Key), How::Part, 15, 6), new(Some(Certificate), How::Part, 8, 5)]),
    ] {
        let mut watch = watch(seen);
        (0..listed).for_each(|_| watch.listed(Secret));
        let mut found = watch.losses(&header());
        found.sort_by_key(|loss| loss.kind);
        let mut expected = expected;
        expected.sort_by_key(|loss| loss.kind);
        assert_eq!(found, expected, "{seen:?}");
        let of_some = PlanHeader { scope: Scope::Objects, ..header() };
        assert_eq!(watch.losses(&of_some), [], "a run of some objects says nothing of the others");
    }
    let mut replaced = watch(&[(3, there(Key), Shown::Other), lost(2, Secret)]);
    replaced.listed(Key);
    let expected = Loss { replaced: 3, ..new(None, How::Replaced, 5, 2) };
    assert_eq!(replaced.losses(&header()), [expected]);
}

#[test]
fn the_share_that_counts_is_the_plans() {
    let seen = watch(&[(6, there(ObjectKind::Key), Shown::Gone), (4, there(ObjectKind::Key), Shown::Same)]);
    for (percent, losses) in [(None, 1), (Some(59), 1), (Some(60), 0)] {
        let gone_share = percent.map(|percent: u8| percent.try_into().unwrap());
        assert_eq!(seen.losses(&PlanHeader { gone_share, ..header() }).len(), losses, "{percent:?}");
    }
}

#[test]
fn a_vault_is_not_made_anew_as_long_as_more_of_it_could_not_be_listed() {
    let unlisted = Unlisted::for_good(ObjectKind::Secret, Failure::ours("Forbidden", "as the service says"));
    let header = PlanHeader { unlisted: vec![unlisted], ..header() };
    for (unseen, losses) in [(2, 1), (3, 0)] {
        let key = (3, there(ObjectKind::Key), Shown::Other);
        let mut watch = watch(&[key, (unseen, there(ObjectKind::Secret), Shown::Unlisted)]);
        watch.listed(ObjectKind::Key);
        assert_eq!(watch.losses(&header).len(), losses, "{unseen} unseen");
    }
}

#[test]
fn the_open_losses_of_before_stand_first() {
    let header = PlanHeader { losses: vec![loss(None)], ..header() };
    let losses = watch(&[(5, there(ObjectKind::Key), Shown::Gone)]).losses(&header);
    assert_eq!(losses.iter().map(|loss| loss.since).collect::<Vec<_>>(), [LAST_WEEK, NIGHT]);
}
