//! A restore's numbers, and the verdict that follows from them.

use serde::{Deserialize, Serialize};

use super::{Excluded, Reason, RestorePlan, StepResult};
use crate::domain::record::count;
use crate::domain::run::Verdict;

/// A restore's numbers: planned = restored + skipped + failed + never backed up, once it has ended.
///
/// Records of the first programs have neither `already_there` nor `never_backed_up`. Their verdict is stored beside
/// them and is not computed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreNumbers {
    /// Objects that were requested.
    pub planned: u32,
    /// Objects that a step brought into the target, or found there, as their backup has them.
    pub restored: u32,
    /// Objects that are left as they are: already there, of a taken name that the request skips, or gone from the
    /// source and not requested.
    pub skipped: u32,
    /// Skipped objects that the target has as the backup has them. Together with the restored ones, these are all good
    /// ones.
    #[serde(default)]
    pub already_there: u32,
    /// Objects that were in the way, and steps that failed.
    pub failed: u32,
    /// Objects that exist in the source and whose backups all failed. No restore brings them back.
    #[serde(default)]
    pub never_backed_up: u32,
}

impl RestoreNumbers {
    /// The numbers of a plan before its first step.
    pub fn of(plan: &RestorePlan) -> Self {
        let mut numbers = Self { planned: count(plan.steps.len() + plan.excluded.len()), ..Self::default() };
        plan.excluded.iter().for_each(|excluded| numbers.leave(excluded));
        numbers
    }

    /// The numbers of a plan if all of its steps succeed: the best possible result.
    pub fn at_best(plan: &RestorePlan) -> Self {
        Self { restored: count(plan.steps.len()), ..Self::of(plan) }
    }

    fn leave(&mut self, excluded: &Excluded) {
        match excluded.reason {
            Reason::AlreadyThere => {
                self.skipped += 1;
                self.already_there += 1;
            }
            Reason::NeverBackedUp => self.never_backed_up += 1,
            _ if excluded.skipped => self.skipped += 1,
            _ => self.failed += 1,
        }
    }

