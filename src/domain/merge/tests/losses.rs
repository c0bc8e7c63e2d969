//! What is gone, what returned, and for how long a loss stays open.

use super::*;
use crate::domain::{
    loss::{How, Loss},
    plan::Unlisted,
};

#[test]
fn an_object_that_was_not_listed_is_gone_for_as_long_as_it_is_kept() {
    let kept = NIGHT - KEEP_GONE;
    let table = [
        (before(ObjectStatus::BackedUp), Some((ObjectStatus::Gone, Some(NIGHT)))),
        (gone(kept), Some((ObjectStatus::Gone, Some(kept)))),
        (gone(kept - Duration::SECOND), None),
        (former(ObjectStatus::Managed), Some((ObjectStatus::Former, Some(NIGHT)))),
        (Line { former: None, ..former(ObjectStatus::Managed) }, None), // nothing of it has to be kept
        (Line { former: None, ..former(ObjectStatus::Former) }, None),
        (Line { entry: None, ..before(ObjectStatus::Failed) }, Some((ObjectStatus::Gone, Some(NIGHT)))),
    ];
    for (base, expected) in table {
        let found = of_one(&plan(&[]), None, Some(base.clone()));
        assert_eq!(found.as_ref().map(|line| (line.status, line.gone)), expected, "{base:?}");
        let kept = found.as_ref().map(|line| (&line.entry, &line.former));
        assert!(kept.is_none_or(|kept| kept == (&base.entry, &base.former)), "{found:?}");
    }
}

#[test]
fn a_plan_may_say_for_how_long_the_index_keeps_what_is_gone() {
    for (days, ago, expected) in [
        (None, 400, true),
        (None, 401, false),
        (Some(90), 90, true),
        (Some(90), 91, false),
        (Some(800), 800, true),
    ] {
        let mut plan = plan(&[]);
        plan.header.keep_gone = days;
        let found = of_one(&plan, None, Some(gone(NIGHT - DAY * ago)));
        assert_eq!(found.is_some(), expected, "{days:?} {ago}");
    }
}

#[test]
fn of_a_kind_that_was_not_listed_nobody_knows_what_is_gone() {
    let kept = NIGHT - KEEP_GONE - DAY;
    let mut plan = plan(&[]);
    let failure = Failure::ours("Forbidden", "");
    plan.header.unlisted = vec![Unlisted::for_good(ObjectKind::Secret, failure)];
    let table = [
        (before(ObjectStatus::BackedUp), ObjectStatus::Carried, None),
        (gone(kept), ObjectStatus::Carried, Some(kept)), // it may be back
        (former(ObjectStatus::Managed), ObjectStatus::Former, None),
    ];
    for (base, status, since) in table {
        let line = of_one(&plan, None, Some(base)).unwrap();
        assert_eq!((line.status, line.gone, line.returned), (status, since, None));
    }
    // What was listed again, and not yet told from others, stays so.
    let base = Line { returned: Some(kept), ..before(ObjectStatus::Failed) };
    let line = of_one(&plan, None, Some(base)).unwrap();
    assert_eq!((line.status, line.gone, line.returned), (ObjectStatus::Carried, None, Some(kept)));
    assert_eq!(merged(&plan, vec![], vec![]).1.numbers.unlisted, [ObjectKind::Secret]);
}

#[test]
fn a_loss_outlives_the_lines_of_what_is_gone() {
    let since = NIGHT - KEEP_GONE - DAY;
    let (run, how) = (RunId::nightly(since), How::Emptied);
    let lost = Loss { run, since, kind: None, how, of: 1, gone: 1, still_gone: 1, replaced: 0 };
    let mut plan = plan(&[]);
    plan.header.losses = vec![lost.clone()];
    // The line that is kept no longer, and an index that could not be read when the run closed.
    for base in [vec![gone(since)], vec![]] {
        let (lines, summary) = merged(&plan, vec![], base);
        assert_eq!(
            (lines, summary.verdict, &summary.losses),
            (vec![], Verdict::PartiallyFailed, &vec![lost.clone()])
        );
    }
}

#[test]
fn what_is_gone_and_what_returned_is_counted_and_marked_until_it_is_told_from_others() {
    use Decision::{Changed, Unchanged};
    let since = NIGHT - DAY;
    let (one, listed) = (secret("db"), |decision| plan(&[(secret("db"), decision)]));
    let other =
        Entry { newest: "another".parse().unwrap(), fingerprint: fingerprint("another"), ..new(&one) };
    // The line before; the plan, the result; gone, returned, and since when it was gone if that is not settled.
    for (base, plan, result, expected) in [
        (before(ObjectStatus::BackedUp), plan(&[]), None, (1, 0, None)),
        (gone(since), plan(&[]), None, (0, 0, None)),
        (gone(since), listed(Unchanged), None, (0, 1, None)),
        (gone(since), listed(Changed), Some(backup(NIGHT)), (0, 1, None)),
        (gone(since), listed(Changed), Some(ObjectResult::Entry(other)), (0, 1, None)),
        (gone(since), listed(Changed), Some(outcome(OutcomeKind::Failed)), (0, 1, Some(since))),
        (gone(since), listed(Changed), None, (0, 1, Some(since))),
    ] {
        let (lines, summary) = merged(&plan, result.clone().into_iter().collect(), vec![base.clone()]);
        let of = summary.numbers;
        assert_eq!((of.gone, of.returned, lines[0].returned), expected, "{base:?} {result:?}");
        let mut form_1 = plan;
        form_1.header.v = 1;
        let of = merged(&form_1, result.into_iter().collect(), vec![base]).1.numbers;
        assert_eq!((of.gone, of.returned), (0, 0), "form 1 did not count them");
    }
}

#[test]
fn a_lost_source_is_back_only_where_its_objects_are_those_of_before() {
    let (db, since) = (secret("db"), NIGHT - DAY);
    let loss = Loss {
        run: RunId::nightly(since),
        since,
        kind: None,
        how: How::Emptied,
        of: 1,
        gone: 1,
        still_gone: 1,
        replaced: 0,
    };
    let other = Entry { newest: "another".parse().unwrap(), fingerprint: fingerprint("another"), ..new(&db) };
    for (decision, result, expected) in [
        (Decision::Unchanged, None, None),
        (Decision::Changed, Some(backup(NIGHT)), None),
        (Decision::Changed, Some(ObjectResult::Entry(other)), Some((0, 1))),
        (Decision::Changed, Some(outcome(OutcomeKind::Failed)), Some((1, 0))),
        (Decision::Managed, None, Some((0, 1))),
    ] {
        let mut plan = plan(&[(db.clone(), decision)]);
        plan.header.losses = vec![loss.clone()];
        let (_, summary) = merged(&plan, result.clone().into_iter().collect(), vec![gone(since)]);
        let open = summary.losses.first().map(|loss| (loss.still_gone, loss.replaced));
        assert_eq!(open, expected, "{decision:?} {result:?}");
    }
}
