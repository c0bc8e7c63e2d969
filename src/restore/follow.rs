//! The state of a restore and of each of its steps.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        hsm::HsmJob,
        object::ObjectId,
        outcome::Failure,
        restore::{Excluded, RestoreId, RestoreJob, RestoreNumbers, StepResult},
        run::Verdict,
    },
    error::{Error, Result},
    jobs::StepState,
};

/// The state of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has not been tried.
    Pending,
    /// It is tried again: the vault is busy with its name or refuses, or a service of this program's own failed, with
    /// this failure.
    Waiting(Option<Failure>),
    /// It has ended.
    Ended(StepResult),
}

/// A restore with the state of each step.
#[derive(Debug)]
pub struct Followed {
    /// Its record, with the current numbers.
    pub job: RestoreJob,
    /// Its steps, in order.
    pub steps: BTreeMap<ObjectId, Progress>,
    /// The objects that its plan excludes.
    pub excluded: Vec<Excluded>,
    /// The time as of which its request selects backups.
    pub at: Option<OffsetDateTime>,
    /// Why its plan cannot be read. Then only steps that have ended or wait are known, and no excluded objects.
    pub without_plan: Option<Error>,
}

impl Followed {
    /// Why objects failed: steps that did, and what stood in the way of others. If a restore has ended with nothing in
    /// place, what it skipped is a reason too.
    pub fn failures(&self) -> Vec<Failure> {
        let nothing = self.job.ended.as_ref().is_some_and(|ended| ended.verdict == Verdict::Failed);
        let steps = self.steps.values().filter_map(|progress| match progress {
            Progress::Ended(StepResult::Failed { failure }) => Some(failure.clone()),
            Progress::Ended(result) => result.difference().map(|text| Failure::ours("Differs", text)),
            Progress::Pending | Progress::Waiting(_) => None,
        });
        let excluded = self.excluded.iter().filter(|of| nothing || of.is_failure());
        let excluded = excluded.map(|of| Failure::ours(of.reason.name(), of.why(self.at)));
        steps.chain(excluded).collect()
    }
}

/// Why objects of a restore failed. Empty for one that is open or has succeeded, which needs no request.
///
/// # Errors
/// As [`follow`].
pub async fn failures(app: &App, job: &RestoreJob) -> Result<Vec<Failure>> {
    if job.ended.as_ref().is_none_or(|ended| ended.verdict == Verdict::Succeeded) {
        return Ok(Vec::new());
    }
    Ok(follow(app, &job.id).await?.map(|followed| followed.failures()).unwrap_or_default())
}

/// A restore into a vault or into a Managed HSM, in full.
#[derive(Debug)]
pub enum Found {
    /// Into a vault.
    Vault(Box<Followed>),
    /// Into an HSM.
    Hsm(Box<HsmJob>),
}

/// A restore in full, open or ended. `None` when there is none of that name.
///
/// # Errors
/// As [`follow`].
pub async fn find(app: &App, id: &RestoreId) -> Result<Option<Found>> {
    if let Some(followed) = follow(app, id).await? {
        return Ok(Some(Found::Vault(Box::new(followed))));
    }
    Ok(app.jobs()?.hsm_restore(id).await?.map(|job| Found::Hsm(Box::new(job))))
}