    /// Counts a step.
    pub fn add(&mut self, result: &StepResult) {
        if result.succeeded() {
            self.restored += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Counts everything without an outcome as failed, at the end.
    pub fn fail_the_rest(&mut self) {
        self.failed = self.planned.saturating_sub(self.restored + self.skipped + self.never_backed_up);
    }

    /// The verdict on a restore with these numbers.
    ///
    /// An object is good if the target has it as the backup has it, whether this restore or an earlier one brought it
    /// there: a repeated restore gets the same verdict. Without any good object a restore fails, whatever else there
    /// was to do. Objects that the request skips do not count.
    pub fn verdict(&self) -> Verdict {
        match (self.restored + self.already_there, self.failed + self.never_backed_up) {
            (0, _) => Verdict::Failed,
            (_, 0) => Verdict::Succeeded,
            _ => Verdict::PartiallyFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        location::Location,
        manifest::{Line, ObjectStatus},
        outcome::Failure,
        restore::{Held, OnConflict, OnDamaged, Request, Selection, World, plan_restore},
        samples::{NIGHT, fingerprint, line, secret},
    };

    /// A plan for everything in an index of two objects of each sort: free, already there, in the way, gone, and never
    /// backed up.
    fn two_of_each() -> RestorePlan {
        let vault: crate::domain::source::SourceName = "kv-prod".parse().unwrap();
        let request = Request {
            source: vault.clone(),
            target: vault,
            at: None,
            first_version: false,
            selection: Selection::default(),
            on_conflict: OnConflict::Fail,
            on_damaged: OnDamaged::default(),
            other_place: false,
        };
        let held = [("b1", "before"), ("b2", "before"), ("c1", "after"), ("c2", "after")];
        let held: BTreeMap<_, _> =
            held.map(|(name, look)| (secret(name), Held::Live(fingerprint(look)))).into_iter().collect();
        let of = |status, names: [&str; 2]| names.map(|name| line(&secret(name), status, NIGHT));
        let there = ["a1", "b1", "c1", "a2", "b2", "c2"]
            .map(|name| line(&secret(name), ObjectStatus::BackedUp, NIGHT));
        let never = of(ObjectStatus::Failed, ["e1", "e2"]).map(|line| Line { entry: None, ..line });
        let lines = there.into_iter().chain(of(ObjectStatus::Gone, ["d1", "d2"])).chain(never);
        let location = Location::default();
        let world = World { source: &location, target: &location, held: &held, unusable: &BTreeMap::new() };
        plan_restore(&request, lines.map(Ok::<_, ()>), &world).unwrap()
    }

    #[test]
    fn each_object_is_counted_once_from_the_plan_to_the_end() {
        let planned = RestoreNumbers::of(&two_of_each());
        let expected = RestoreNumbers {
            planned: 10,
            restored: 0,
            skipped: 4,
            already_there: 2,
            failed: 2,
            never_backed_up: 2,
        };
        assert_eq!(planned, expected);
        assert_eq!(RestoreNumbers::at_best(&two_of_each()), RestoreNumbers { restored: 2, ..expected });
        let failure = Failure::ours("Conflict", "taken");
        for (results, restored, failed) in [
            ([StepResult::Restored, StepResult::Recovered], 2, 2),
            ([StepResult::AlreadyThere, StepResult::Failed { failure: failure.clone() }], 1, 3),
            ([StepResult::Differs { difference: None }, StepResult::Failed { failure }], 0, 4),
        ] {
            let mut numbers = planned;
            for result in &results {
                numbers.add(result);
            }
            assert_eq!(numbers, RestoreNumbers { restored, failed, ..expected }, "{results:?}");
            numbers.fail_the_rest();
            assert_eq!(numbers, RestoreNumbers { restored, failed, ..expected }, "every step has ended");
        }
        let mut cut = planned;
        cut.add(&StepResult::Restored);
        cut.fail_the_rest();
        assert_eq!(cut, RestoreNumbers { restored: 1, failed: 3, ..expected }, "one has no outcome");
    }

    /// Every combination of none and some: restored, already there, otherwise skipped, failed, never backed up.
    fn combinations() -> impl Iterator<Item = RestoreNumbers> {
        (0..32_u32).map(|bits| {
            let [restored, already_there, besides, failed, never_backed_up] =
                [1, 2, 4, 8, 16].map(|bit| u32::from(bits & bit != 0));
            let skipped = already_there + besides;
            let planned = restored + skipped + failed + never_backed_up;
            RestoreNumbers { planned, restored, skipped, already_there, failed, never_backed_up }
        })
    }

    #[test]
    fn nothing_good_is_a_failure_and_something_bad_no_success() {
        for of in combinations() {
            let good = of.restored > 0 || of.already_there > 0;
            let bad = of.failed > 0 || of.never_backed_up > 0;
            let expected = match (good, bad) {
                (false, _) => Verdict::Failed,
                (true, true) => Verdict::PartiallyFailed,
                (true, false) => Verdict::Succeeded,
            };
            assert_eq!(of.verdict(), expected, "{of:?}");
        }
    }

    #[test]
    fn a_restore_that_is_repeated_ends_as_it_did() {
        for of in combinations() {
            let (skipped, already_there) = (of.skipped + of.restored, of.already_there + of.restored);
            let again = RestoreNumbers { restored: 0, skipped, already_there, ..of };
            assert_eq!(again.verdict(), of.verdict(), "{of:?}");
        }
    }

    #[test]
    fn what_is_only_skipped_gone_or_never_backed_up_is_no_success() {
        let only = |of: RestoreNumbers| of.verdict();
        assert_eq!(only(RestoreNumbers::default()), Verdict::Failed, "nothing at all");
        assert_eq!(only(RestoreNumbers { skipped: 33, ..Default::default() }), Verdict::Failed);
        assert_eq!(only(RestoreNumbers { never_backed_up: 1, ..Default::default() }), Verdict::Failed);
        let there = RestoreNumbers { skipped: 33, already_there: 33, ..Default::default() };
        assert_eq!(only(there), Verdict::Succeeded);
    }

    #[test]
    fn numbers_of_the_first_programs_are_read() {
        let old = r#"{"planned":3,"restored":1,"skipped":1,"failed":1}"#;
        let read: RestoreNumbers = serde_json::from_str(old).unwrap();
        assert_eq!((read.already_there, read.never_backed_up, read.failed), (0, 0, 1));
    }
}
