//! What a drill's restore came to.

use time::OffsetDateTime;

use super::{OpenDrill, Plan, Rehearsed, Seconds, Targets, Verdict, Whole, Why};
use crate::domain::{
    object::ObjectId,
    restore::{Pace, StepResult},
};

/// The most objects that a reason names.
const NAMED: usize = 3;

/// Judges a drill whose objects all have a result, or whose time is over.
///
/// The recovery time of the whole source is judged, which is extrapolated. The recovery point is judged where the newest state was
/// restored: how old another kept point is says nothing about what a disaster would cost.
pub fn judge(drill: &OpenDrill, targets: Targets, pace: &Pace, now: OffsetDateTime) -> Verdict {
    let Some(plan) = &drill.plan else {
        let (restore, why) = (Rehearsed::TimedOut, vec![not_begun(drill)]);
        return Verdict { restore, why, at: now, rto_seconds: None, rpo_seconds: None, whole: None, targets };
    };
    let pending = plan.objects.iter().filter(|of| of.result.is_none()).count();
    let times: Vec<Seconds> = plan.objects.iter().filter_map(|of| of.seconds).collect();
    let whole = (!times.is_empty() && pending == 0).then(|| Whole::of(plan.whole, pace, &times));
    let rpo = Seconds::from(drill.started - plan.point.taken);
    let mut why = of_objects(plan, pending);
    why.extend(missed(
        targets,
        plan.point.at.is_none().then_some(rpo),
        whole.map(|of| of.rto_seconds),
        extrapolated,
    ));
    let restore = match (pending, why.is_empty()) {
        (1.., _) => Rehearsed::TimedOut,
        (0, true) => Rehearsed::Succeeded,
        (0, false) => Rehearsed::Failed,
    };
    let rto_seconds = (pending == 0 && !plan.objects.is_empty()).then(|| plan.rto(drill.parts, now));
    Verdict { restore, why, at: now, rto_seconds, rpo_seconds: Some(rpo), whole, targets }
}

fn extrapolated(seconds: Seconds) -> String {
    format!("a restore of the whole source would take {seconds}, extrapolated")
}

fn not_begun(drill: &OpenDrill) -> Why {
    let unclean = drill.unclean.as_ref().map(|why| format!(": {}", why.text)).unwrap_or_default();
    if drill.names.is_empty() {
        Why::new(
            "timed-out",
            "the drill could not begin in its time, because its vault or the backups could not be read",
        )
    } else {
        Why::new(
            "left-behind",
            format!("what an earlier drill left in the vault could not be removed{unclean}"),
        )
    }
}

fn of_objects(plan: &Plan, pending: usize) -> Vec<Why> {
    let mut why = Vec::new();
    if pending > 0 {
        let text =
            format!("{pending} of {} objects were not restored in the time of a drill", plan.objects.len());
        why.push(Why::new("timed-out", text));
    }
    if plan.objects.is_empty() {
        why.push(Why::new(
            "nothing-to-drill",
            "no object of the source can be restored into the drill vault",
        ));
    }
    if !plan.missing.is_empty() {
        let names = named(plan.missing.iter());
        why.push(Why::new(
            "always-missing",
            format!("what is always drilled has no backup that restores: {names}"),
        ));
    }
    let with = |is: fn(&StepResult) -> bool| {
        let of: Vec<_> = plan.objects.iter().filter(|of| of.result.as_ref().is_some_and(is)).collect();
        of
    };
    let failed = with(StepResult::is_failure);
    if let Some(StepResult::Failed { failure }) = failed.first().and_then(|of| of.result.as_ref()) {
        let ids: Vec<_> = failed.iter().map(|of| of.step.id()).collect();
        let text = format!("not restored: {}; {}: {}", named(ids.iter()), failure.code, failure.text);
        why.push(Why::new("objects-failed", text));
    }
    let differ = with(|result| matches!(result, StepResult::Differs { .. }));
    if let Some(difference) = differ.first().and_then(|of| of.result.as_ref()?.difference()) {
        let ids: Vec<_> = differ.iter().map(|of| of.step.id()).collect();
        why.push(Why::new(
            "objects-differ",
            format!("restored otherwise than backed up: {}; {difference}", named(ids.iter())),
        ));
    }
    why
}