/// Reads the state of a restore, open or ended. `None` if there is no restore of that name.
///
/// # Errors
/// When it cannot be read, or is open and its plan cannot.
pub async fn follow(app: &App, id: &RestoreId) -> Result<Option<Followed>> {
    let jobs = app.jobs()?;
    let Some(stored) = jobs.restore(id).await? else { return Ok(None) };
    let (plan, without_plan) = match jobs.plan_of(&stored.job).await {
        Err(error @ Error::Damaged { .. }) if stored.job.ended.is_some() => (None, Some(error)),
        plan => (Some(plan?), None),
    };
    let mut steps: BTreeMap<_, _> =
        plan.iter().flat_map(|plan| &plan.steps).map(|step| (step.id(), Progress::Pending)).collect();
    let states = jobs.steps(id);
    pin_mut!(states);
    while let Some(page) = states.try_next().await? {
        for state in page {
            match state {
                StepState::Ended(outcome) => {
                    steps.insert(outcome.id(), Progress::Ended(outcome.result));
                }
                StepState::Waiting(id, refused) => {
                    steps.insert(id, Progress::Waiting(refused));
                }
            }
        }
    }
    let mut job = stored.job;
    // A step without an outcome at the end will not get one.
    if let Some(cut) = job.ended.as_ref().and_then(|ended| ended.cut) {
        for progress in steps.values_mut() {
            let refused = match progress {
                Progress::Ended(_) => continue,
                Progress::Pending => None,
                Progress::Waiting(refused) => refused.take(),
            };
            *progress =
                Progress::Ended(StepResult::Failed { failure: refused.unwrap_or_else(|| cut.failure()) });
        }
    }
    if let (Some(plan), None) = (&plan, &job.ended) {
        job.numbers = RestoreNumbers::of(plan);
        for progress in steps.values() {
            if let Progress::Ended(result) = progress {
                job.numbers.add(result);
            }
        }
    }
    let (excluded, at) = plan.map(|plan| (plan.excluded, plan.request.at)).unwrap_or_default();
    Ok(Some(Followed { job, steps, excluded, at, without_plan }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        digest::Digest,
        restore::{Difference, Reason},
        samples::secret,
    };

    fn of(verdict: Option<Verdict>, steps: Vec<(&str, Progress)>, excluded: &[(Reason, bool)]) -> Followed {
        let ended = verdict.map(|verdict| json!({ "at": "2026-11-22T02:10:00Z", "verdict": verdict }));
        let job = json!({
            "v": 1, "id": "20261122T020000Z-restore-0f3a9c41", "plan": Digest::of(b"plan"), "source": "kv-prod",
            "target": "kv-prod", "by": { "via": "terminal" }, "opened": "2026-11-22T02:00:00Z",
            "numbers": RestoreNumbers::default(), "steps": 3, "answered": 0, "progressed": "2026-11-22T02:00:00Z",
            "sent": true, "ended": ended,
        });
        let excluded = excluded.iter().map(|(reason, skipped)| {
            let id = secret("left");
            Excluded { kind: id.kind, name: id.name, reason: *reason, skipped: *skipped }
        });
        Followed {
            job: serde_json::from_value(job).unwrap(),
            steps: steps.into_iter().map(|(name, progress)| (secret(name), progress)).collect(),
            excluded: excluded.collect(),
            at: None,
            without_plan: None,
        }
    }

    fn codes(of: &Followed) -> Vec<String> {
        of.failures().into_iter().map(|failure| failure.code).collect()
    }

    #[test]
    fn what_failed_what_differs_and_what_was_in_the_way_are_reasons() {
        let failed = StepResult::Failed { failure: Failure::ours("Forbidden", "no") };
        let differs = StepResult::Differs { difference: Some(Difference::Attributes) };
        let steps = vec![
            ("a", Progress::Ended(failed)),
            ("b", Progress::Ended(differs)),
            ("c", Progress::Ended(StepResult::Restored)),
            ("d", Progress::Pending),
            // It is tried again, and may succeed.
            ("e", Progress::Waiting(Some(Failure::ours("Busy", "being deleted")))),
        ];
        let excluded = [
            (Reason::Live, false),
            (Reason::Live, true),
            (Reason::NeverBackedUp, true),
            (Reason::AlreadyThere, true),
        ];
        let found = of(Some(Verdict::PartiallyFailed), steps, &excluded);
        assert_eq!(
            codes(&found),
            ["Forbidden", "Differs", Reason::Live.name(), Reason::NeverBackedUp.name()]
        );
    }

    #[test]
    fn if_nothing_is_in_place_what_was_skipped_is_a_reason_too() {
        let skipped = [(Reason::Live, true)];
        for (verdict, expected) in [
            (Some(Verdict::Failed), 1),
            (Some(Verdict::PartiallyFailed), 0),
            (Some(Verdict::Succeeded), 0),
            (None, 0),
        ] {
            assert_eq!(codes(&of(verdict, Vec::new(), &skipped)).len(), expected, "{verdict:?}");
        }
    }
}