fn named<'a>(ids: impl ExactSizeIterator<Item = &'a ObjectId>) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let first: Vec<_> = ids.take(NAMED).map(ToString::to_string).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// Which targets are missed. `takes` says how long a restore of the source takes.
pub(super) fn missed(
    targets: Targets,
    rpo: Option<Seconds>,
    rto: Option<Seconds>,
    takes: impl Fn(Seconds) -> String,
) -> impl Iterator<Item = Why> {
    let over = |target: Option<u32>, found: Option<Seconds>| {
        Some((target?, found?)).filter(|(target, of)| of.exceed(*target))
    };
    let rto = over(targets.rto_seconds, rto).map(|(target, found)| {
        let target = Seconds::from(f64::from(target));
        Why::new("rto-missed", format!("{}; its target is {target}", takes(found)))
    });
    let rpo = over(targets.rpo_seconds, rpo).map(|(target, found)| {
        let target = Seconds::from(f64::from(target));
        Why::new(
            "rpo-missed",
            format!("the newest state was {found} old; the target of the source is {target}"),
        )
    });
    rto.into_iter().chain(rpo)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        actor::Actor,
        drill::{Counts, Drilled, Point, Seed},
        outcome::Failure,
        restore::{Action, Step},
        run::RunId,
        samples::{self, NIGHT},
    };

    const PACE: Pace = Pace { secrets: 300, keys: 10, certificates: 10 };

    /// A drill, an hour after the night whose state it restores, whose objects have these results. Each took a tenth of a second,
    /// and the source has 300 secrets.
    fn drill(results: &[Option<StepResult>]) -> OpenDrill {
        let of = |(at, result): (usize, &Option<StepResult>)| {
            let entry = samples::entry(&samples::secret(&format!("s-{at}")), NIGHT);
            let seconds = result.as_ref().map(|_| Seconds::from(0.1));
            Drilled { result: result.clone(), seconds, ..Drilled::new(Step::new(&entry, Action::Restore)) }
        };
        let plan = Plan {
            point: Point { run: RunId::nightly(NIGHT), taken: NIGHT, at: None },
            began: NIGHT + Duration::HOUR,
            took: Seconds::from(0.4),
            part: 1,
            objects: results.iter().enumerate().map(of).collect(),
            whole: Counts { secrets: 301, ..Counts::default() },
            excluded: 0,
            missing: Vec::new(),
        };
        let pair = ("kv-a".parse().unwrap(), "kv-drill".parse().unwrap());
        let open = OpenDrill::begin(pair, Actor::TIMER, Seed::of(b""), 0, Vec::new(), NIGHT + Duration::HOUR);
        OpenDrill { plan: Some(plan), ..open }
    }

    fn judged(drill: &OpenDrill, targets: Targets) -> Verdict {
        judge(drill, targets, &PACE, NIGHT + Duration::HOUR * 2)
    }

    fn codes(of: &Verdict) -> Vec<&str> {
        of.why.iter().map(|why| why.code.as_str()).collect()
    }

    #[test]
    fn a_drill_succeeds_when_all_of_its_objects_are_there_as_they_were() {
        let restored = Some(StepResult::Restored);
        let failed = Some(StepResult::Failed { failure: Failure::ours("Conflict", "taken") });
        let differs = Some(StepResult::Differs { difference: None });
        let none = Targets::default();
        for (results, restore, expected) in [
            (&[restored.clone()][..], Rehearsed::Succeeded, &[][..]),
            (&[restored.clone(), Some(StepResult::AlreadyThere)], Rehearsed::Succeeded, &[]),
            (&[restored.clone(), failed.clone()], Rehearsed::Failed, &["objects-failed"]),
            (&[failed, differs], Rehearsed::Failed, &["objects-failed", "objects-differ"]),
            (&[restored, None], Rehearsed::TimedOut, &["timed-out"]),
            (&[], Rehearsed::Failed, &["nothing-to-drill"]),
        ] {
            let verdict = judged(&drill(results), none);
            assert_eq!((verdict.restore, codes(&verdict)), (restore, expected.to_vec()), "{verdict:?}");
            assert_eq!(verdict.rto_seconds.is_some(), !results.is_empty() && restore != Rehearsed::TimedOut);
        }
        let mut without = drill(&[Some(StepResult::Restored)]);
        without.plan.as_mut().unwrap().missing.push(samples::secret("db"));
        assert_eq!(codes(&judged(&without, none)), ["always-missing"]);
    }

    #[test]
    fn a_target_is_missed_by_the_least_more_and_only_where_it_is_set() {
        let drill = drill(&[Some(StepResult::Restored)]);
        // 300 secrets are due before the last one, which takes ten seconds, and a tenth for that one.
        for (rto, rpo, expected) in [
            (None, None, &[][..]),
            (Some(11), Some(3600), &[]),
            (Some(10), Some(3600), &["rto-missed"]),
            (Some(11), Some(3599), &["rpo-missed"]),
            (Some(1), Some(1), &["rto-missed", "rpo-missed"]),
        ] {
            let targets = Targets { rto_seconds: rto, rpo_seconds: rpo };
            let verdict = judged(&drill, targets);
            assert_eq!((codes(&verdict), verdict.targets), (expected.to_vec(), targets), "{rto:?} {rpo:?}");
            assert_eq!(verdict.restore == Rehearsed::Succeeded, expected.is_empty());
            assert_eq!(verdict.whole.map(|of| of.rto_seconds), Some(Seconds::from(10.1)));
            assert_eq!(verdict.rpo_seconds, Some(Seconds::from(3600.0)));
        }
    }

    #[test]
    fn how_old_another_kept_point_is_is_said_and_not_judged() {
        let mut older = drill(&[Some(StepResult::Restored)]);
        older.plan.as_mut().unwrap().point.at = Some(NIGHT);
        let verdict = judged(&older, Targets { rto_seconds: None, rpo_seconds: Some(1) });
        assert_eq!(
            (verdict.restore, verdict.rpo_seconds),
            (Rehearsed::Succeeded, Some(Seconds::from(3600.0)))
        );
    }

    #[test]
    fn a_drill_that_never_began_timed_out_and_says_why() {
        let without = OpenDrill { plan: None, ..drill(&[]) };
        let left = OpenDrill {
            names: vec![samples::secret("db")],
            unclean: Some(Why::new("Forbidden", "no right to purge")),
            ..without.clone()
        };
        for (drill, code, text) in
            [(without, "timed-out", "could not be read"), (left, "left-behind", "no right to purge")]
        {
            let verdict = judged(&drill, Targets::default());
            assert_eq!((verdict.restore, codes(&verdict)), (Rehearsed::TimedOut, vec![code]));
            assert!(verdict.why[0].text.contains(text), "{verdict:?}");
        }
    }
}
